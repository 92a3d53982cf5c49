import type { IncomingHttpHeaders } from "node:http";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { type StatusName, statusByName, toStatusName } from "./faults-names.ts";

const { requestIdMaxLength, countMax, delayMaxMs } = limits.faults;

/** What a call asks to go wrong, of which RPCs; `count`: of how many calls with its request id, undefined = of all. */
export interface AskedFaults {
  /** "": none was given, so nothing is counted. */
  readonly requestId: string;
  readonly delay:
    | { readonly rpcs: readonly string[]; readonly ms: number; readonly count: number | undefined }
    | undefined;
  readonly error:
    | { readonly rpcs: readonly string[]; readonly status: StatusName; readonly count: number | undefined }
    | undefined;
  /** After `messages` of each stream, heartbeats too. */
  readonly streamError:
    | { readonly rpcs: readonly string[]; readonly status: StatusName; readonly messages: number }
    | undefined;
}

/** Most calls ask for nothing: this is all that they cost. Each of the other fault headers is nothing without one of these. */
export function asksForFaults(headers: IncomingHttpHeaders): boolean {
  return (
    headers["error-rpcs"] !== undefined ||
    headers["return-error"] !== undefined ||
    headers["delay-rpcs"] !== undefined ||
    headers["delay-ms"] !== undefined ||
    headers["stream-error-rpcs"] !== undefined ||
    headers["stream-error"] !== undefined
  );
}

/**
 * Reads the fault headers (Momento 9); an empty one is none. `rpcs` are the names that there are.
 * @throws TodokuError `invalid_argument` that names the header, its value and what is allowed.
 */
export function readFaults(headers: IncomingHttpHeaders, rpcs: ReadonlySet<string>): AskedFaults {
  const text = (name: string) => textOf(headers, name);
  const [delayed, failing, breaking] = [
    readPair(text, "delay-ms", "delay-rpcs", rpcs),
    readPair(text, "return-error", "error-rpcs", rpcs),
    readPair(text, "stream-error", "stream-error-rpcs", rpcs),
  ];
  const requestId = readRequestId(text);
  return {
    requestId,
    delay: delayed && {
      rpcs: delayed,
      ms: readNumber(text, "delay-ms", delayMaxMs) ?? 0,
      count: readCount(text, "delay-count", requestId),
    },
    error: failing && {
      rpcs: failing,
      status: readStatus(text, "return-error"),
      count: readCount(text, "error-count", requestId),
    },
    streamError: breaking && {
      rpcs: breaking,
      status: readStatus(text, "stream-error"),
      messages: readNumber(text, "stream-error-message-limit", countMax) ?? 0,
    },
  };
}

/** The text of a header; "" when it is not there. */
type Text = (name: string) => string;

function textOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value.trim() : "";
}

/** Of what and of which RPCs go together; the RPCs, or undefined when there is neither. */
function readPair(text: Text, what: string, which: string, rpcs: ReadonlySet<string>): readonly string[] | undefined {
  if (text(what) === "" && text(which) === "") return undefined;
  if (text(what) === "" || text(which) === "") {
    const [missing, given] = text(what) === "" ? [what, which] : [which, what];
    throw new TodokuError(
      "invalid_argument",
      `header ${given} is "${text(given)}" and ${missing} is missing: give both or none`,
    );
  }
  const names = text(which).split(/\s+/);
  const unknown = names.find((name) => !rpcs.has(name));
  if (unknown !== undefined) {
    refuse(
      which,
      unknown,
      "must be RPCs that are served, divided by spaces, like: get set-if sorted-set-fetch topic-publish",
    );
  }
  return names;
}

function readStatus(text: Text, name: string): StatusName {
  return toStatusName(text(name)) ?? refuse(name, text(name), `must be one of ${Object.keys(statusByName).join(", ")}`);
}

function readNumber(text: Text, name: string, max: number): number | undefined {
  if (text(name) === "") return undefined;
  const number = /^\d{1,15}$/.test(text(name)) ? Number(text(name)) : Number.POSITIVE_INFINITY;
  return number <= max ? number : refuse(name, text(name), `must be a whole number from 0 to ${max}`);
}

/** Calls are counted by their request id, so there is no count without one. */
function readCount(text: Text, name: string, requestId: string): number | undefined {
  const count = readNumber(text, name, countMax);
  if (count !== undefined && requestId === "") {
    throw new TodokuError(
      "invalid_argument",
      `header ${name} is "${count}" and request-id is missing: calls are counted by it`,
    );
  }
  return count;
}

function readRequestId(text: Text): string {
  const requestId = text("request-id");
  if (requestId.length <= requestIdMaxLength) return requestId;
  const [shown, { length }] = [`${requestId.slice(0, 32)}...`, requestId];
  return refuse("request-id", shown, `has ${length} characters; must have <= ${requestIdMaxLength}`);
}

function refuse(name: string, value: string, bound: string): never {
  const shown = value.length <= 64 ? value : `${value.slice(0, 64)}...`;
  throw new TodokuError("invalid_argument", `header ${name}: "${shown}" ${bound}`);
}
