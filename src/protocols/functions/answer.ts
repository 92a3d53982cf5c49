import { Buffer } from "node:buffer";
import { validateHeaderName, validateHeaderValue } from "node:http";
import { limits } from "../../domain/limits.ts";
import { isObject, WrongAnswer } from "../lambda-events.ts";

/** What a function answers to a client over HTTP. */
export interface FunctionAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Buffer;
}

/** RFC 9110, 7.6.1, and what HTTP/2 refuses besides (node:http2 throws); and the length, which is known here. */
const ownHeaders = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding"],
  ...["upgrade", "http2-settings", "content-length"],
]);

/** Of a function URL: what has no `statusCode` is itself the body. @throws WrongAnswer. */
export function readUrlAnswer(value: unknown): FunctionAnswer {
  if (!isObject(value) || value.statusCode === undefined) {
    const body = Buffer.from(typeof value === "string" ? value : JSON.stringify(value ?? null));
    return { status: 200, headers: { "content-type": "application/json" }, body };
  }
  const { cookies = [] } = value;
  if (!isTexts(cookies)) throw new WrongAnswer("its cookies are no list of texts");
  const headers = { ...readHeaders(value.headers), ...(cookies.length > 0 && { "set-cookie": cookies }) };
  return toAnswer(value, checked(headers));
}

/** Of a REST API. @throws WrongAnswer. */
export function readProxyAnswer(value: unknown): FunctionAnswer {
  if (!isObject(value)) throw new WrongAnswer("its answer is no object with a statusCode");
  const { multiValueHeaders } = value;
  return toAnswer(value, checked({ ...readHeaders(value.headers), ...readMultiValueHeaders(multiValueHeaders) }));
}

function toAnswer(answer: Readonly<Record<string, unknown>>, headers: FunctionAnswer["headers"]): FunctionAnswer {
  const { statusCode, body = "", isBase64Encoded = false } = answer;
  const status = typeof statusCode === "string" ? Number(statusCode) : statusCode;
  if (typeof status !== "number" || !Number.isInteger(status) || status < 200 || status > 599) {
    throw new WrongAnswer("its statusCode is no whole number from 200 to 599");
  }
  if (typeof body !== "string" && body !== null) throw new WrongAnswer("its body is no text");
  const bytes = Buffer.from(body ?? "", isBase64Encoded === true ? "base64" : "utf8");
  return { status, headers: { "content-type": "application/json", ...headers }, body: bytes };
}

function readHeaders(headers: unknown): Record<string, string> {
  if (headers === undefined || headers === null) return {};
  if (!isObject(headers)) throw new WrongAnswer("its headers are no object");
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), toText(name, value)]));
}

function readMultiValueHeaders(headers: unknown): Record<string, readonly string[]> {
  if (headers === undefined || headers === null) return {};
  if (!isObject(headers)) throw new WrongAnswer("its multiValueHeaders are no object");
  const entries = Object.entries(headers).map(([name, values]): [string, readonly string[]] => {
    if (!Array.isArray(values)) throw new WrongAnswer(`its header ${name.slice(0, 100)} is no list of texts`);
    return [name.toLowerCase(), values.map((value) => toText(name, value))];
  });
  return Object.fromEntries(entries);
}

function toText(name: string, value: unknown): string {
  if (["string", "number", "boolean"].includes(typeof value)) return String(value);
  throw new WrongAnswer(`its header ${name.slice(0, 100)} is no text`);
}

/** Without those that are the server's. Several of a name are one line, but for cookies: HTTP/2 takes two of hardly any. */
function checked(headers: FunctionAnswer["headers"]): FunctionAnswer["headers"] {
  const kept = Object.entries(headers)
    .filter(([name]) => !ownHeaders.has(name))
    .map(([name, values]) => [name, name === "set-cookie" ? values : [values].flat().join(", ")] as const);
  let bytes = 0;
  for (const [name, values] of kept) {
    try {
      validateHeaderName(name);
      for (const value of [values].flat()) {
        validateHeaderValue(name, value);
        bytes += name.length + value.length;
      }
    } catch {
      throw new WrongAnswer(`its header ${JSON.stringify(name.slice(0, 100))} may not be sent`);
    }
  }
  const { answerHeadersMaxBytes: max } = limits.handler;
  if (bytes > max) throw new WrongAnswer(`its headers have ${bytes} bytes; must be <= ${max}`);
  return Object.fromEntries(kept);
}

function isTexts(values: unknown): values is readonly string[] {
  return Array.isArray(values) && values.every((value) => typeof value === "string");
}
