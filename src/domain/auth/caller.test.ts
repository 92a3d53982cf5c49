import { expect, it } from "vitest";
import type { TodokuError } from "../errors.ts";
import { toCaller } from "./caller.ts";
import { checkOpenAccess } from "./open-access.ts";

const refusalOf = (headers: Record<string, string>, peer = "127.0.0.1") => {
  try {
    checkOpenAccess(toCaller(peer, { host: "localhost", ...headers }), []);
    return undefined;
  } catch (error) {
    return (error as TodokuError).message;
  }
};

it.each([
  { "x-forwarded-for": "203.0.113.9" },
  { "x-forwarded-for": "" },
  { "x-real-ip": "203.0.113.9" },
  { forwarded: "for=203.0.113.9;proto=https" },
  { forwarded: 'for=127.0.0.1, For="[2001:db8::1]:4711"' },
  { forwarded: "for=_hidden" },
  { forwarded: "by=10.0.0.1" },
  { "x-forwarded-for": "127.0.0.1", "x-real-ip": "203.0.113.9" },
])(
  "a proxy on this machine lets nobody use the empty credential, in whatever header it says for whom it speaks: %j",
  (headers) => {
    expect(refusalOf(headers)).toContain("a proxy forwards it for another machine");
  },
);

it.each([
  {},
  { "x-forwarded-for": "127.0.0.1, ::1" },
  { "x-real-ip": "::1" },
  { forwarded: 'for="[::1]:80", for=127.0.0.1' },
])("a development proxy that speaks for this machine is let through: %j", (headers) => {
  expect(refusalOf(headers)).toBeUndefined();
});

it("no header makes another machine this one", () => {
  const headers = { forwarded: "for=127.0.0.1", "x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1" };
  expect(refusalOf(headers, "203.0.113.9")).toContain("it came from another machine");
});
