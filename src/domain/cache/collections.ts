import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { checkTtl } from "./ttl.ts";

/** Time to live of a collection: counts for a new one; one that exists keeps its end unless it `isRefreshed`. */
export interface CollectionTtl {
  /** 1..`limits.itemTtlMaxMs` */
  readonly ttlMs: number;
  readonly isRefreshed: boolean;
}

/** When a collection ends: a new one at `expiresAtMs` of the steady clock, one that exists only when it is refreshed. */
export interface CollectionExpiry {
  readonly expiresAtMs: number;
  readonly isRefreshed: boolean;
}

/** @throws TodokuError `invalid_argument`. */
export function expiryOf({ ttlMs, isRefreshed }: CollectionTtl, nowMs: number): CollectionExpiry {
  checkTtl(ttlMs);
  return { expiresAtMs: nowMs + ttlMs, isRefreshed };
}

/** `what`: in the plural, for the text. @throws TodokuError `invalid_argument`. */
export function checkCount(what: string, count: number, max: number = limits.collectionMaxElements): void {
  if (count > max) throw new TodokuError("invalid_argument", `${count} ${what}; must be <= ${max}`);
}

/** `what` each of them is, for the text. @throws TodokuError `limit_exceeded`. */
export function checkElements(what: string, values: readonly Uint8Array[]): void {
  for (const { length } of values) {
    if (length <= limits.elementMaxBytes) continue;
    const text = `element size: the ${what} has ${length} bytes; must be <= ${limits.elementMaxBytes}`;
    throw new TodokuError("limit_exceeded", text, { subject: "element_size" });
  }
}

/** What an element counts beside its bytes, for it takes that much in an answer that has all of them. */
const elementExtraBytes = 4;

/** What a collection may come to. */
export interface CollectionBounds {
  /** Of all elements, with 4 for each. */
  readonly maxBytes: number;
  readonly maxElements: number;
}

/** Of a collection under a key. */
const collectionBounds: CollectionBounds = {
  maxBytes: limits.collectionMaxBytes,
  maxElements: limits.collectionMaxElements,
};

/** `bytes`: of all elements. @throws TodokuError `limit_exceeded`. */
export function checkCollection(
  elements: number,
  bytes: number,
  { maxBytes, maxElements }: CollectionBounds = collectionBounds,
): void {
  const total = bytes + elements * elementExtraBytes;
  const refuse = (text: string) => new TodokuError("limit_exceeded", `item size: ${text}`, { subject: "item_size" });
  if (total > maxBytes) throw refuse(`the collection would have ${total} bytes; must be <= ${maxBytes}`);
  if (elements > maxElements) {
    throw refuse(`the collection would have ${elements} elements; must be <= ${maxElements}`);
  }
}
