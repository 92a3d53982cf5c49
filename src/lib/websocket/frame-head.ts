import type { Failure } from "./close-codes.ts";
import { controlMaxBytes, opcodes } from "./opcodes.ts";

// The head of a client's frame (RFC 6455, 5.2): two bytes, up to eight for a longer length, four for the mask.
// Functions over bytes instead of an object: a head is read for each frame.

export const headMaxBytes = 14;

export function isFinal(first: number): boolean {
  return (first & 0x80) !== 0;
}

export function opcodeOf(first: number): number {
  return first & 0x0f;
}

/** How many bytes the head has, by its second. */
export function headBytesOf(second: number): number {
  const length = second & 0x7f;
  if (length < 126) return 6;
  return length === 126 ? 8 : 14;
}

/** How long the payload is to be. Not exact above 2^53, where it is far too much anyway. */
export function payloadBytesOf(head: Buffer, offset: number): number {
  const length = (head[offset + 1] as number) & 0x7f;
  if (length < 126) return length;
  if (length === 126) return head.readUInt16BE(offset + 2);
  return head.readUInt32BE(offset + 2) * 2 ** 32 + head.readUInt32BE(offset + 6);
}

/** What is wrong with a frame that begins with these two bytes, as early as that can be said. */
export function faultOf(first: number, second: number, isInsideMessage: boolean): Failure | undefined {
  if ((first & 0x70) !== 0) return { failure: 1002, reason: "reserved bits are set: no extension was agreed on" };
  if ((second & 0x80) === 0) return { failure: 1002, reason: "frame of a client is not masked" };
  const opcode = opcodeOf(first);
  switch (opcode) {
    case opcodes.continuation:
      return isInsideMessage ? undefined : { failure: 1002, reason: "continuation of no message" };
    case opcodes.text:
    case opcodes.binary:
      if (isInsideMessage) return { failure: 1002, reason: "new message inside of one in fragments" };
      return opcode === opcodes.text ? undefined : { failure: 1003, reason: "binary message: only text is taken" };
    case opcodes.close:
    case opcodes.ping:
    case opcodes.pong:
      return controlFaultOf(first, second & 0x7f);
    default:
      return { failure: 1002, reason: `opcode ${opcode} is not known` };
  }
}

function controlFaultOf(first: number, length: number): Failure | undefined {
  if (!isFinal(first)) return { failure: 1002, reason: "control frame in fragments" };
  if (length <= controlMaxBytes) return undefined;
  return { failure: 1002, reason: `control frame of more than ${controlMaxBytes} bytes` };
}
