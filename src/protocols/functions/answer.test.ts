import { describe, expect, it } from "vitest";
import { WrongAnswer } from "../lambda-events.ts";
import { readProxyAnswer, readUrlAnswer } from "./answer.ts";

const json = { "content-type": "application/json" };
const shown = ({ status, headers, body }: ReturnType<typeof readUrlAnswer>) => [status, headers, body.toString()];

describe("the answer of a function URL", () => {
  it.each([
    [{ hello: 1 }, '{"hello":1}'],
    ["hello", "hello"],
    [[1], "[1]"],
    [null, "null"],
  ])("%j without a statusCode is itself the body", (value, body) => {
    expect(shown(readUrlAnswer(value))).toEqual([200, json, body]);
  });

  it("has status, headers, cookies and bytes of its own", () => {
    const answer = readUrlAnswer({
      ...{ statusCode: 201, headers: { "Content-Type": "image/png", "X-Count": 5 }, cookies: ["a=1", "b=2"] },
      ...{ body: "AAH/", isBase64Encoded: true },
    });
    expect(answer.headers).toEqual({ "content-type": "image/png", "x-count": "5", "set-cookie": ["a=1", "b=2"] });
    expect([answer.status, [...answer.body]]).toEqual([201, [0, 1, 255]]);
  });
});

describe("the answer of a REST API", () => {
  it("may have an empty body", () => {
    expect(shown(readProxyAnswer({ statusCode: 202 }))).toEqual([202, json, ""]);
    expect(shown(readProxyAnswer({ statusCode: "202", body: null, headers: null }))).toEqual([202, json, ""]);
  });

  it("may say a header twice", () => {
    const multiValueHeaders = { "Set-Cookie": ["a=1", "b=2"] };
    expect(readProxyAnswer({ statusCode: 200, multiValueHeaders }).headers).toEqual({
      ...json,
      "set-cookie": ["a=1", "b=2"],
    });
  });

  it("says nothing of the line that it leaves by", () => {
    const headers = {
      Connection: "close",
      "Transfer-Encoding": "chunked",
      "Content-Length": "5",
      Upgrade: "x",
      A: "b",
    };
    expect(readProxyAnswer({ statusCode: 200, headers }).headers).toEqual({ ...json, a: "b" });
  });

  it.each([
    ["is null", null],
    ["is a text", "hello"],
    ["has no statusCode", { body: "x" }],
    ["has a statusCode that is none", { statusCode: 99 }],
    ["has a statusCode of an answer that is not the last", { statusCode: 101 }],
    ["has a body that is no text", { statusCode: 200, body: {} }],
    ["has headers that are none", { statusCode: 200, headers: ["a"] }],
    ["has a header that is an object", { statusCode: 200, headers: { a: {} } }],
    ["has a header's name that is none", { statusCode: 200, headers: { "a b": "c" } }],
    ["has a header with a line break", { statusCode: 200, headers: { a: "b\r\nc: d" } }],
    ["has a list of headers that is none", { statusCode: 200, multiValueHeaders: { a: "b" } }],
  ])("is none when it %s", (_, value) => {
    expect(() => readProxyAnswer(value)).toThrow(WrongAnswer);
  });
});
