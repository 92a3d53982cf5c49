import type { DictionaryStore } from "../../domain/cache/dictionary-store.ts";
import { bytesOf, type DiskCollections, putBlobs, putExpiry } from "./disk-collections.ts";

/** The `disk` dictionaries of a data directory. */
export function createDiskDictionaries({ write, read }: DiskCollections): DictionaryStore {
  return {
    set(cache, key, entries, expiry, nowMs) {
      const blobs = entries.flatMap(({ field, value }) => [field, value]);
      return write(
        "dictionaries.set",
        { cache, key, nowMs },
        {
          elements: entries.length,
          bytes: bytesOf(blobs),
          encode(op) {
            putExpiry(op, expiry);
            putBlobs(op, blobs);
          },
          decode: () => {},
        },
      );
    },
    increment: (cache, key, field, amount, expiry, nowMs) =>
      write(
        "dictionaries.increment",
        { cache, key, nowMs },
        {
          bytes: field.byteLength,
          encode(op) {
            putExpiry(op, expiry);
            op.putBlob(field);
            op.put(`${amount}`);
          },
          decode: (answer) => BigInt(answer.text()),
        },
      ),
    delete: (cache, key, fields, nowMs) =>
      write(
        "dictionaries.delete",
        { cache, key, nowMs },
        {
          elements: fields?.length ?? 0,
          bytes: bytesOf(fields ?? []),
          encode(op) {
            op.put(Number(fields === undefined));
            putBlobs(op, fields ?? []);
          },
          decode: () => {},
        },
      ),
    get: (cache, key, fields, nowMs) =>
      read(
        "dictionaries.get",
        { cache, key, nowMs },
        {
          encode: (op) => putBlobs(op, fields),
          decode: (answer) => fields.map(() => (answer.number() === 1 ? answer.blob() : undefined)),
        },
      ),
    fetch: (cache, key, nowMs) =>
      read(
        "dictionaries.fetch",
        { cache, key, nowMs },
        {
          decode: (answer) =>
            Array.from({ length: answer.number() }, () => ({ field: answer.blob(), value: answer.blob() })),
        },
      ),
    length: (cache, key, nowMs) =>
      read("dictionaries.length", { cache, key, nowMs }, { decode: (answer) => answer.number() }),
  };
}
