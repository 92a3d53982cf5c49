import type { ListSlice, ListStore } from "../../domain/cache/list-store.ts";
import { bytesOf, type DiskCollections, putBlobs, putExpiry } from "./disk-collections.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";

/** To compare all values of the longest list takes 20 ms: counted as so many elements, eighty removals make a batch. */
const removeElements = 500;

/** The `disk` lists of a data directory. */
export function createDiskLists({ write, read }: DiskCollections): ListStore {
  return {
    push: (cache, key, { end, values, truncateTo, expiry }, nowMs) =>
      write(
        "lists.push",
        { cache, key, nowMs },
        {
          elements: values.length,
          bytes: bytesOf(values),
          encode(op) {
            putExpiry(op, expiry);
            op.put(end);
            op.put(truncateTo ?? null);
            putBlobs(op, values);
          },
          decode: (answer) => answer.number(),
        },
      ),
    pop: (cache, key, end, nowMs) =>
      write(
        "lists.pop",
        { cache, key, nowMs },
        {
          encode: (op) => op.put(end),
          decode(answer) {
            const length = answer.numberOrNull();
            return length === null ? undefined : { length, value: answer.blob() };
          },
        },
      ),
    fetch: (cache, key, slice, nowMs) =>
      read(
        "lists.fetch",
        { cache, key, nowMs },
        {
          encode: (op) => putSlice(op, slice),
          decode: (answer) => Array.from({ length: answer.number() }, () => answer.blob()),
        },
      ),
    length: (cache, key, nowMs) => read("lists.length", { cache, key, nowMs }, { decode: (answer) => answer.number() }),
    retain: (cache, key, slice, expiry, nowMs) =>
      write(
        "lists.retain",
        { cache, key, nowMs },
        {
          encode(op) {
            putSlice(op, slice);
            putExpiry(op, expiry);
          },
          decode: lengthOrNone,
        },
      ),
    remove: (cache, key, value, nowMs) =>
      write(
        "lists.remove",
        { cache, key, nowMs },
        {
          elements: removeElements,
          bytes: value.byteLength,
          encode: (op) => op.putBlob(value),
          decode: lengthOrNone,
        },
      ),
    erase: (cache, key, ranges, nowMs) =>
      write(
        "lists.erase",
        { cache, key, nowMs },
        {
          encode(op) {
            op.put(ranges.length);
            for (const { start, count } of ranges) {
              op.put(start);
              op.put(count);
            }
          },
          decode: lengthOrNone,
        },
      ),
  };
}

function lengthOrNone(answer: FieldReader): number | undefined {
  return answer.numberOrNull() ?? undefined;
}

function putSlice(op: FieldWriter, { start, end }: ListSlice): void {
  op.put(start ?? null);
  op.put(end ?? null);
}
