import { describe, expect, it } from "vitest";
import { md5OfAttributes, md5OfBody } from "./aws-md5.ts";

describe("the digests of AWS", () => {
  it("of a body is the MD5 of its UTF-8", () => {
    expect(md5OfBody("")).toBe("d41d8cd98f00b204e9800998ecf8427e");
    expect(md5OfBody("届く")).toBe("e7dab279bb9ea00923c67c860e5646d9");
  });

  it("of attributes is the one that AWS's SDKs work out, whatever their order", () => {
    const text = (value: string) => ({ type: "String", value });
    const known = "fbed7c956cc07b661437121df3f9ce16";
    const timestamp = { type: "Number", value: "1" };
    expect(md5OfAttributes({ source: text("s"), timestamp, user_id: text("u-1") })).toBe(known);
    expect(md5OfAttributes({ user_id: text("u-1"), source: text("s"), timestamp })).toBe(known);
  });

  it("of no attributes is absent", () => {
    expect(md5OfAttributes({})).toBeUndefined();
    expect(md5OfAttributes(undefined)).toBeUndefined();
  });
});
