import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { MasterKey, newMasterKeyText, parseMasterKey } from "./master-key.ts";

const bytes = randomBytes(32);
const key = new MasterKey(bytes);

describe("a master key", () => {
  it.each([
    ["hex", bytes.toString("hex")],
    ["hex in capitals, with a line break", `${bytes.toString("hex").toUpperCase()}\n`],
    ["base64", bytes.toString("base64")],
    ["base64url", bytes.toString("base64url")],
  ])("is read from %s", (_form, text) => {
    expect(parseMasterKey(text, "here").id).toBe(key.id);
  });

  it("is made at random, in a form that is read", () => {
    const [one, two] = [newMasterKeyText(), newMasterKeyText()];
    expect(parseMasterKey(one, "here").id).not.toBe(parseMasterKey(two, "here").id);
  });

  it.each([
    ["", "has 0 bytes; must be 32"],
    [randomBytes(31).toString("hex"), "has 31 bytes; must be 32"],
    [randomBytes(33).toString("base64url"), "has 33 bytes; must be 32"],
    [randomBytes(64).toString("hex"), "has 64 bytes; must be 32"],
    ["correct horse battery staple", "is neither hex nor base64"],
    [`${"A".repeat(42)}B`, "is neither hex nor base64"], // bits past the end of the 32 bytes
    ["00".repeat(32), "is not random"],
    ["0123456789abcdef".repeat(4), "is not random"],
    ["changeme", "has 6 bytes; must be 32"],
  ])("is not read from %j, and the refusal says where it was, not what", (text, problem) => {
    const read = () => parseMasterKey(text, "/etc/todoku/master.key");
    expect(read).toThrow(`the master key in /etc/todoku/master.key ${problem}`);
    if (text !== "") expect(read).not.toThrow(text);
  });

  it("shows its id, which is the same everywhere, and never its bytes", () => {
    expect(key.id).toMatch(/^[0-9a-f]{8}$/);
    expect(new MasterKey(Buffer.from(bytes)).id).toBe(key.id);
    for (const shown of [JSON.stringify(key), inspect(key, { showHidden: true, depth: 5 }), String(key)]) {
      for (const form of ["hex", "base64", "base64url"] as const) expect(shown).not.toContain(bytes.toString(form));
      expect(shown).not.toContain(`${bytes[0]}, ${bytes[1]}`);
    }
  });

  it("unwraps what it wrapped, for that environment only", () => {
    const dataKey = randomBytes(32);
    const wrapped = key.wrap("dev", dataKey);
    expect(key.unwrap("dev", wrapped)?.equals(dataKey)).toBe(true);
    expect(key.unwrap("prod", wrapped)).toBeUndefined();
    expect(new MasterKey(randomBytes(32)).unwrap("dev", wrapped)).toBeUndefined();
  });

  it("is not changed by who gave its bytes", () => {
    const given = Buffer.from(bytes);
    const copy = new MasterKey(given);
    given.fill(0);
    expect(key.unwrap("dev", copy.wrap("dev", bytes))?.equals(bytes)).toBe(true);
  });
});
