import fc from "fast-check";
import { expect, it } from "vitest";
import { turnMask, unmask } from "./unmask.ts";

/** As RFC 6455, 5.3 says it. */
function unmaskedOf(bytes: Uint8Array, mask: Uint8Array): number[] {
  return [...bytes].map((byte, n) => byte ^ (mask[n % 4] as number));
}

const masks = fc.uint8Array({ minLength: 4, maxLength: 4 });

it("takes the mask off whatever the length, the place in memory and the cut, and touches nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), masks, fc.nat(7), fc.nat(400), (bytes, mask, place, cutAt) => {
      const memory = Buffer.concat([Buffer.alloc(place, 1), bytes, Buffer.alloc(5, 2)]);
      const cut = Math.min(cutAt, bytes.length);
      const word = Buffer.from(mask).readInt32LE(0);
      unmask(memory, place, place + cut, word);
      unmask(memory, place + cut, place + bytes.length, turnMask(word, cut));
      expect([...memory]).toEqual([...Buffer.alloc(place, 1), ...unmaskedOf(bytes, mask), ...Buffer.alloc(5, 2)]);
    }),
  );
});

it("says whether all bytes are ASCII, wherever the one is that is not", () => {
  const mask = 0x80a5c3ff | 0;
  for (const length of [1, 4, 7, 99, 100, 101, 257]) {
    const memory = Buffer.alloc(length + 1, 0x61);
    unmask(memory, 1, length + 1, mask);
    expect(unmask(memory, 1, length + 1, mask)).toBe(true);
    for (let at = 1; at <= length; at++) {
      memory.fill(0x61);
      memory[at] = 0x80;
      unmask(memory, 1, length + 1, mask);
      expect(unmask(memory, 1, length + 1, mask), `byte ${at} of ${length}`).toBe(false);
    }
  }
});
