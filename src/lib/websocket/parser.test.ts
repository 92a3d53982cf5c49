import fc from "fast-check";
import { expect, it } from "vitest";
import { clientFrame } from "../../../test/support/raw-websocket.ts";
import { type FrameHandler, FrameParser } from "./parser.ts";

class Heard implements FrameHandler {
  readonly said: unknown[][] = [];
  text(text: string): void {
    this.said.push(["text", text]);
  }
  ping(payload: Buffer): void {
    this.said.push(["ping", payload.toString("latin1")]);
  }
  pong(payload: Buffer): void {
    this.said.push(["pong", payload.toString("latin1")]);
  }
  close(code: number, reason: string): void {
    this.said.push(["close", code, reason]);
  }
  failed(code: number, reason: string): void {
    this.said.push(["failed", code, reason]);
  }
}

function parse(chunks: readonly Uint8Array[], messageMaxBytes = 131_072): unknown[][] {
  const heard = new Heard();
  const parser = new FrameParser(heard, messageMaxBytes);
  for (const chunk of chunks) parser.push(Buffer.from(chunk));
  return heard.said;
}

/** The bytes in chunks whose ends are at shares of the whole. */
function cut(bytes: Buffer, shares: readonly number[]): Buffer[] {
  const ends = shares.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b);
  return [0, ...ends].map((start, n) => bytes.subarray(start, ends[n] ?? bytes.length));
}

const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
const masks = fc.integer({ min: 0, max: 0xffffffff });
const texts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.string({ unit: "binary-ascii", maxLength: 300 }),
  fc.integer({ min: 120, max: 70_000 }).map((length) => "aé".repeat(length / 2)),
);
const controls = fc.record({
  opcode: fc.constantFrom(9, 10),
  payload: fc.uint8Array({ maxLength: 125 }),
  at: fc.nat(20),
});
const messages = fc.array(fc.record({ text: texts, fragments: shares, mask: masks, control: fc.option(controls) }), {
  maxLength: 6,
});

it("gives the same texts, however messages are fragmented, masked, cut into chunks, and interrupted by control frames", () => {
  fc.assert(
    fc.property(messages, shares, (list, chunks) => {
      const frames: Buffer[] = [];
      const expected: unknown[][] = [];
      for (const { text, fragments, mask, control } of list) {
        const parts = cut(Buffer.from(text), fragments);
        parts.forEach((part, n) => {
          if (control && n > 0 && n === control.at % parts.length) {
            frames.push(clientFrame(control.opcode, control.payload, { mask }));
            expected.push([control.opcode === 9 ? "ping" : "pong", Buffer.from(control.payload).toString("latin1")]);
          }
          const isFinal = n === parts.length - 1;
          frames.push(clientFrame(n === 0 ? 1 : 0, part, { isFinal, mask: (mask + n) >>> 0 }));
        });
        expected.push(["text", text]);
      }
      const bytes = Buffer.concat([...frames, clientFrame(8, Buffer.from([0x0f, 0xa0, 0x61]))]);
      expect(parse(cut(bytes, chunks))).toEqual([...expected, ["close", 4000, "a"]]);
    }),
  );
});

it("gives the same texts one byte at a time", () => {
  const bytes = Buffer.concat(["", "a", "é".repeat(200), "x".repeat(66_000)].map((text) => clientFrame(1, text)));
  const said = parse(Array.from(bytes, (byte) => Buffer.from([byte])));
  expect(said).toEqual(["", "a", "é".repeat(200), "x".repeat(66_000)].map((text) => ["text", text]));
});

it("neither throws nor speaks after its end, whatever the bytes are", () => {
  const junk = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    // Frames that are nearly right get further than mere noise.
    fc
      .array(
        fc.record({
          opcode: fc.nat(15),
          payload: fc.uint8Array({ maxLength: 130 }),
          isFinal: fc.boolean(),
          reserved: fc.constantFrom(0, 0, 0, 1),
          lengthForm: fc.constantFrom(2 as const, 8 as const),
        }),
        { maxLength: 8 },
      )
      .map((list) => Buffer.concat(list.map(({ opcode, payload, ...rest }) => clientFrame(opcode, payload, rest)))),
  );
  fc.assert(
    fc.property(junk, shares, (bytes, chunks) => {
      const said = parse(cut(Buffer.from(bytes), chunks), 200);
      const ends = said.filter(([kind]) => kind === "close" || kind === "failed");
      expect(ends.length).toBeLessThanOrEqual(1);
      if (ends.length > 0) expect(said.at(-1)).toBe(ends[0]);
      for (const [kind, code, reason] of ends) {
        if (kind === "failed") expect([1002, 1003, 1007, 1009]).toContain(code);
        expect(Buffer.byteLength(String(reason))).toBeLessThanOrEqual(123);
      }
      for (const [kind, text] of said) if (kind === "text") expect(Buffer.byteLength(String(text))).toBeLessThan(201);
    }),
    { numRuns: 400 },
  );
});

it("refuses a length before it holds a byte of the payload, up to the highest of 64 bits", () => {
  for (const length of [131_073n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
    const head = clientFrame(1, "", { lengthForm: 8 });
    head.writeBigUInt64BE(length, 2);
    expect(parse([head])).toEqual([["failed", 1009, expect.stringContaining("at most 131072")]]);
  }
});

it("adds up the fragments of a message, and refuses the one that passes the bound by its head alone", () => {
  const fragments = [clientFrame(1, "abc", { isFinal: false }), clientFrame(0, "def", { isFinal: false })];
  expect(parse([...fragments, clientFrame(0, "gh")], 8)).toEqual([["text", "abcdefgh"]]);
  const head = clientFrame(0, "ghi").subarray(0, 6);
  expect(parse([...fragments, head], 8)).toEqual([["failed", 1009, "message of 9 bytes: at most 8"]]);
});

it("takes a message in 131,072 fragments of one byte, with empty ones between them", () => {
  const heard = new Heard();
  const parser = new FrameParser(heard, 131_072);
  parser.push(clientFrame(1, "", { isFinal: false }));
  const fragment = clientFrame(0, "x", { isFinal: false });
  for (let n = 0; n < 131_072; n++) parser.push(Buffer.from(fragment));
  const empty = clientFrame(0, "", { isFinal: false });
  for (let n = 0; n < 10_000; n++) parser.push(Buffer.from(empty));
  expect(heard.said).toEqual([]);
  parser.push(clientFrame(0, ""));
  expect(heard.said).toEqual([["text", "x".repeat(131_072)]]);
});

it("keeps a message that is split over chunks without its chunks", () => {
  const heard = new Heard();
  const parser = new FrameParser(heard, 131_072);
  const bytes = clientFrame(1, "y".repeat(100_000));
  const chunk = Buffer.from(bytes.subarray(0, 60_000));
  parser.push(chunk);
  chunk.fill(0);
  parser.push(Buffer.from(bytes.subarray(60_000)));
  expect(heard.said).toEqual([["text", "y".repeat(100_000)]]);
});
