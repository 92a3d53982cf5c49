import type { CacheKey } from "./cache.ts";
import type { CollectionExpiry } from "./collections.ts";

export type ListEnd = "front" | "back";

/** Part of a list as `Array.slice` takes it: `end` is exclusive, negative ones count from the back, undefined is all the way. */
export interface ListSlice {
  readonly start: number | undefined;
  readonly end: number | undefined;
}

/** `count` elements from the index `start` on, 0 being the front; past the list's back there are none. */
export interface ListRange {
  readonly start: number;
  readonly count: number;
}

/** Values that are added in their order, at the front too; then the other end is cut until `truncateTo` elements are left. */
export interface ListPush {
  readonly end: ListEnd;
  readonly values: readonly Uint8Array[];
  readonly truncateTo: number | undefined;
  readonly expiry: CollectionExpiry;
}

/** An element that was taken, and how many are left. */
export interface PoppedElement {
  readonly value: Uint8Array;
  readonly length: number;
}

/**
 * What an engine must do for lists. They share keys, expiry and byte budget with the other items of a cache, whose `ItemStore` deletes,
 * sweeps and forgets them. The laws are in list-store.contract.ts. `nowMs` is of the steady clock: an expired list is none.
 * A list without elements does not exist. Lengths that are answered are those afterwards; undefined: there was no list.
 * All: @throws TodokuError `failed_precondition` (the key holds another type), `unavailable`. What changes a list also `not_found`
 * (forgotten cache).
 */
export interface ListStore {
  /** Makes the list when there is none. @throws TodokuError `limit_exceeded`: the list, or the environment's byte budget. */
  push(cache: CacheKey, key: Uint8Array, push: ListPush, nowMs: number): Promise<number>;
  pop(cache: CacheKey, key: Uint8Array, end: ListEnd, nowMs: number): Promise<PoppedElement | undefined>;
  /** The elements, from the front; none when the slice lies outside. */
  fetch(cache: CacheKey, key: Uint8Array, slice: ListSlice, nowMs: number): Promise<readonly Uint8Array[] | undefined>;
  length(cache: CacheKey, key: Uint8Array, nowMs: number): Promise<number | undefined>;
  /** Drops all but the slice. */
  retain(
    cache: CacheKey,
    key: Uint8Array,
    slice: ListSlice,
    expiry: CollectionExpiry,
    nowMs: number,
  ): Promise<number | undefined>;
  /** Drops every element with this value: looks at all of them, 0.1 us each. */
  remove(cache: CacheKey, key: Uint8Array, value: Uint8Array, nowMs: number): Promise<number | undefined>;
  /** Drops these ranges of the list as it was before; they may overlap. */
  erase(cache: CacheKey, key: Uint8Array, ranges: readonly ListRange[], nowMs: number): Promise<number | undefined>;
}

/** Indexes: `from` is the first of the slice, `to` the one behind its last. `from` >= `to`: it is empty. */
export function resolveSlice(
  { start, end }: ListSlice,
  length: number,
): { readonly from: number; readonly to: number } {
  const place = (index: number) => (index < 0 ? Math.max(length + index, 0) : Math.min(index, length));
  return { from: place(start ?? 0), to: place(end ?? length) };
}

/** The same ranges without what lies outside, apart from each other, from the front to the back. */
export function mergeRanges(ranges: readonly ListRange[], length: number): { from: number; to: number }[] {
  const merged: { from: number; to: number }[] = [];
  for (const { start, count } of ranges.toSorted((a, b) => a.start - b.start)) {
    const to = Math.min(start + count, length);
    if (start >= to) continue;
    const last = merged.at(-1);
    if (last !== undefined && start <= last.to) last.to = Math.max(last.to, to);
    else merged.push({ from: start, to });
  }
  return merged;
}

/** The values that a push adds, and how many elements are cut at the other end; those that would be cut at once are not added. */
export function planPush(
  push: Omit<ListPush, "expiry">,
  length: number,
): { readonly values: readonly Uint8Array[]; readonly cut: number } {
  const { end, truncateTo = Infinity } = push;
  let { values } = push;
  if (values.length > truncateTo) values = end === "back" ? values.slice(-truncateTo) : values.slice(0, truncateTo);
  return { values, cut: Math.max(0, length + values.length - truncateTo) };
}
