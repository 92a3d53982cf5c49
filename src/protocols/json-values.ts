import { Buffer } from "node:buffer";
import { TodokuError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";

/**
 * A great body of tiny values keeps parser and schema busy for seconds, and whoever is let in may send it: a right is asked for
 * only once the body is known. Each value but the first follows a comma or opens a list or object. @throws TodokuError `limit_exceeded`.
 */
export function checkValueCount(bytes: Uint8Array): void {
  const { jsonBodyMaxValues } = limits.http;
  if (bytes.length <= jsonBodyMaxValues) return;
  let count = 0;
  let isInText = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === quote) isInText = !isInText;
    else if (isInText) at += byte === backslash ? 1 : 0;
    else if (byte === comma || byte === openBracket || byte === openBrace) count++;
    if (count <= jsonBodyMaxValues) continue;
    throw new TodokuError("limit_exceeded", `request limit: the body must have <= ${jsonBodyMaxValues} values`, {
      subject: "request_size",
    });
  }
}

const [quote, comma, openBracket, backslash, openBrace] = Buffer.from('",[\\{');
