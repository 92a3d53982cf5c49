import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Attributes } from "../attributes.ts";
import type { TopicItem } from "../topics/store.ts";
import { compileFilter, type FilterScope, parseFilter } from "./filter.ts";

function anItem(text: string, attributes?: Attributes): TopicItem {
  const value = { isText: true, bytes: Buffer.from(text) };
  return { page: 1, sequence: 1, value, attributes, tokenId: "", publishedAtMs: 0 };
}

function matches(policy: unknown, item: TopicItem, scope: FilterScope = "attributes"): boolean {
  return compileFilter(parseFilter(JSON.stringify(policy), scope))(item);
}

const text = (value: string) => ({ type: "String", value });
const number = (value: string) => ({ type: "Number", value });
const list = (values: unknown) => ({ type: "String.Array", value: JSON.stringify(values) });

describe("a filter of attributes", () => {
  const item = anItem("x", {
    source: text("apigw.route.publish"),
    price: number("210.75"),
    interests: list(["rugby", 7, null, true]),
    address: text("10.1.2.3"),
    raw: { type: "Binary", value: "YQ==" },
    empty: list([]),
  });

  it.each([
    [{ source: ["apigw.route.publish"] }, true],
    [{ source: ["apigw.route.send", "apigw.route.publish"] }, true],
    [{ source: ["apigw"] }, false],
    [{ source: [{ prefix: "apigw.route." }] }, true],
    [{ source: [{ prefix: "lambda." }] }, false],
    [{ source: [{ suffix: ".publish" }] }, true],
    [{ source: [{ "equals-ignore-case": "APIGW.route.PUBLISH" }] }, true],
    [{ source: [{ "anything-but": ["lambda"] }] }, true],
    [{ source: [{ "anything-but": "apigw.route.publish" }] }, false],
    [{ source: [{ "anything-but": { prefix: "apigw." } }] }, false],
    [{ source: [{ "anything-but": { suffix: ".send" } }] }, true],
    [{ missing: [{ "anything-but": "a" }] }, false],
    [{ missing: [{ exists: false }] }, true],
    [{ missing: [{ exists: true }] }, false],
    [{ source: [{ exists: true }] }, true],
    [{ source: [{ exists: false }] }, false],
    [{ raw: [{ exists: true }] }, false],
    [{ empty: [{ exists: true }] }, true],
    [{ empty: [{ "anything-but": "a" }] }, false],
    [{ price: [210.75] }, true],
    [{ price: ["210.75"] }, false],
    [{ price: [{ numeric: ["=", 210.75] }] }, true],
    [{ price: [{ numeric: [">", 0, "<=", 210.75] }] }, true],
    [{ price: [{ numeric: [">", 0, "<", 210.75] }] }, false],
    [{ price: [{ numeric: ["<", -5] }] }, false],
    [{ source: [{ numeric: [">", 0] }] }, false],
    [{ interests: ["rugby"] }, true],
    [{ interests: [7] }, true],
    [{ interests: [null] }, true],
    [{ interests: [false] }, false],
    [{ interests: [{ "anything-but": ["rugby"] }] }, true],
    [{ address: [{ cidr: "10.0.0.0/8" }] }, true],
    [{ address: [{ cidr: "192.168.0.0/16" }] }, false],
    [{ source: [{ cidr: "10.0.0.0/8" }] }, false],
    [{ source: [{ prefix: "apigw." }], price: [1] }, false],
    [{ $or: [{ source: ["x"] }, { price: [210.75] }] }, true],
    [{ address: ["10.1.2.3"], $or: [{ source: ["x"] }, { price: [1] }] }, false],
    [{ toString: [{ exists: true }] }, false],
    [{}, true],
  ])("%j: %j", (policy, expected) => {
    expect(matches(policy, item)).toBe(expected);
  });

  it("knows no attribute of an item without any", () => {
    expect(matches({ a: [{ exists: false }] }, anItem("x"))).toBe(true);
    expect(matches({ a: ["x"] }, anItem("x"))).toBe(false);
  });

  it("takes a number that is none, and an array that is none, for missing", () => {
    const odd = anItem("x", {
      price: number("many"),
      blank: number(" "),
      interests: { type: "String.Array", value: "{" },
    });
    for (const name of ["price", "blank", "interests"])
      expect(matches({ [name]: [{ exists: false }] }, odd)).toBe(true);
  });
});

describe("a filter of the body", () => {
  const item = anItem(
    JSON.stringify({
      store: "example",
      order: {
        price: 5,
        tags: ["a", ["b"]],
        lines: [
          { kind: "x", count: 1 },
          { kind: "y", count: 2 },
        ],
      },
      nothing: null,
    }),
  );

  it.each([
    [{ store: ["example"] }, true],
    [{ order: { price: [{ numeric: [">=", 5] }] } }, true],
    [{ order: { tags: ["b"] } }, true],
    [{ order: { tags: ["c"] } }, false],
    [{ order: { lines: { kind: ["x"], count: [1] } } }, true],
    // Both stand there, but not in one of them.
    [{ order: { lines: { kind: ["x"], count: [2] } } }, false],
    [{ order: [{ exists: true }] }, false],
    [{ order: { missing: { deep: [{ exists: false }] } } }, true],
    [{ store: { deep: [{ exists: true }] } }, false],
    [{ nothing: [null] }, true],
    [{ nothing: [{ "anything-but": "a" }] }, true],
    [{ order: { $or: [{ price: [1] }, { tags: ["a"] }] } }, true],
  ])("%j: %j", (policy, expected) => {
    expect(matches(policy, item, "body")).toBe(expected);
  });

  it("matches nothing that is no JSON object", () => {
    for (const body of ["x", "1", '"store"', "{", "null"]) {
      expect(matches({ store: [{ exists: false }] }, anItem(body), "body")).toBe(false);
    }
    const bytes = { ...anItem("{}"), value: { isText: false, bytes: Buffer.from("{}") } };
    expect(matches({ a: [{ exists: false }] }, bytes, "body")).toBe(false);
  });

  it("is asked about a text of 100,000 levels", () => {
    const deep = anItem(`{"a":${"[".repeat(100_000)}"x"${"]".repeat(100_000)}}`);
    expect(matches({ a: ["x"] }, deep, "body")).toBe(true);
    expect(matches({ a: { b: ["x"] } }, deep, "body")).toBe(false);
  });
});

describe("a filter of a large list", () => {
  it("asks for all networks at once, and reads the list once for all alternatives", () => {
    const values = Array.from({ length: 20_000 }, (_, n) => `1.1.${n >> 8}.${n & 255}`);
    const item = anItem(JSON.stringify({ a: values }));
    const networks = Array.from({ length: 150 }, (_, n) => ({ cidr: `10.${n}.0.0/16` }));
    const startMs = performance.now();
    expect(matches({ a: networks }, item, "body")).toBe(false);
    expect(matches({ $or: Array.from({ length: 150 }, (_, n) => ({ a: [`v${n}`] })) }, item, "body")).toBe(false);
    // Network by network it takes 3 s.
    expect(performance.now() - startMs).toBeLessThan(1000);
    expect(matches({ a: [...networks.slice(0, 140), { cidr: "1.1.3.0/24" }, { prefix: "9" }] }, item, "body")).toBe(
      true,
    );
    expect(matches({ a: [{ cidr: "10.0.0.0/8" }, { prefix: "1.1." }] }, item, "body")).toBe(true);
  });
});

describe("a policy that is refused", () => {
  it.each([
    ["[]", "must be a JSON object"],
    ["{", "must be a JSON object"],
    ['{"a":"x"}', '"a" must be a list or an object'],
    ['{"a":[]}', '"a" must not be an empty list'],
    ['{"a":{"b":["x"]}}', '"a" must be a list: objects are for the filter policy scope MessageBody'],
    ['{"a":[{"wildcard":"*"}]}', '"a" has the operator "wildcard"'],
    ['{"a":[["x"]]}', '"a" must list strings'],
    ['{"a":[{"prefix":"a","suffix":"b"}]}', '"a" must list strings'],
    ['{"a":[{"prefix":""}]}', "has a prefix that is no text"],
    ['{"a":[{"prefix":1}]}', "has a prefix that is no text"],
    ['{"a":[{"exists":"true"}]}', "has an exists that is neither true nor false"],
    ['{"a":[{"numeric":["=","1"]}]}', "has a numeric whose bound is no number"],
    ['{"a":[{"numeric":["=",1000000001]}]}', "has a numeric whose bound is no number"],
    ['{"a":[{"numeric":["~",1]}]}', "has a numeric whose comparison is none of"],
    ['{"a":[{"numeric":["<",1,">",0]}]}', "has a numeric range"],
    ['{"a":[{"numeric":[">",5,"<",5]}]}', "has a numeric range"],
    ['{"a":[{"cidr":"10.0.0.0/99"}]}', "has a cidr"],
    ['{"a":[{"anything-but":[true]}]}', "has an anything-but"],
    // Kept as JSON they would be null: another filter, or one that no later start could read.
    ['{"a":[1e999]}', '"a" must list strings'],
    ['{"a":[{"anything-but":[-1e999]}]}', "has an anything-but"],
    ['{"a":[{"anything-but":1e999}]}', "has an anything-but"],
    ['{"a":[{"anything-but":{"numeric":["=",1]}}]}', "has an anything-but with an operator"],
    ['{"$or":[{"a":["x"]}]}', '"$or" must be a list of two policies or more'],
    ['{"$or":[{"a":["x"]},"b"]}', '"$or[1]" must be an object'],
    ['{"__proto__":["x"]}', '"__proto__" is a name that no filter may have'],
  ])("%s", (policy, message) => {
    expect(() => parseFilter(policy, "attributes")).toThrow(
      expect.objectContaining({
        code: "invalid_argument",
        subject: "filter_policy",
        message: expect.stringContaining(message),
      }),
    );
  });

  it("names the place of what stands deep in it", () => {
    expect(() => parseFilter('{"a":{"b":{"c":[{"no":1}]}}}', "body")).toThrow(/"a\.b\.c" has the operator "no"/);
    expect(() => parseFilter('{"a":{"b":{}}}', "body")).toThrow(/"a\.b" must not be an empty object/);
  });

  it("has too many keys, too many combinations, or too many bytes", () => {
    const ones = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, ["x"]]));
    const values = (count: number) => Array.from({ length: count }, (_, n) => `v${n}`);
    const exceeded = (message: RegExp) =>
      expect.objectContaining({
        code: "limit_exceeded",
        subject: "filter_policy",
        message: expect.stringMatching(message),
      });
    const check = (policy: unknown, scope: FilterScope = "attributes") => parseFilter(JSON.stringify(policy), scope);

    check(ones(5));
    expect(() => check(ones(6))).toThrow(exceeded(/has 6 keys; must be <= 5/));
    check({ a: values(15), b: values(10) });
    expect(() => check({ a: values(16), b: values(10) })).toThrow(
      exceeded(/has 160 combinations of values; must be <= 150/),
    );
    // A value counts as often as it is deep: SNS's own example has 4 x 4 and 3 x 3.
    check({ a: { b: { c: { d: values(4) } }, e: { f: values(3) } } }, "body");
    expect(() => check({ a: { b: { c: { d: values(4) } }, e: { f: values(4) } } }, "body")).toThrow(exceeded(/192/));
    // Of alternatives one is chosen.
    check({ $or: [{ a: values(50) }, { b: values(25) }] });
    expect(() => check({ a: [{ prefix: "x".repeat(256 * 1024) }] })).toThrow(exceeded(/bytes; must be <= 262144/));
  });

  it("is refused for its levels of alternatives too", () => {
    const deep = `${'{"$or":[{"a":["x"]},'.repeat(10_000)}{"b":["x"]}${"]}".repeat(10_000)}`;
    expect(() => parseFilter(deep, "attributes")).toThrow(/more than 150 levels deep/);
  });

  it("is refused for its depth before anything follows it down", () => {
    const deep = `${'{"a":'.repeat(20_000)}["x"]${"}".repeat(20_000)}`;
    expect(() => parseFilter(deep, "body")).toThrow(/more than 150 levels deep/);
  });
});

describe("law", () => {
  const key = fc.constantFrom("a", "b", "c");
  const literal = fc.oneof(
    fc.constantFrom("x", "xy", "yx", "X", ""),
    fc.integer({ min: -3, max: 3 }),
    fc.constantFrom(true, null),
  );
  const affix = fc.constantFrom("x", "y", "xy");
  const condition = fc.oneof(
    literal,
    fc.record({ prefix: affix }),
    fc.record({ suffix: affix }),
    fc.record({ "equals-ignore-case": affix }),
    fc.record({ exists: fc.boolean() }),
    fc.record({ "anything-but": fc.oneof(affix, fc.array(fc.constantFrom("x", 1), { minLength: 1 })) }),
    fc.record({ "anything-but": fc.record({ prefix: affix }) }),
    fc
      .tuple(fc.constantFrom("=", "<", "<=", ">", ">="), fc.integer({ min: -3, max: 3 }))
      .map((numeric) => ({ numeric })),
  );
  const flat = fc.dictionary(key, fc.array(condition, { minLength: 1, maxLength: 2 }), { minKeys: 1, maxKeys: 3 });
  const policy = fc.oneof(
    flat,
    fc.tuple(flat, flat, flat).map(([one, two, three]) => ({ ...one, $or: [two, three] })),
    // Few keys, for what is deeper counts more.
    fc
      .tuple(flat, flat)
      .map(([one, { c, ...two }]) => ({ ...one, c: Object.keys(two).length > 0 ? two : { c } }))
      .filter(({ c }) => !("c" in c) || c.c !== undefined),
  );
  const leaf = fc.oneof(literal, fc.array(literal, { maxLength: 3 }));
  const body = fc.dictionary(key, fc.oneof(leaf, fc.dictionary(key, leaf)), { maxKeys: 3 });

  it("says of a body what a naive evaluation of the policy says", () => {
    fc.assert(
      fc.property(policy, body, (one, values) => {
        expect(matches(one, anItem(JSON.stringify(values)), "body")).toBe(naive(one, values));
      }),
      { numRuns: 2000 },
    );
  });

  it("says of attributes what it says of a body with the same values", () => {
    const attribute = (value: unknown) => {
      if (Array.isArray(value)) return list(value);
      return typeof value === "number" ? number(String(value)) : text(String(value));
    };
    const plain = fc.dictionary(
      key,
      fc.oneof(fc.constantFrom("x", "xy", "X"), fc.integer({ min: -3, max: 3 }), fc.array(literal)),
    );
    fc.assert(
      fc.property(flat, plain, (one, values) => {
        const attributes = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, attribute(value)]));
        expect(matches(one, anItem("t", attributes))).toBe(matches(one, anItem(JSON.stringify(values)), "body"));
      }),
      { numRuns: 1000 },
    );
  });
});

/** As the rules read, without a thought for speed. */
function naive(policy: Record<string, unknown>, values: Record<string, unknown>): boolean {
  return Object.entries(policy).every(([name, wanted]) => {
    if (name === "$or") return (wanted as Record<string, unknown>[]).some((one) => naive(one, values));
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (Array.isArray(wanted)) return wanted.some((one) => naiveCondition(one, value));
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return naive(wanted as Record<string, unknown>, isObject ? (value as Record<string, unknown>) : {});
  });
}

function naiveCondition(condition: unknown, value: unknown): boolean {
  const isThere = value !== undefined && (value === null || Array.isArray(value) || typeof value !== "object");
  if (typeof condition === "object" && condition !== null && "exists" in condition) return condition.exists === isThere;
  const all = Array.isArray(value) ? value : isThere ? [value] : [];
  return all.some((one) => naiveTest(condition, one));
}

function naiveTest(condition: unknown, value: unknown): boolean {
  if (typeof condition !== "object" || condition === null) return condition === value;
  const [[operator, operand] = ["", undefined]] = Object.entries(condition);
  const string = typeof value === "string" ? value : undefined;
  if (operator === "prefix") return string?.startsWith(operand) === true;
  if (operator === "suffix") return string?.endsWith(operand) === true;
  if (operator === "equals-ignore-case") return string?.toLowerCase() === operand.toLowerCase();
  if (operator === "anything-but" && typeof operand === "object" && !Array.isArray(operand))
    return !naiveTest(operand, value);
  if (operator === "anything-but") return ![operand].flat().includes(value);
  const [comparison, bound] = operand;
  if (typeof value !== "number") return false;
  const isLess = value < bound && comparison.startsWith("<");
  return isLess || (value > bound && comparison.startsWith(">")) || (value === bound && comparison.endsWith("="));
}
