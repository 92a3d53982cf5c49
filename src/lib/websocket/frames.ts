import { writeCloseBody } from "./close-codes.ts";
import { controlMaxBytes, opcodes } from "./opcodes.ts";

// Frames of a server: whole messages (FIN is set), not masked. They are shared by many sockets and never changed.

const finalBit = 0x80;

export function textFrame(payload: Uint8Array | string): Buffer {
  const length = Buffer.byteLength(payload);
  const frame = Buffer.allocUnsafe(headBytes(length) + length);
  writePayload(frame, writeHead(frame, 0, opcodes.text, length), payload);
  return frame;
}

/** One text frame for each payload, behind each other. */
export function textFrames(payloads: readonly (Uint8Array | string)[]): Buffer {
  const lengths = payloads.map((payload) => Buffer.byteLength(payload));
  const frames = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + headBytes(length) + length, 0));
  let offset = 0;
  payloads.forEach((payload, n) => {
    const length = lengths[n] as number;
    offset = writeHead(frames, offset, opcodes.text, length);
    writePayload(frames, offset, payload);
    offset += length;
  });
  return frames;
}

/**
 * `reason`: cut off at 123 bytes of UTF-8, between characters.
 *
 * @throws RangeError for a code that may not be on the wire; 1005 gives a frame without a code.
 */
export function closeFrame(code: number, reason: string): Buffer {
  return controlFrame(opcodes.close, writeCloseBody(code, reason));
}

/** @throws RangeError for more than 125 bytes. */
export function pingFrame(payload: Uint8Array = new Uint8Array(0)): Buffer {
  return controlFrame(opcodes.ping, payload);
}

/** @throws RangeError for more than 125 bytes. */
export function pongFrame(payload: Uint8Array): Buffer {
  return controlFrame(opcodes.pong, payload);
}

function controlFrame(opcode: number, payload: Uint8Array): Buffer {
  if (payload.length > controlMaxBytes)
    throw new RangeError(`control frame of ${payload.length} bytes: at most ${controlMaxBytes}`);
  const frame = Buffer.allocUnsafe(2 + payload.length);
  frame.set(payload, writeHead(frame, 0, opcode, payload.length));
  return frame;
}

function writePayload(frames: Buffer, offset: number, payload: Uint8Array | string): void {
  if (typeof payload === "string") frames.write(payload, offset);
  else frames.set(payload, offset);
}

function headBytes(length: number): number {
  if (length < 126) return 2;
  return length < 65_536 ? 4 : 10;
}

/** Returns where the payload begins. */
function writeHead(frame: Buffer, offset: number, opcode: number, length: number): number {
  frame[offset] = finalBit | opcode;
  if (length < 126) {
    frame[offset + 1] = length;
    return offset + 2;
  }
  if (length < 65_536) {
    frame[offset + 1] = 126;
    return frame.writeUInt16BE(length, offset + 2);
  }
  frame[offset + 1] = 127;
  frame.writeUInt32BE(Math.floor(length / 2 ** 32), offset + 2);
  return frame.writeUInt32BE(length % 2 ** 32, offset + 6);
}
