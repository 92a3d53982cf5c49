import fc from "fast-check";
import { expect, it } from "vitest";
import { toFrame } from "./frames.ts";
import { RequestBody } from "./request-body.ts";

it("gives the message when its last chunk has come, however it was cut", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(305), { maxLength: 10 }), (message, cuts) => {
      const frame = toFrame(message);
      const ends = [...cuts.filter((cut) => cut < frame.length), frame.length].toSorted((a, b) => a - b);
      const body = new RequestBody(1000);
      const answers = ends.map((end, i) => body.push(frame.subarray(ends[i - 1] ?? 0, end)));
      expect(answers.pop()).toEqual(frame.subarray(5));
      expect(answers.every((answer) => answer === undefined)).toBe(true);
    }),
  );
});

it("holds no more than twice what came, and never more than the bound", () => {
  const body = new RequestBody(10_000);
  const frame = toFrame(new Uint8Array(10_000));
  for (let i = 0; i < 10_000; i++) {
    body.push(frame.subarray(i, i + 1));
    expect(body.heldBytes).toBeLessThanOrEqual(Math.min(2 * (i + 1), 10_005));
  }
});
