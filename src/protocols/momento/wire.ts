import { isUtf8 } from "node:buffer";
import { TodokuError } from "../../domain/errors.ts";

/** Protobuf's wire types, as far as proto3 uses them: groups (3 and 4) are refused, not skipped. */
export const wireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** The messages that are read by hand have up to five: ten megabytes of fields that nobody wants held up everybody for half a second. */
const fieldsMax = 1000;
/** A varint carries 7 bits per byte, so 64 bits need ten. */
const varintMaxBytes = 10;
const noBytes = new Uint8Array(0);

function refused(what: string): TodokuError {
  return new TodokuError("invalid_argument", what);
}

/**
 * A cursor over the bytes of one protobuf message. Every method throws only {@link TodokuError} `invalid_argument`,
 * naming the message and the field. One short-lived object per message: a class, because the alternative is a closure
 * per method.
 */
export class WireReader {
  /** Number of the field that {@link next} found. */
  field = 0;
  readonly #message: string;
  readonly #bytes: Buffer;
  #wireType = 0;
  #position = 0;
  #fields = 0;
  #end: number;

  /** `message` is the name that errors give. */
  constructor(message: string, bytes: Uint8Array) {
    this.#message = message;
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.byteLength;
  }

  /** Moves to the next field of the message at hand; false at its end. The field must then be read, entered or skipped. */
  next(): boolean {
    if (this.#position === this.#end) return false;
    if (++this.#fields > fieldsMax) throw refused(`${this.#message}: more than ${fieldsMax} fields`);
    const tag = this.#varint("field tag");
    this.field = Math.floor(tag / 8);
    this.#wireType = tag % 8;
    if (tag > 0xffff_ffff || this.field === 0) throw refused(`${this.#message}: ${tag} is not a field's tag`);
    return true;
  }

  /** A uint64 as a number. Above 2^53 - 1 it is refused: sequence numbers and milliseconds never get there. */
  uint64(name: string): number {
    this.#expect(wireType.varint, name);
    const value = this.#varint(name);
    if (value > Number.MAX_SAFE_INTEGER)
      throw refused(`${this.#message}.${name} must be <= ${Number.MAX_SAFE_INTEGER}`);
    return value;
  }

  /** A view into the message's bytes. */
  bytes(name: string): Uint8Array {
    const start = this.#enterBytes(name);
    return start === this.#position ? noBytes : this.#bytes.subarray(start, this.#position);
  }

  /** A view into the message's bytes, known to be valid UTF-8. */
  textBytes(name: string): Uint8Array {
    const view = this.bytes(name);
    if (!isUtf8(view)) throw refused(`${this.#message}.${name} is not valid UTF-8`);
    return view;
  }

  /** A string. */
  string(name: string): string {
    const start = this.#enterBytes(name);
    const end = this.#position;
    // Names are short and nearly always ASCII: a loop over them costs less than a view for `isUtf8`.
    for (let index = start; index < end; index++) {
      if ((this.#bytes[index] as number) < 0x80) continue;
      if (!isUtf8(this.#bytes.subarray(start, end))) throw refused(`${this.#message}.${name} is not valid UTF-8`);
      return this.#bytes.toString("utf8", start, end);
    }
    return this.#bytes.toString("latin1", start, end);
  }

  /** Narrows the cursor to an embedded message; returns what {@link leave} needs afterwards. */
  enter(name: string): number {
    const start = this.#enterBytes(name);
    const outerEnd = this.#end;
    this.#end = this.#position;
    this.#position = start;
    return outerEnd;
  }

  /** Back to the enclosing message, once the embedded one has been read to its end. */
  leave(outerEnd: number): void {
    this.#end = outerEnd;
  }

  /** Passes over a field we do not know. */
  skip(): void {
    const name = `field ${this.field}`;
    switch (this.#wireType) {
      case wireType.varint:
        this.#varint(name);
        return;
      case wireType.bytes:
        this.#enterBytes(name);
        return;
      case wireType.fixed64:
        this.#advance(8, name);
        return;
      case wireType.fixed32:
        this.#advance(4, name);
        return;
      default:
        throw refused(`${this.#message}.${name} has wire type ${this.#wireType}, which proto3 does not use`);
    }
  }

  #expect(wanted: number, name: string): void {
    if (this.#wireType === wanted) return;
    throw refused(`${this.#message}.${name} has wire type ${this.#wireType}, expected ${wanted}`);
  }

  /** Reads the length, moves behind the bytes and returns where they start. */
  #enterBytes(name: string): number {
    this.#expect(wireType.bytes, name);
    const length = this.#varint(name);
    const start = this.#position;
    this.#advance(length, name);
    return start;
  }

  #advance(length: number, name: string): void {
    const left = this.#end - this.#position;
    if (length > left) throw refused(`${this.#message}.${name}: ${length} bytes announced, ${left} left`);
    this.#position += length;
  }

  /**
   * Exact up to 2^53: the parts are multiples of powers of two, and their sum rounds only above it, never to below it.
   * So a caller that refuses more than 2^53 - 1 sees no wrong number.
   */
  #varint(name: string): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < varintMaxBytes; count++) {
      if (this.#position === this.#end) throw refused(`${this.#message}.${name} is cut off`);
      const byte = this.#bytes[this.#position++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw refused(`${this.#message}.${name}: a varint must be <= ${varintMaxBytes} bytes`);
  }
}

/** Bytes that {@link writeVarint} needs for `value` (0..2^53 - 1). */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/** Writes `value` (an integer, 0..2^53 - 1) at `offset`; returns the offset behind it. `target` must have the room. */
export function writeVarint(value: number, target: Uint8Array, offset: number): number {
  let rest = value;
  let position = offset;
  // Bitwise operators see 32 bits only.
  for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 0x80)) target[position++] = (rest % 0x80) | 0x80;
  for (; rest > 0x7f; rest >>>= 7) target[position++] = (rest & 0x7f) | 0x80;
  target[position++] = rest;
  return position;
}

/** First byte of a field numbered 1..15. */
export function fieldTag(field: number, type: number): number {
  return field * 8 + type;
}
