import { expect, it } from "vitest";
import { takeServerFrame } from "../../../test/support/raw-websocket.ts";
import { closeFrame, pingFrame, pongFrame, textFrame, textFrames } from "./frames.ts";

it("writes the shortest length that holds the payload", () => {
  for (const [length, headBytes] of [
    [0, 2],
    [125, 2],
    [126, 4],
    [65_535, 4],
    [65_536, 10],
    [131_072, 10],
  ] as const) {
    const frame = textFrame("x".repeat(length));
    expect(frame.length - length).toBe(headBytes);
    expect(takeServerFrame(frame)).toEqual({
      frame: { opcode: 1, payload: Buffer.alloc(length, "x") },
      rest: Buffer.alloc(0),
    });
  }
});

it("glues frames of texts and of bytes in their order", () => {
  const glued = textFrames(["one", Buffer.from("届く"), "", "x".repeat(300)]);
  expect(glued).toEqual(Buffer.concat(["one", "届く", "", "x".repeat(300)].map((text) => textFrame(text))));
  expect(textFrames([])).toHaveLength(0);
});

it("cuts a reason off at 123 bytes, between characters", () => {
  expect(closeFrame(4401, "").subarray(2)).toEqual(Buffer.from([0x11, 0x31]));
  expect(closeFrame(1000, "r".repeat(200))).toHaveLength(2 + 125);
  const payload = closeFrame(1000, "届".repeat(42)).subarray(4);
  expect(payload.toString()).toBe("届".repeat(41));
});

it("writes no code that may not be on the wire, and none for 1005", () => {
  expect(closeFrame(1005, "")).toEqual(Buffer.from([0x88, 0]));
  for (const code of [0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65_535, Number.NaN])
    expect(() => closeFrame(code, ""), `${code}`).toThrow(RangeError);
  for (const code of [1000, 1003, 1007, 1014, 3000, 4999]) expect(closeFrame(code, "")).toHaveLength(4);
});

it("writes control frames of at most 125 bytes", () => {
  expect(pingFrame()).toEqual(Buffer.from([0x89, 0]));
  expect(pongFrame(Buffer.from("ab"))).toEqual(Buffer.from([0x8a, 2, 0x61, 0x62]));
  expect(pongFrame(Buffer.alloc(125))).toHaveLength(127);
  expect(() => pingFrame(Buffer.alloc(126))).toThrow("126");
});
