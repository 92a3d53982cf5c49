import { Buffer } from "node:buffer";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Position } from "../../domain/topics/position.ts";

/** What a path names: the items of a cache, or a topic. */
export interface Target {
  readonly kind: "cache" | "topics";
  readonly cache: string;
  /** "" when the path names a cache. */
  readonly topic: string;
}

/** Reads `/cache/{cache}` and `/topics/{cache}/{topic}`, percent-encoded. @throws TodokuError `not_found`, `invalid_argument`. */
export function toTarget(pathname: string): Target {
  const [, kind, ...names] = pathname.split("/");
  const isKnown = (kind === "cache" && names.length === 1) || (kind === "topics" && names.length === 2);
  if (!isKnown) {
    throw new TodokuError(
      "not_found",
      "there is nothing at this path: /cache/{cache} and /topics/{cache}/{topic} are",
      {
        subject: "route",
      },
    );
  }
  const [cache = "", topic = ""] = names.map(decode);
  return { kind, cache, topic };
}

/**
 * The key or token: as it is in `Authorization`, behind `Bearer ` there too, or as `?token=`. "" when there is neither.
 * @throws TodokuError `invalid_argument`: there are both.
 */
export function readCredential(authorization: string | undefined, query: URLSearchParams): string {
  const token = one(query, "token");
  if (authorization === undefined) return token ?? "";
  if (token !== undefined) {
    throw new TodokuError("invalid_argument", 'there must be one credential: the Authorization header or "token"');
  }
  return authorization.replace(/^bearer +/i, "").trim();
}

/** The item's key, of `key` or `key_base64`. @throws TodokuError `invalid_argument`. */
export function readKey(query: URLSearchParams): Uint8Array {
  const text = one(query, "key");
  // A plus sign that was not encoded has become a space.
  const base64 = one(query, "key_base64")?.replaceAll(" ", "+");
  if ((text === undefined) === (base64 === undefined)) {
    throw new TodokuError("invalid_argument", 'the query must have either "key" or "key_base64"');
  }
  if (base64 === undefined) return Buffer.from(text ?? "");
  if (!/^[\w+/-]*={0,2}$/.test(base64)) throw new TodokuError("invalid_argument", '"key_base64" is not base64');
  return Buffer.from(base64, "base64");
}

/** Milliseconds of `ttl_seconds`. @throws TodokuError `invalid_argument`. */
export function readTtlMs(query: URLSearchParams): number {
  const text = one(query, "ttl_seconds");
  const seconds = /^\d{1,9}$/.test(text ?? "") ? Number(text) : 0;
  const most = limits.itemTtlMaxMs / 1000;
  if (seconds >= 1 && seconds <= most) return seconds * 1000;
  const given = text === undefined ? "is missing: it" : `"${text.slice(0, 20)}"`;
  throw new TodokuError("invalid_argument", `"ttl_seconds" ${given} must be a whole number >= 1 and <= ${most}`);
}

/** Where a poll begins: behind which position, or from now on with sequence number 0. @throws TodokuError `invalid_argument`. */
export function readPlace(query: URLSearchParams): Position | undefined {
  const [sequence, page] = ["sequence_number", "sequence_page"].map((name) => {
    const number = Number(/^\d{1,16}$/.exec(one(query, name) ?? "0")?.[0]);
    if (Number.isSafeInteger(number)) return number;
    throw new TodokuError("invalid_argument", `"${name}" must be a whole number >= 0`);
  });
  return sequence === undefined || page === undefined || sequence === 0 ? undefined : { page, sequence: sequence - 1 };
}

/** @throws TodokuError `invalid_argument`: it is there twice. */
function one(query: URLSearchParams, name: string): string | undefined {
  const [value, ...others] = query.getAll(name);
  if (others.length > 0) throw new TodokuError("invalid_argument", `the query has "${name}" more than once`);
  return value;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new TodokuError("invalid_argument", "the path is not well percent-encoded");
  }
}
