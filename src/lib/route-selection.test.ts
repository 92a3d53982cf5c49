import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRouteSelection } from "./route-selection.ts";

const select = (expression: string, frame: unknown) =>
  parseRouteSelection(expression)?.select(frame as Record<string, unknown>);

describe("a route selection expression", () => {
  it.each([
    ["$request.body.action", { action: "send" }, "send"],
    ["${request.body.action}", { action: "send" }, "send"],
    ["$request.body.a.b", { a: { b: "deep" } }, "deep"],
    ["${request.body.a.b}", { a: { b: "deep" } }, "deep"],
    ["$request.body.service/$request.body.action", { service: "chat", action: "send" }, "chat/send"],
    ["${request.body.service}.${request.body.action}", { service: "chat", action: "send" }, "chat.send"],
    ["v1-$request.body.action", { action: "send" }, "v1-send"],
    ["\\$default", {}, "$default"],
    ["$request.body.action", { action: "" }, ""],
  ])("%s of %j gives %j", (expression, frame, key) => {
    expect(select(expression, frame)).toBe(key);
  });

  it.each([
    ["$request.body.action", {}],
    ["$request.body.action", { action: 5 }],
    ["$request.body.action", { action: null }],
    ["$request.body.action", { action: ["send"] }],
    ["$request.body.a.b", { a: null }],
    ["$request.body.a.b", { a: "text" }],
    ["$request.body.a $request.body.b", { a: "only" }],
  ])("%s of %j gives nothing", (expression, frame) => {
    expect(select(expression, frame)).toBeUndefined();
  });

  it("passes over what every object inherits", () => {
    expect(select("$request.body.constructor.name", {})).toBeUndefined();
    expect(select("$request.body.toString.name", {})).toBeUndefined();
    expect(select("$request.body.__proto__.a", JSON.parse('{"__proto__":{"a":"own"}}'))).toBe("own");
  });

  it("knows when everything is the default's", () => {
    expect(parseRouteSelection("\\$default")?.isAlwaysDefault).toBe(true);
    expect(parseRouteSelection("$request.body.action")?.isAlwaysDefault).toBe(false);
  });

  it.each([
    "",
    "$",
    "$default",
    "$request.header.action",
    "${request.body}",
    "${request.body.a",
    "$request.body.",
    "a\\b",
  ])("%j is none", (expression) => {
    expect(parseRouteSelection(expression)).toBeUndefined();
  });

  it("finds the text at any path", () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/);
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 5 }), fc.string(), (path, text) => {
        const frame = path.reduceRight<unknown>((value, key) => Object.fromEntries([[key, value]]), text);
        expect(select(`$request.body.${path.join(".")}`, frame)).toBe(text);
        expect(select(`\${request.body.${path.join(".")}}`, frame)).toBe(text);
      }),
    );
  });
});
