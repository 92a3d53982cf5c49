import { describe, expect, it } from "vitest";
import { checkWebhookUrl } from "./webhook-checks.ts";

describe("the URL of a webhook", () => {
  it("whose address may not be called is refused with the setting that permits it", () => {
    expect(() => checkWebhookUrl("http://10.0.0.1/", () => "10.0.0.1 is not permitted")).toThrow(
      "webhook url: 10.0.0.1 is not permitted; the operator can permit it with outbound.allow",
    );
    expect(() => checkWebhookUrl("http://10.0.0.1/", () => undefined)).not.toThrow();
  });

  it.each(["nonsense", "ftp://10.0.0.1/", "http://a@10.0.0.1/", "http://10.0.0.1/#a", "http://10.0.0.1:0/"])(
    "that is wrong in itself is refused for that alone: %s",
    (url) => {
      expect(() => checkWebhookUrl(url, () => "it is not permitted")).toThrow(/^webhook url(?!.*permit)/);
    },
  );
});
