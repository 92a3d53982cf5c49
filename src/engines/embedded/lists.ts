import type { CacheKey } from "../../domain/cache/cache.ts";
import { type ItemType, itemTypes, wrongType } from "../../domain/cache/item-type.ts";
import type { CollectionExpiry, ListSlice, ListStore } from "../../domain/cache/list-store.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import { type EmbeddedItems, nameCache } from "./items.ts";
import type { EmbeddedRecords } from "./records.ts";
import type { Storage } from "./storage.ts";
import { readVerdictWithSubject } from "./storage-verdict.ts";

/** A pushed element keeps the storage thread busy for 1 us, a published item for some 10. */
const elementsPerItem = 10;

/** The `disk` lists of a data directory. What changes one goes through the storage thread, what reads one through the reader thread. */
export function createDiskLists(storage: Storage, records: EmbeddedRecords, items: EmbeddedItems): ListStore {
  function write<T>(
    name: "push" | "pop" | "retain" | "remove" | "erase",
    place: { readonly cache: CacheKey; readonly key: Uint8Array; readonly nowMs: number },
    rest: { items?: number; bytes?: number; encode?(op: FieldWriter): void; decode(answer: FieldReader): T },
  ): Promise<T> {
    const { cache, key, nowMs } = place;
    return storage.writes
      .submit<T>({
        name: `lists.${name}`,
        items: rest.items ?? 1,
        bytes: key.byteLength + (rest.bytes ?? 0),
        encode(op) {
          op.put(cache.environment);
          op.put(cache.cacheId);
          op.putBlob(key);
          op.put(nowMs);
          rest.encode?.(op);
        },
        decode(answer) {
          readVerdictWithSubject(answer);
          return rest.decode(answer);
        },
        // An expired scalar may still lie in memory.
        apply: () => items.outdate(cache.cacheId, key),
      })
      .catch((error) => {
        throw nameCache(error, cache);
      });
  }

  async function read<T>(
    name: "listLength" | "listFetch",
    place: { readonly cache: CacheKey; readonly key: Uint8Array; readonly nowMs: number },
    rest: { encode?(op: FieldWriter): void; decode(answer: FieldReader): T },
  ): Promise<T | undefined> {
    const { cache, key, nowMs } = place;
    if (!records.isLive(cache.cacheId, "items")) return undefined;
    const { held, result } = await storage.reads.submit<{ held: ItemType | undefined; result: T | undefined }>({
      name,
      encode(op) {
        op.put(cache.cacheId);
        op.putBlob(key);
        op.put(nowMs);
        rest.encode?.(op);
      },
      decode(answer) {
        const type = answer.numberOrNull();
        const held = type === null ? undefined : itemTypes[type];
        return { held, result: held === "list" ? rest.decode(answer) : undefined };
      },
    });
    if (held !== undefined && held !== "list") throw wrongType(held, "list");
    return result;
  }

  return {
    push: (cache, key, { end, values, truncateTo, expiry }, nowMs) =>
      write(
        "push",
        { cache, key, nowMs },
        {
          items: 1 + Math.floor(values.length / elementsPerItem),
          bytes: values.reduce((sum, { byteLength }) => sum + byteLength, 0),
          encode(op) {
            putExpiry(op, expiry);
            op.put(end);
            op.put(truncateTo ?? null);
            op.put(values.length);
            for (const value of values) op.putBlob(value);
          },
          decode: (answer) => answer.number(),
        },
      ),
    pop: (cache, key, end, nowMs) =>
      write(
        "pop",
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
        "listFetch",
        { cache, key, nowMs },
        {
          encode: (op) => putSlice(op, slice),
          decode: (answer) => Array.from({ length: answer.number() }, () => answer.blob()),
        },
      ),
    length: (cache, key, nowMs) => read("listLength", { cache, key, nowMs }, { decode: (answer) => answer.number() }),
    retain: (cache, key, slice, expiry, nowMs) =>
      write(
        "retain",
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
        "remove",
        { cache, key, nowMs },
        {
          bytes: value.byteLength,
          encode: (op) => op.putBlob(value),
          decode: lengthOrNone,
        },
      ),
    erase: (cache, key, ranges, nowMs) =>
      write(
        "erase",
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

function putExpiry(op: FieldWriter, { expiresAtMs, isRefreshed }: CollectionExpiry): void {
  op.put(expiresAtMs);
  op.put(Number(isRefreshed));
}
