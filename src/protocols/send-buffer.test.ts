import { EventEmitter } from "node:events";
import { beforeEach, expect, it } from "vitest";
import { limits } from "../domain/limits.ts";
import { SendBuffer } from "./send-buffer.ts";

const { streamSendBufferBytes, sessionSendBufferBytes } = limits.http2;

let buffer: SendBuffer;
beforeEach(() => {
  buffer = new SendBuffer();
});

/** A stream of which only what waits in it matters. */
function aStream(isReading = false) {
  const drains: number[] = [];
  const emitter = Object.assign(new EventEmitter(), { writableLength: 0 });
  const stream = emitter as unknown as Parameters<SendBuffer["add"]>[0];
  buffer.add(stream, () => {
    drains.push(emitter.writableLength);
    return isReading;
  });
  return {
    drains,
    write(bytes: number): boolean {
      emitter.writableLength += bytes;
      return buffer.wrote(stream);
    },
    /** As node:http2 does: `drain` comes when a write had been refused, that is over 16 kB. */
    drain(emits = true): void {
      emitter.writableLength = 0;
      if (emits) emitter.emit("drain");
    },
    close: () => emitter.emit("close"),
    start: () => buffer.start(stream),
  };
}

it("stops a stream past its own bound, and lets it go on when it has drained", () => {
  const stream = aStream();
  expect(stream.write(streamSendBufferBytes)).toBe(true);
  expect(stream.write(1)).toBe(false);
  expect(stream.drains).toEqual([]);
  stream.drain();
  expect(stream.drains).toEqual([0]);
  expect(stream.write(1)).toBe(true);
});

it("stops every stream when the session holds too much, and lets them go on at half of it", () => {
  const count = sessionSendBufferBytes / streamSendBufferBytes;
  const full = Array.from({ length: count }, () => aStream());
  for (const stream of full) expect(stream.write(streamSendBufferBytes)).toBe(true);
  const late = aStream();
  expect(late.write(1)).toBe(false);
  for (const stream of full.slice(0, count / 2 - 1)) stream.drain();
  expect(late.drains).toEqual([]);
  for (const stream of full.slice(count / 2 - 1, count / 2 + 1)) stream.drain();
  expect(late.drains).toEqual([1]);
});

it("counts exactly before it stops anybody: streams that drained without an event hold nothing", () => {
  const idle = Array.from({ length: 2000 }, () => aStream());
  for (const stream of idle) {
    stream.write(15_000); // under the 16 kB from which a stream says `drain`
    stream.drain(false);
  }
  expect(aStream().write(1)).toBe(true);
});

it("lets go on at a recheck, and when the streams that held the room are gone", () => {
  const full = Array.from({ length: sessionSendBufferBytes / streamSendBufferBytes }, () => aStream());
  for (const stream of full) stream.write(streamSendBufferBytes);
  const [one, two] = [aStream(), aStream()];
  expect([one.write(1), two.write(1)]).toEqual([false, false]);
  for (const stream of full) stream.drain(false);
  buffer.recheck();
  expect([one.drains, two.drains]).toEqual([[1], [1]]);
  for (const stream of full) stream.write(streamSendBufferBytes);
  expect(one.write(1)).toBe(false);
  for (const stream of full) stream.close();
  expect(one.drains).toEqual([1, 2]);
});

it("lets only as many readers begin at once as the session has room for their first chunks", () => {
  const readers = Array.from({ length: 1000 }, () => aStream(true));
  for (const reader of readers) reader.start();
  const begun = () => readers.filter(({ drains }) => drains.length > 0);
  const count = sessionSendBufferBytes / limits.catchUpMaxBytes + 1;
  expect(begun()).toHaveLength(count);
  for (const reader of begun()) {
    reader.write(streamSendBufferBytes);
    reader.drain(false);
  }
  buffer.recheck();
  expect(begun()).toHaveLength(2 * count);
});

it("lets streams that have nothing to read begin, however many", () => {
  const live = Array.from({ length: 1000 }, () => aStream());
  for (const stream of live) stream.start();
  expect(live.every(({ drains }) => drains.length === 1)).toBe(true);
});
