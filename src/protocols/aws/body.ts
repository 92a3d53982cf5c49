import type { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { checkValueCount } from "../json-values.ts";
import { readRequestBytes } from "../request-bytes.ts";
import { holdOf } from "../uploads.ts";
import type { Address } from "./address.ts";
import { AwsError } from "./errors.ts";
import { isForm, serviceOfPath } from "./routing.ts";

/** The whole body. @throws TodokuError `limit_exceeded`, at once when the length is announced; `invalid_argument`, `unavailable`. */
export async function readBody(request: IncomingMessage, { rawPath }: Address, wheel: TimerWheel): Promise<Buffer> {
  const isEvent = serviceOfPath(rawPath) === "lambda";
  const maxBytes = isEvent ? limits.handler.eventMaxBytes : limits.aws.bodyMaxBytes;
  const tooLarge = () =>
    new TodokuError("limit_exceeded", `request limit: the body must have <= ${maxBytes} bytes`, {
      subject: "request_size",
    });
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge();
  return readRequestBytes(request, { maxBytes, tooLarge, hold: holdOf(request, wheel) });
}

/** Fields of body and address; a body that goes to a path of its own has none. @throws AwsError: they are too many; the body is no UTF-8. */
export function readForm({ headers }: IncomingMessage, address: Address, body: Buffer): URLSearchParams {
  const { rawPath, query, rawQuery } = address;
  const text = isForm(headers["content-type"]) && !serviceOfPath(rawPath) ? textOf(body) : "";
  const { formMaxFields } = limits.aws;
  if (countOf(text, formMaxFields) + countOf(rawQuery, formMaxFields) > formMaxFields) {
    throw new AwsError("ValidationError", `the request must have <= ${formMaxFields} fields`);
  }
  return text === "" ? query : new URLSearchParams([...query, ...new URLSearchParams(text)]);
}

/** Fields of a form; past `max` they are not counted on. */
function countOf(text: string, max: number): number {
  if (text === "") return 0;
  let count = 1;
  for (let at = text.indexOf("&"); at !== -1 && count <= max; at = text.indexOf("&", at + 1)) count++;
  return count;
}

/** A JSON object; without a body it is empty. @throws AwsError `SerializationException`; TodokuError `limit_exceeded`: too many values. */
export function readInput(body: Buffer): Readonly<Record<string, unknown>> {
  if (body.length === 0) return {};
  checkValueCount(body);
  let value: unknown;
  try {
    value = JSON.parse(textOf(body));
  } catch {
    // The parser's own text quotes the body.
    throw new AwsError("SerializationException", "the body is not valid JSON in UTF-8");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new AwsError("SerializationException", "the body must be a JSON object");
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(body: Buffer): string {
  try {
    return utf8.decode(body);
  } catch {
    throw new AwsError("SerializationException", "the body is not valid UTF-8");
  }
}
