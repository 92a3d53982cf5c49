import type { SetStore } from "../../domain/cache/set-store.ts";
import { bytesOf, type DiskCollections, putBlobs, putExpiry, readBlobs } from "./disk-collections.ts";

/** The `disk` sets of a data directory. */
export function createDiskSets({ write, read }: DiskCollections): SetStore {
  return {
    union: (cache, key, elements, expiry, nowMs) =>
      write(
        "sets.union",
        { cache, key, nowMs },
        {
          elements: elements.length,
          bytes: bytesOf(elements),
          encode(op) {
            putExpiry(op, expiry);
            putBlobs(op, elements);
          },
          decode() {},
        },
      ),
    subtract: (cache, key, elements, nowMs) =>
      write(
        "sets.subtract",
        { cache, key, nowMs },
        {
          elements: elements?.length ?? 0,
          bytes: bytesOf(elements ?? []),
          encode(op) {
            op.put(Number(elements === undefined));
            if (elements !== undefined) putBlobs(op, elements);
          },
          decode: (answer) => answer.numberOrNull() ?? undefined,
        },
      ),
    subtractFrom: (cache, key, minuend, nowMs) =>
      write(
        "sets.subtractFrom",
        { cache, key, nowMs },
        {
          elements: minuend.length,
          bytes: bytesOf(minuend),
          encode: (op) => putBlobs(op, minuend),
          decode: (answer) => answer.numberOrNull() ?? undefined,
        },
      ),
    pop: (cache, key, count, nowMs) =>
      write(
        "sets.pop",
        { cache, key, nowMs },
        {
          encode: (op) => op.put(count),
          decode(answer) {
            const popped = answer.numberOrNull();
            return popped === null ? undefined : Array.from({ length: popped }, () => answer.blob());
          },
        },
      ),
    sample: (cache, key, count, nowMs) =>
      read("sets.sample", { cache, key, nowMs }, { encode: (op) => op.put(count), decode: readBlobs }),
    fetch: (cache, key, nowMs) => read("sets.fetch", { cache, key, nowMs }, { decode: readBlobs }),
    contains: (cache, key, elements, nowMs) =>
      read(
        "sets.contains",
        { cache, key, nowMs },
        {
          encode: (op) => putBlobs(op, elements),
          decode: (answer) => elements.map(() => answer.number() === 1),
        },
      ),
    length: (cache, key, nowMs) => read("sets.length", { cache, key, nowMs }, { decode: (answer) => answer.number() }),
  };
}
