import { type FailureCode, readCloseBody } from "./close-codes.ts";
import { CollectedBytes } from "./collected-bytes.ts";
import { faultOf, headBytesOf, headMaxBytes, isFinal, opcodeOf, payloadBytesOf } from "./frame-head.ts";
import { controlMaxBytes, opcodes } from "./opcodes.ts";
import { decodeText } from "./text.ts";
import { turnMask, unmask } from "./unmask.ts";

/** What a client's bytes say. */
export interface FrameHandler {
  /** A whole message, of one frame or of many. */
  text(text: string): void;
  /** `payload`: at most 125 bytes, good only until this returns. */
  ping(payload: Buffer): void;
  /** `payload`: as of `ping`. */
  pong(payload: Buffer): void;
  /** The last frame: nothing more is parsed. `code`: 1005 when the frame has none. */
  close(code: number, reason: string): void;
  /** The peer broke the protocol: nothing more is parsed. `reason`: short enough for a close frame. */
  failed(code: FailureCode, reason: string): void;
}

/** Parses the frames of a client, however its bytes are cut. Holds a message only while a part of it is missing. */
export class FrameParser {
  readonly #handler: FrameHandler;
  readonly #messageMaxBytes: number;
  /** Of a head whose other bytes have not come. */
  #head: Buffer | undefined;
  /** Of the frame whose payload is coming. */
  #first = 0;
  #mask = 0;
  #missingBytes = 0;
  #isInPayload = false;
  /** A message that is in fragments or split over chunks; and a control frame that is, which may come inside of it. */
  #message: CollectedBytes | undefined;
  #control: CollectedBytes | undefined;
  #isOver = false;

  /** `messageMaxBytes`: of all fragments together. */
  constructor(handler: FrameHandler, messageMaxBytes: number) {
    this.#handler = handler;
    this.#messageMaxBytes = messageMaxBytes;
  }

  /** Takes the mask off in place: nobody else may read the chunk. Calls the handler before it returns. */
  push(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length && !this.#isOver) {
      if (!this.#isInPayload) offset = this.#readHead(chunk, offset);
      // An empty payload is there as soon as its head is.
      if (this.#isInPayload) offset = this.#readPayload(chunk, offset);
    }
  }

  /** Returns where the payload begins, or the end of the chunk when the head goes on in the next one. */
  #readHead(chunk: Buffer, offset: number): number {
    if (!this.#head) {
      const length = this.#beginFrame(chunk, offset);
      if (length > 0) return offset + length;
      if (!this.#isOver) this.#head = Buffer.from(chunk.subarray(offset));
      return chunk.length;
    }
    const keptBytes = this.#head.length;
    const head = Buffer.concat([this.#head, chunk.subarray(offset, offset + headMaxBytes - keptBytes)]);
    const length = this.#beginFrame(head, 0);
    this.#head = length > 0 || this.#isOver ? undefined : head;
    return length > 0 ? offset + length - keptBytes : chunk.length;
  }

  /** Returns the length of the head, or 0 when it is not whole, or wrong. */
  #beginFrame(bytes: Buffer, offset: number): number {
    if (bytes.length - offset < 2) return 0;
    const first = bytes[offset] as number;
    const second = bytes[offset + 1] as number;
    const fault = faultOf(first, second, this.#message !== undefined);
    if (fault) return this.#fail(fault.failure, fault.reason);
    const headBytes = headBytesOf(second);
    if (bytes.length - offset < headBytes) return 0;
    const payloadBytes = payloadBytesOf(bytes, offset);
    if (opcodeOf(first) < opcodes.close) {
      const messageBytes = (this.#message?.length ?? 0) + payloadBytes;
      if (messageBytes > this.#messageMaxBytes)
        return this.#fail(1009, `message of ${messageBytes} bytes: at most ${this.#messageMaxBytes}`);
    }
    this.#first = first;
    this.#mask = bytes.readInt32LE(offset + headBytes - 4);
    this.#missingBytes = payloadBytes;
    this.#isInPayload = true;
    return headBytes;
  }

  /** Returns where the frame ends, or the end of the chunk. */
  #readPayload(chunk: Buffer, start: number): number {
    const end = Math.min(chunk.length, start + this.#missingBytes);
    const isAscii = unmask(chunk, start, end, this.#mask);
    this.#mask = turnMask(this.#mask, end - start);
    this.#missingBytes -= end - start;
    this.#isInPayload = this.#missingBytes > 0;
    if (opcodeOf(this.#first) >= opcodes.close) this.#takeControl(chunk, start, end);
    else this.#takeText(chunk, start, end, isAscii);
    return end;
  }

  #takeText(chunk: Buffer, start: number, end: number, isAscii: boolean): void {
    const isLast = !this.#isInPayload && isFinal(this.#first);
    if (isLast && !this.#message) {
      this.#say(decodeText(chunk, start, end, isAscii));
      return;
    }
    this.#message ??= new CollectedBytes();
    this.#message.append(chunk, start, end, this.#messageMaxBytes);
    if (!isLast) return;
    const { bytes } = this.#message;
    this.#message = undefined;
    // Looked at as a whole: a character may be split over fragments. So a fault shows at the message's end, not at the byte.
    this.#say(decodeText(bytes, 0, bytes.length));
  }

  #say(text: string | undefined): void {
    if (text === undefined) this.#fail(1007, "message is not UTF-8");
    else this.#handler.text(text);
  }

  #takeControl(chunk: Buffer, start: number, end: number): void {
    let payload = chunk.subarray(start, end);
    if (this.#isInPayload || this.#control) {
      this.#control ??= new CollectedBytes();
      this.#control.append(chunk, start, end, controlMaxBytes);
      if (this.#isInPayload) return;
      payload = this.#control.bytes;
      this.#control = undefined;
    }
    const opcode = opcodeOf(this.#first);
    if (opcode === opcodes.ping) this.#handler.ping(payload);
    else if (opcode === opcodes.pong) this.#handler.pong(payload);
    else this.#takeClose(payload);
  }

  #takeClose(payload: Buffer): void {
    const body = readCloseBody(payload);
    if ("failure" in body) {
      this.#fail(body.failure, body.reason);
      return;
    }
    this.#finish();
    this.#handler.close(body.code, body.reason);
  }

  #fail(code: FailureCode, reason: string): 0 {
    this.#finish();
    this.#handler.failed(code, reason);
    return 0;
  }

  #finish(): void {
    this.#isOver = true;
    this.#isInPayload = false;
    this.#message = undefined;
    this.#control = undefined;
  }
}
