// What the events of Lambda's callers over HTTP have in common.
import { type Buffer, isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { TodokuError } from "../domain/errors.ts";
import type { InvocationResult } from "../domain/handlers/handler.ts";
import type { Handlers } from "../domain/handlers/handlers.ts";
import type { Clock } from "../lib/clock.ts";

/** One value of each name, the last that was sent; and all of them. */
export interface Pairs {
  readonly last: Readonly<Record<string, string>>;
  readonly all: Readonly<Record<string, readonly string[]>>;
}

/** Names keep their spelling. */
export function pairsOf(pairs: Iterable<readonly [name: string, value: string]>): Pairs {
  const all = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    const values = all.get(name);
    if (values) values.push(value);
    else all.set(name, [value]);
  }
  // Not by assignment: a name may be "__proto__".
  const last = Object.fromEntries([...all].map(([name, values]) => [name, values.at(-1) as string]));
  return { last, all: Object.fromEntries(all) };
}

/** Of a message of node:http or node:http2: headers as they were sent, without the pseudo-headers of HTTP/2. */
export function headerPairs(rawHeaders: readonly string[]): readonly (readonly [name: string, value: string])[] {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (!name.startsWith(":")) pairs.push([name, rawHeaders[at + 1] as string]);
  }
  return pairs;
}

/** RFC 9110, 7.6.1: they say something of the line, not of the call. */
const ofOneHop = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"],
  ...["te", "trailer", "transfer-encoding", "upgrade", "expect"],
]);
/** Anybody could write them: they are written anew. */
const forwarded = new Set(["x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "forwarded"]);

/** The headers that events carry: as they came, but for those. `address`: the client's. */
export function eventHeaders(
  { rawHeaders, headers, socket }: IncomingMessage,
  address: string,
  isBehindTls: boolean,
): readonly (readonly [name: string, value: string])[] {
  const named = new Set(headers.connection?.split(",").map((name) => name.trim().toLowerCase()));
  const kept = headerPairs(rawHeaders).filter(([spelling]) => {
    const name = spelling.toLowerCase();
    return !ofOneHop.has(name) && !forwarded.has(name) && !named.has(name);
  });
  const authority = headers[":authority"];
  const isSecure = isBehindTls || (socket as Partial<TLSSocket>).encrypted === true;
  return [
    ...(typeof authority === "string" && headers.host === undefined ? ([["Host", authority]] as const) : []),
    ...kept,
    ["X-Forwarded-For", address],
    ["X-Forwarded-Proto", isSecure ? "https" : "http"],
    ["X-Forwarded-Port", portOf(headers.host ?? authority?.toString(), isSecure)],
  ];
}

function portOf(host: string | undefined, isSecure: boolean): string {
  return /:(\d{1,5})$/.exec(host ?? "")?.[1] ?? (isSecure ? "443" : "80");
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const twoDigits = (number: number) => String(number).padStart(2, "0");

/** Like `19/Jan/2023:21:13:26 +0000`. */
export function requestTime(wallMs: number): string {
  const date = new Date(wallMs);
  const day = `${twoDigits(date.getUTCDate())}/${months[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(twoDigits).join(":");
  return `${day}:${time} +0000`;
}

/** A body as events carry it: a text, or base64 of what is none. */
export interface EventBody {
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

const textType =
  /^(?:text\/|application\/(?:[\w.+-]+\+)?(?:json|xml|javascript)(?:;|$)|application\/x-www-form-urlencoded)/i;

/** What says that it is text, or nothing of what it is, and is UTF-8 too, is passed on as text. */
export function toEventBody(bytes: Buffer, contentType: string | undefined): EventBody {
  const isText = (contentType === undefined || textType.test(contentType)) && isUtf8(bytes);
  return { body: bytes.toString(isText ? "utf8" : "base64"), isBase64Encoded: !isText };
}

/** The value that a handler answered; undefined: it failed, or answered nothing that is JSON. */
export function answerOf(result: InvocationResult): { readonly value: unknown } | undefined {
  if (result.kind === "error") return undefined;
  try {
    return { value: JSON.parse(result.payload) };
  } catch {
    return undefined;
  }
}

/** What a handler that failed says of it: `errorType` and `errorMessage`, as far as they are texts. */
export function errorOf({ payload }: InvocationResult): { readonly type: string; readonly message: string } {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    value = undefined;
  }
  const { errorType, errorMessage } = isObject(value) ? value : {};
  return {
    type: typeof errorType === "string" ? errorType : "",
    message: typeof errorMessage === "string" ? errorMessage : "",
  };
}

/** A handler's answer is none; the message says why, for the handler's log. */
export class WrongAnswer extends Error {}

/** Reads an answer. What is wrong with it stands in the log of the handler, where whoever wrote it looks; its caller hears of `refusal`. @throws as `refusal` says, and as `read`. */
export function readOrBlame<T>(
  { handlers, clock }: { readonly handlers: Pick<Handlers, "logs">; readonly clock: Pick<Clock, "wallMs"> },
  { environment, handler }: { readonly environment: string; readonly handler: string },
  read: () => T,
  refusal: () => Error,
): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WrongAnswer)) throw error;
    const text = `its answer cannot be used: ${error.message}`;
    handlers.logs.add(environment, handler, { atMs: clock.wallMs(), stream: "system", text });
    throw refusal();
  }
}

/**
 * The same as `Handlers.invoke`, for callers who did not choose the handler: one that is not there is not their mistake, and may be started later.
 * @throws TodokuError `unavailable`, `limit_exceeded`.
 */
export async function invokeNamed(
  handlers: Pick<Handlers, "invoke">,
  { environment, handler }: { readonly environment: string; readonly handler: string },
  event: string,
  timeoutMs: number | undefined,
): Promise<InvocationResult> {
  try {
    return await handlers.invoke(environment, handler, event, { timeoutMs });
  } catch (error) {
    if (!(error instanceof TodokuError) || error.code !== "not_found") throw error;
    throw new TodokuError("unavailable", error.message);
  }
}

/** Is it a JSON object? */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
