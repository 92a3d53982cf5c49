import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Masks } from "./masks.ts";

describe("masks", () => {
  it("take a secret out wherever it stands: alone, within JSON, and line by line", () => {
    const pem = "-----BEGIN-----\nMIIEvQIBADAN\n-----END-----";
    const masks = new Masks(["s3cret!", 'quo"ted\\secret', pem]);
    expect(masks.apply("a s3cret! and s3cret!")).toBe("a *** and ***");
    expect(masks.apply(JSON.stringify({ password: 'quo"ted\\secret' }))).toBe('{"password":"***"}');
    expect(masks.apply("MIIEvQIBADAN")).toBe("***");
  });

  it("leave short values alone, which stand in every text by chance", () => {
    expect(new Masks(["", "a", "12345"]).apply("a 12345")).toBe("a 12345");
  });

  it("take out the longer of two secrets of which one holds the other", () => {
    expect(new Masks(["secret", "secret-of-two"]).apply("secret-of-two, secret")).toBe("***, ***");
  });

  it("take out what a secret begins with where a line was cut", () => {
    const masks = new Masks(["correct-horse"]);
    expect(masks.apply("it is corr", true)).toBe("it is ***");
    expect(masks.apply("it is corr")).toBe("it is corr");
  });

  it("give no JSON where taking a secret out would break it", () => {
    const masks = new Masks(["1234567"]);
    expect(masks.applyToJson('{"errorMessage":"is 1234567"}')).toBe('{"errorMessage":"is ***"}');
    expect(masks.applyToJson('{"code":1234567}')).toBeUndefined();
  });

  it("leave no secret in any text that was put together with it", () => {
    const secret = fc.string({ minLength: 6, unit: "grapheme-ascii" }).filter((text) => !text.includes("*"));
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (value, before, after) => {
        expect(new Masks([value]).apply(before + value + after)).not.toContain(value);
      }),
    );
  });
});
