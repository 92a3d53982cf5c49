import { describe, expect, it } from "vitest";
import { aDelivery, newSecret } from "../testing/delivery.ts";
import { DeliveryRefused, verifyDelivery } from "./verify.ts";

const secret = newSecret();
const verify = ({ body, headers }: { body: string; headers: Record<string, string> }, withSecret = secret) =>
  verifyDelivery(withSecret, new Headers(headers), Buffer.from(body));
const good = () => aDelivery(secret, "hello");

describe("a delivery", () => {
  it("that Todoku signed is taken, with its id and its user", () => {
    expect(verify(good())).toMatchObject({ isTest: false, payload: { token_id: "alice", text: "hello" } });
    expect(verify(aDelivery(secret, "届く", { webhookId: "msg_test_1" }))).toMatchObject({ isTest: true });
  });

  it("of bytes has no text", () => {
    const { payload } = verify(aDelivery(secret, "", { payload: { text: undefined } }));
    expect(payload.text).toBeUndefined();
  });

  it("is refused when another secret signed it, wholly or in part", () => {
    const forged = aDelivery(newSecret(), "hello");
    expect(() => verify(forged)).toThrow(DeliveryRefused);
    const { body, headers } = good();
    for (const name of ["momento-signature", "webhook-signature"] as const) {
      const mixed = { body, headers: { ...headers, [name]: forged.headers[name] } };
      expect(() => verify(mixed), name).toThrow(DeliveryRefused);
    }
  });

  it.each(["momento-signature", "webhook-id", "webhook-timestamp", "webhook-signature"] as const)(
    "is refused without %s",
    (name) => {
      const { body, headers } = good();
      const { [name]: _, ...others } = headers;
      expect(() => verify({ body, headers: others })).toThrow(DeliveryRefused);
    },
  );

  it("is refused when its body, its id or its time was changed on the way", () => {
    const { body, headers } = good();
    const changes = [
      { body: body.replace('"alice"', '"bob"'), headers },
      { body: `${body} `, headers },
      { body, headers: { ...headers, "webhook-id": "msg_AAAAAAAAAAAAAAAAAAAAAA_1_2" } },
      { body, headers: { ...headers, "webhook-timestamp": String(Number(headers["webhook-timestamp"]) + 1) } },
      { body, headers: { ...headers, "momento-signature": headers["momento-signature"].toUpperCase() } },
    ];
    for (const change of changes) expect(() => verify(change)).toThrow(DeliveryRefused);
  });

  it.each([-3_600_000, -301_000, -61_000, 61_000, 301_000])("is refused when its time is %d ms from ours", (offMs) => {
    expect(() => verify(aDelivery(secret, "hello", { atMs: Date.now() + offMs }))).toThrow(DeliveryRefused);
  });

  it.each([-55_000, 55_000])("is taken when its time is %d ms from ours", (offMs) => {
    expect(verify(aDelivery(secret, "hello", { atMs: Date.now() + offMs }))).toBeDefined();
  });

  it("says why it is refused without the secret and the body", () => {
    const forged = aDelivery(newSecret(), "my words");
    try {
      verify(forged);
    } catch (error) {
      expect(String(error)).not.toContain(secret.slice(6));
      expect(String(error)).not.toContain("my words");
    }
    expect.assertions(2);
  });
});
