import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../limits.ts";
import { readRequest, toRequest } from "./request.ts";

const lenient = { strictAudience: false };
const read = (request: object) => readRequest(JSON.stringify(request), lenient);
const userId = fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" }).filter((text) => text.length <= 128);
const users = fc.option(fc.array(userId, { maxLength: 20 }), { nil: null });

/** What is thrown, as a text. */
function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code}: ${message}`;
  }
  return "no error";
}

describe("a notification request", () => {
  it("reaches the set of its users if it names any, else everybody but the excluded, whatever else is in it", () => {
    const request = fc.record(
      { users, exclude_users: users, data: fc.jsonValue(), note: fc.string() },
      { requiredKeys: ["data"] },
    );
    fc.assert(
      fc.property(request, (sent) => {
        const { audience, text } = read(sent);
        const isNamed = (sent.users ?? []).length > 0;
        const expected = isNamed ? { users: new Set(sent.users) } : { except: new Set(sent.exclude_users ?? []) };
        expect(audience).toEqual(expected);
        expect(text).toBe(JSON.stringify(sent.data));
      }),
    );
  });

  it("is either understood or refused in our own words, whatever the text", () => {
    const anything = fc.oneof(fc.json(), fc.string());
    const fields = fc.record({
      users: fc.jsonValue(),
      exclude_users: fc.jsonValue(),
      data: fc.jsonValue(),
      id: fc.jsonValue(),
    });
    fc.assert(
      fc.property(
        fc.oneof(
          anything,
          fields.map((value) => JSON.stringify(value)),
        ),
        (text) => {
          expect(refusal(() => readRequest(text, lenient))).toMatch(/^(no error|invalid_argument: .+)$/);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("has its id in the frame, as text that reads as the same data", () => {
    const data = fc.dictionary(
      fc.string().filter((name) => name !== "id"),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(data, fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" }), (value, id) => {
        const request = read({ data: value, id });
        expect(JSON.parse(request.text)).toEqual(JSON.parse(JSON.stringify({ ...value, id })));
        expect(JSON.parse(request.data)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("leaves an id that data has itself alone, and puts none beside what is no object", () => {
    expect(read({ data: { id: 7, a: 1 }, id: "n-1" }).text).toBe('{"id":7,"a":1}');
    for (const data of [null, 1, "text", [1]]) {
      expect(refusal(() => read({ data, id: "n-1" }))).toMatch(/^invalid_argument: id needs data that is an object/);
    }
  });

  it("takes null for a field that is missing, but for data", () => {
    const { audience, text, id } = read({ users: null, exclude_users: null, id: null, data: null });
    expect([audience, text, id]).toEqual([{ except: new Set() }, "null", undefined]);
  });

  it.each([
    ["no JSON", "{", "the request is not JSON"],
    ["a list", "[]", "the request must be a JSON object"],
    ["null", "null", "the request must be a JSON object"],
    ["no data", '{"users":["a"]}', "data is missing"],
    ["data of the prototype", '{"__proto__":{"data":1}}', "data is missing"],
    ["users that are a text", '{"users":"a","data":1}', "users must be a list"],
    ["a user that is a number", '{"users":["a",7],"data":1}', "users.1 must be a user id"],
    ["a user without a name", '{"exclude_users":[""],"data":1}', "exclude_users.0 must be a user id"],
    ["a user that is no Unicode", '{"users":["\\ud800"],"data":1}', "users.0 must be a user id"],
    [
      "a long user",
      JSON.stringify({ users: ["a".repeat(129)], data: 1 }),
      "users.0 must be a user id: a text of 1 to 128",
    ],
    ["a long id", JSON.stringify({ id: "a".repeat(129), data: {} }), "id must be a text of 1 to 128"],
    [
      "too many users",
      JSON.stringify({ users: Array(10_001).fill("a"), data: 1 }),
      "has 10001 user ids; must be <= 10000",
    ],
    ["depth", `{"data":${"[".repeat(50_000)}${"]".repeat(50_000)}}`, "data is nested too deeply"],
  ])("is refused with %s, and says what is wrong", (_what, text, message) => {
    expect(refusal(() => readRequest(text, lenient))).toContain(`invalid_argument: `);
    expect(refusal(() => readRequest(text, lenient))).toContain(message);
  });

  it("takes no empty list of users for everybody where the operator says so", () => {
    expect(refusal(() => toRequest({ users: [], data: 1 }, { strictAudience: true }))).toMatch(
      /users is an empty list/,
    );
    expect(toRequest({ users: [], data: 1 }, lenient).audience).toEqual({ except: new Set() });
    expect(toRequest({ data: 1 }, { strictAudience: true }).audience).toEqual({ except: new Set() });
  });

  it("may be as large as a socket takes, and not a byte more", () => {
    const room = limits.gateway.messageMaxBytes - 2;
    expect(read({ data: "a".repeat(room) }).text.length).toBe(limits.gateway.messageMaxBytes);
    expect(refusal(() => read({ data: "a".repeat(room + 1) }))).toBe(
      "limit_exceeded: request limit: data has 131073 bytes as a frame; must be <= 131072",
    );
    expect(refusal(() => read({ data: "ü".repeat(room / 2 + 1) }))).toMatch(/has 131074 bytes as a frame/);
  });
});
