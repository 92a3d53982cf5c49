import { controlMaxBytes } from "./opcodes.ts";
import { decodeText } from "./text.ts";

/** The code of a close frame that names none; never on the wire. */
const noCode = 1005;
/** The connection ended without a close frame; never on the wire. */
export const abnormal = 1006;

/** The peer broke the protocol; sent a kind of data, bytes that are no UTF-8, or a length that are not taken. */
export type FailureCode = 1002 | 1003 | 1007 | 1009;

export interface CloseBody {
  readonly code: number;
  readonly reason: string;
}

export interface Failure {
  readonly failure: FailureCode;
  readonly reason: string;
}

/** Whether a close frame may name the code: RFC 6455, 7.4, and what IANA has added up to 1014. */
function mayBeSent(code: number): boolean {
  if (code >= 1000 && code <= 1014) return code !== 1004 && code !== noCode && code !== abnormal;
  return code >= 3000 && code <= 4999;
}

/** The body of a close frame, unmasked. Without one the code is 1005. */
export function readCloseBody(body: Buffer): CloseBody | Failure {
  if (body.length === 0) return { code: noCode, reason: "" };
  if (body.length === 1) return { failure: 1002, reason: "close frame with half a code" };
  const code = body.readUInt16BE(0);
  if (!mayBeSent(code)) return { failure: 1002, reason: `close code ${code} may not be sent` };
  const reason = decodeText(body, 2, body.length);
  if (reason === undefined) return { failure: 1007, reason: "close reason is not UTF-8" };
  return { code, reason };
}

/**
 * The body of a close frame of ours; what is too long of the reason is cut off between characters.
 *
 * @throws RangeError for a code that may not be on the wire; 1005 gives an empty body.
 */
export function writeCloseBody(code: number, reason: string): Buffer {
  if (code === noCode) return Buffer.alloc(0);
  if (!mayBeSent(code)) throw new RangeError(`close code ${code} may not be sent`);
  const body = Buffer.alloc(controlMaxBytes);
  body.writeUInt16BE(code, 0);
  // `write` leaves out a character that does not fit in whole.
  return body.subarray(0, 2 + body.write(reason, 2));
}
