import fc from "fast-check";
import { expect, it } from "vitest";
import { isLoopbackAddress, isLoopbackOrigin, isLoopbackUri } from "./loopback.ts";

it("takes any port and path of this machine", () => {
  const port = fc.integer({ min: 81, max: 65_535 });
  const path = fc.array(fc.stringMatching(/^[\w-]+$/)).map((parts) => parts.map((part) => `/${part}`).join(""));
  fc.assert(
    fc.property(fc.constantFrom("127.0.0.1", "localhost"), port, path, (host, number, rest) => {
      expect(isLoopbackUri(`http://${host}:${number}${rest}`)).toBe(true);
      expect(isLoopbackOrigin(`http://${host}:${number}`)).toBe(true);
    }),
  );
});

it.each([
  "",
  "localhost:5173",
  "https://localhost/",
  "https://evil.example/",
  "http://localhost.evil.example/",
  "http://127.0.0.1.evil.example/",
  "http://evil.example/?http://localhost/",
  "http://localhost@evil.example/",
  "http://evil.example@localhost/",
  "http://localhost\\@evil.example/",
  "http:localhost/",
  "http:///localhost/",
  "HTTP://localhost/",
  "http://2130706433/",
  "http://127.1/",
  "http://0.0.0.0/",
  "http://localhost./",
  "http://localhost/#x",
  "http://localhost/#",
  "http://local\nhost/",
  " http://localhost/",
  "http://localhost/ ",
  "javascript:alert(1)//http://localhost/",
])("refuses %j as a place to lead somebody to", (uri) => {
  expect(isLoopbackUri(uri)).toBe(false);
});

it("agrees with the parser of browsers about every address that it takes", () => {
  const piece = fc.constantFrom(
    "http:",
    "//",
    "/",
    "localhost",
    "127.0.0.1",
    "@",
    ":",
    "80",
    "evil",
    ".",
    "\\",
    "#",
    "?",
    "%40",
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 10 }).map((pieces) => pieces.join("")),
      (text) => {
        if (!isLoopbackUri(text)) return;
        const { origin, hostname, hash } = new URL(text);
        expect(["127.0.0.1", "localhost"]).toContain(hostname);
        expect([text.startsWith(origin), hash]).toEqual([true, ""]);
      },
    ),
  );
});

it("knows the addresses of this machine's own sockets", () => {
  expect(["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"].every(isLoopbackAddress)).toBe(true);
  expect([undefined, "", "10.0.0.1", "::ffff:10.0.0.1", "::", "1270.0.0.1"].some(isLoopbackAddress)).toBe(false);
});
