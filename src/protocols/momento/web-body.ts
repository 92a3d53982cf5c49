import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { readRequestBytes } from "../request-bytes.ts";
import type { Hold } from "../uploads.ts";
import { requestTooLarge } from "./errors.ts";
import { RequestBody } from "./request-body.ts";

/** The message of a grpc-web request. @throws TodokuError `limit_exceeded`, `invalid_argument`. */
export async function readMessage(request: IncomingMessage, isText: boolean, hold?: Hold): Promise<Uint8Array> {
  const maxBytes = isText ? Math.ceil((limits.grpcMessageMaxBytes * 4) / 3) + 64 : limits.grpcMessageMaxBytes + 5;
  const raw = await readBytes(request, maxBytes, hold);
  const body = new RequestBody(limits.grpcMessageMaxBytes);
  return body.push(isText ? fromText(raw) : raw) ?? body.ended();
}

/** The whole body. @throws TodokuError `limit_exceeded`, `invalid_argument`. */
export function readBytes(request: IncomingMessage, maxBytes: number, hold?: Hold): Promise<Buffer> {
  return readRequestBytes(request, { maxBytes, tooLarge: (bytes) => requestTooLarge(bytes, maxBytes), hold });
}

/**
 * Base64 whose runs may be padded one by one, so padding may stand in any group of four. A run each would take three seconds
 * for a body of nothing but short ones; this takes one pass.
 * @throws TodokuError `invalid_argument`.
 */
export function fromText(raw: Buffer): Buffer {
  const firstPad = raw.indexOf(pad);
  if (firstPad === -1 || firstPad >= raw.length - 2) return fromRun(raw);
  const target = Buffer.allocUnsafe(Math.ceil(raw.length / 4) * 3);
  let length = 0;
  for (let start = 0; start < raw.length; start += 4) length += decodeGroup(raw, start, target, length);
  return target.subarray(0, length);
}

const pad = 0x3d;
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/** Value of each byte, 64 for what is no base64. */
const values = Uint8Array.from({ length: 256 }, (_, byte) => {
  const index = alphabet.indexOf(String.fromCharCode(byte));
  return index === -1 ? 64 : index;
});

function fromRun(raw: Buffer): Buffer {
  const text = raw.toString("latin1");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) refuseText();
  return Buffer.from(text, "base64");
}

/** Returns how many bytes the four characters at `start` stand for. */
function decodeGroup(raw: Buffer, start: number, target: Buffer, offset: number): number {
  const [c, d] = [raw[start + 2], raw[start + 3]];
  const bytes = d !== pad ? 3 : c !== pad ? 2 : 1;
  let bits = 0;
  for (let i = 0; i < 4; i++) {
    const value = i > bytes ? 0 : (values[raw[start + i] ?? pad] as number);
    if (value === 64) refuseText();
    bits = (bits << 6) | value;
  }
  for (let i = 0; i < bytes; i++) target[offset + i] = (bits >> (16 - 8 * i)) & 0xff;
  return bytes;
}

function refuseText(): never {
  throw new TodokuError("invalid_argument", "the request body is not base64");
}
