import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { redactUrl } from "./redact-url.ts";

describe("redactUrl", () => {
  it.each([
    ["/v1/topics/c/t?after=1-2&ticket=hush", "/v1/topics/c/t?after=1-2&ticket=REDACTED"],
    ["/v1?ticket=hush&after=1-2#end", "/v1?ticket=REDACTED&after=1-2#end"],
    ["/v1?Token=hush&ACCESS_TOKEN=hush&id_token=hush", "/v1?Token=REDACTED&ACCESS_TOKEN=REDACTED&id_token=REDACTED"],
    ["/v1?authorization=Bearer+hush&api_key=hush", "/v1?authorization=REDACTED&api_key=REDACTED"],
    ["/v1?apiKey=hush&key=hush&signature=hush", "/v1?apiKey=REDACTED&key=REDACTED&signature=REDACTED"],
    ["/q?X-Amz-Signature=hush&x-amz-date=1", "/q?X-Amz-Signature=REDACTED&x-amz-date=1"],
    [
      "/q?X-Amz-Credential=a%2Fb&X-Amz-Security-Token=c==",
      "/q?X-Amz-Credential=REDACTED&X-Amz-Security-Token=REDACTED",
    ],
    ["/v1?tick%65t=hush", "/v1?tick%65t=REDACTED"],
    ["/v1?+ticket=hush", "/v1?+ticket=REDACTED"],
    ["/v1?a=1;ticket=hush", "/v1?a=1;ticket=REDACTED"],
    ["/v1?ticket=hush;more?more#end", "/v1?ticket=REDACTED#end"],
    ["/v1?to=/v2?ticket=hush", "/v1?to=/v2?ticket=REDACTED"],
    ["/cb#access_token=hush&state=1", "/cb#access_token=REDACTED&state=1"],
    ["https://user:hush@host:1/p?q=1", "https://REDACTED@host:1/p?q=1"],
    ["https://user:hu@sh@host/", "https://REDACTED@host/"],
    ["//user:hush@host/", "//REDACTED@host/"],
    ["HTTP:\\\\user:hush@host/", "HTTP:\\\\REDACTED@host/"],
    // Pasted where an id or a name is wanted.
    ["/v1/keys/tdk_dev-0123456789abcdef_hush-hush", "/v1/keys/REDACTED"],
    ["/v1/webhooks/c/whsec_hush+hush%2Fhush=", "/v1/webhooks/c/REDACTED"],
    ["/v1/keys/eyJhbGciOiJIUzI1NiJ9.eyJ0IjoiZyJ9.hush_hush/x?a=1", "/v1/keys/REDACTED/x?a=1"],
    ["/cache/eyJlbmRwb2ludCI6ImxvY2FsaG9zdCJ9%2Bhush%3D%3D?key=a", "/cache/REDACTED?key=REDACTED"],
    ["/v1/secrets/tdr_hush?name=todoku_dev_hush", "/v1/secrets/REDACTED?name=REDACTED"],
  ])("hides what is secret in %s", (url, expected) => {
    expect(redactUrl(url)).toBe(expected);
  });

  it.each([
    "",
    "/",
    "?",
    "%%%?%=%",
    "/a@b?c=d@e",
    "/v1?tickets=5&tokenId=alice&monkey=1",
    "/v1?ticket",
    "no address at all",
  ])("leaves %j as it is", (url) => {
    expect(redactUrl(url)).toBe(url);
  });

  it("takes any text, hides a ticket wherever it stands in the query, and changes nothing when it is applied again", () => {
    const text = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(
        text,
        fc.string({ unit: fc.constantFrom("a", "b", "=", "&", ";", "%", "+", "?", "/") }),
        (path, query) => {
          const url = `${path}?${query}&ticket=hush-hush`;
          expect(redactUrl(url)).not.toContain("hush-hush");
          expect(redactUrl(redactUrl(url))).toBe(redactUrl(url));
          expect(() => redactUrl(path)).not.toThrow();
        },
      ),
    );
  });
});
