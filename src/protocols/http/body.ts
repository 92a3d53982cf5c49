import type { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { z } from "zod";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { check } from "../check.ts";
import { checkValueCount } from "../json-values.ts";
import { readRequestBytes } from "../request-bytes.ts";
import type { Hold } from "../uploads.ts";
import { bodyTooLarge } from "./errors.ts";

/**
 * How long a JSON body may be so that every allowed message fits: JSON may write each byte of a text as `\u00xx`, six times
 * its size (base64 takes a third more), and the same for attributes; the rest is for names and punctuation.
 */
export function jsonBodyMaxBytes(
  messageMaxBytes: number,
  attributesMaxBytes: number = limits.attributesMaxBytes,
): number {
  return 6 * (messageMaxBytes + attributesMaxBytes) + 16 * 1024;
}

/**
 * Reads and checks a JSON body. Only `application/json` is taken: a page of another origin cannot send it without asking
 * the browser, and the browser asks us.
 * @throws TodokuError `invalid_argument` that names the field; `limit_exceeded`.
 */
export async function readJson<T>(
  request: IncomingMessage,
  schema: z.ZodType<T>,
  maxBytes: number,
  hold?: Hold,
): Promise<T> {
  checkMediaType(request);
  const bytes = await readBytes(request, maxBytes, hold);
  checkValueCount(bytes);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // The parser's own text quotes the body.
    throw new TodokuError("invalid_argument", "the body is not valid JSON in UTF-8");
  }
  return check(schema, value, "the body");
}

/** For calls without a body: a page must not reach them with a form either. @throws TodokuError `invalid_argument`. */
export function refuseForms(request: IncomingMessage): void {
  if (request.headers["content-type"] !== undefined) checkMediaType(request);
}

function checkMediaType({ headers }: IncomingMessage): void {
  const type = headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  if (type === "application/json") return;
  throw new TodokuError("invalid_argument", "Content-Type must be application/json", { subject: "media_type" });
}

/** @throws TodokuError `limit_exceeded`, at once when the length is announced. */
async function readBytes(request: IncomingMessage, maxBytes: number, hold?: Hold): Promise<Buffer> {
  const tooLarge = () => bodyTooLarge(maxBytes);
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge();
  return readRequestBytes(request, { maxBytes, tooLarge, hold });
}
