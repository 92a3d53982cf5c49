import { Buffer } from "node:buffer";
import type { Encoding } from "../../domain/topics/subscription.ts";
import { encodeDiscontinuity, heartbeat, topicItemSize, writeTopicItem } from "./codec-topics.ts";

/** gRPC's prefix: one byte of flags, four of length. */
export const prefixBytes = 5;

/** A message behind its prefix. `flags` 0x80 marks the trailers of grpc-web. */
export function toFrame(message: Uint8Array, flags = 0): Buffer {
  const frame = Buffer.allocUnsafe(prefixBytes + message.length);
  frame[0] = flags;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, prefixBytes);
  return frame;
}

/** Messages behind their prefixes, in the encoding of a stream. */
export function framesOf(encoding: Encoding, messages: readonly Uint8Array[]): Uint8Array {
  const frames = Buffer.concat(messages.map((message) => toFrame(message)));
  return encoding === textEncoding ? toText(frames) : frames;
}

/** Subscription items as gRPC frames; also those of binary grpc-web. */
export const binaryEncoding: Encoding = {
  items(items) {
    const sizes = items.map(topicItemSize);
    const target = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + prefixBytes + size, 0));
    let offset = 0;
    for (let i = 0; i < items.length; i++) {
      const size = sizes[i] as number;
      target[offset] = 0;
      target.writeUInt32BE(size, offset + 1);
      writeTopicItem(items[i] as (typeof items)[number], target, offset + prefixBytes);
      offset += prefixBytes + size;
    }
    return target;
  },
  discontinuity({ after, now }) {
    return toFrame(encodeDiscontinuity({ last: after.sequence, newSequence: now.sequence, newPage: now.page }));
  },
};

/** The same in base64, each run of frames padded by itself: application/grpc-web-text. */
export const textEncoding: Encoding = {
  items: (items) => toText(binaryEncoding.items(items)),
  discontinuity: (gap) => toText(binaryEncoding.discontinuity(gap)),
};

export const heartbeatFrame = toFrame(heartbeat);
export const heartbeatTextFrame = toText(heartbeatFrame);

export function toText(frames: Uint8Array): Buffer {
  return Buffer.from(Buffer.from(frames.buffer, frames.byteOffset, frames.length).toString("base64"), "latin1");
}
