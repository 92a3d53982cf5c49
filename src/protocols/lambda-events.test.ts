import { Buffer } from "node:buffer";
import { describe, expect, it } from "vitest";
import { errorOf, headerPairs, pairsOf, requestTime, toEventBody } from "./lambda-events.ts";

it("times are written as API Gateway writes them", () => {
  expect(requestTime(Date.UTC(2023, 0, 19, 21, 13, 26, 999))).toBe("19/Jan/2023:21:13:26 +0000");
  expect(requestTime(Date.UTC(2026, 11, 1, 2, 3, 4))).toBe("01/Dec/2026:02:03:04 +0000");
});

it("of several values of a name the last one counts, and all are there", () => {
  const { last, all } = pairsOf(new URLSearchParams("a=1&b=&a=2&__proto__=x"));
  expect(Object.entries(last)).toEqual([
    ["a", "2"],
    ["b", ""],
    ["__proto__", "x"],
  ]);
  expect(all.a).toEqual(["1", "2"]);
});

it("headers keep their spelling, and those that HTTP/2 has instead of a first line are none", () => {
  expect(headerPairs([":path", "/", "X-One", "1", "x-one", "2"])).toEqual([
    ["X-One", "1"],
    ["x-one", "2"],
  ]);
});

describe("a body", () => {
  const text = Buffer.from("é");

  it.each(["text/plain", "application/json; charset=utf-8", "application/problem+json", "application/xml", undefined])(
    "of type %s is a text",
    (type) => {
      expect(toEventBody(text, type)).toEqual({ body: "é", isBase64Encoded: false });
    },
  );

  it.each(["image/png", "application/octet-stream", "multipart/form-data; boundary=x", "application/jsonish"])(
    "of type %s is base64",
    (type) => {
      expect(toEventBody(text, type)).toEqual({ body: "w6k=", isBase64Encoded: true });
    },
  );

  it("that says that it is text and is no UTF-8 is base64", () => {
    expect(toEventBody(Buffer.from([0xff]), "text/plain")).toEqual({ body: "/w==", isBase64Encoded: true });
  });
});

it("what a handler says of its error is taken as far as it is text", () => {
  const failed = (payload: string) => errorOf({ kind: "error", isHandled: true, payload });
  expect(failed('{"errorType":"A","errorMessage":"b"}')).toEqual({ type: "A", message: "b" });
  for (const payload of ['{"errorType":5}', "null", "no JSON"])
    expect(failed(payload)).toEqual({ type: "", message: "" });
});
