import fc from "fast-check";
import { expect, it } from "vitest";
import { CollectedBytes } from "./collected-bytes.ts";

it("holds all parts in their order, in a buffer that never passes the bound", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 30 }), fc.nat(100), (parts, spare) => {
      const all = Buffer.concat(parts);
      const collected = new CollectedBytes();
      for (const part of parts) {
        collected.append(Buffer.concat([Buffer.alloc(3, 7), part]), 3, 3 + part.length, all.length + spare);
        expect(collected.bytes.buffer.byteLength).toBeLessThanOrEqual(all.length + spare);
      }
      expect(collected.bytes.equals(all)).toBe(true);
      expect(collected.length).toBe(all.length);
    }),
  );
});

it("moves to a larger buffer 18 times for 131,072 parts of a byte: linear, not quadratic", () => {
  const collected = new CollectedBytes();
  const buffers = new Set<ArrayBufferLike>();
  for (let n = 0; n < 131_072; n++) {
    collected.append(Buffer.of(1), 0, 1, 131_072);
    buffers.add(collected.bytes.buffer);
  }
  expect(buffers.size).toBe(18);
  expect(collected.bytes.buffer.byteLength).toBe(131_072);
});
