import type { CacheKey } from "../../domain/cache/cache.ts";
import type { CollectionExpiry } from "../../domain/cache/collections.ts";
import { type ItemType, itemTypes, wrongType } from "../../domain/cache/item-type.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { EmbeddedItems } from "./items.ts";
import { nameCache } from "./items-changes.ts";
import type { EmbeddedRecords } from "./records.ts";
import type { Storage } from "./storage.ts";
import { readVerdictWithSubject } from "./storage-verdict.ts";

/** Where a collection is, or is to be; `nowMs` of the steady clock. */
interface KeyPlace {
  readonly cache: CacheKey;
  readonly key: Uint8Array;
  readonly nowMs: number;
}

/** A change beside its place. `elements` and `bytes` of what it brings: they bound what is under way. */
interface Change<T> {
  readonly elements?: number;
  readonly bytes?: number;
  encode?(op: FieldWriter): void;
  decode(answer: FieldReader): T;
}

/** How a kind of `disk` collection asks the two threads. What changes one goes through the storage thread, what reads one through the reader thread. */
export interface DiskCollections {
  /** `name`: of an operation of storage-thread.ts, which answers with a verdict (storage-verdict.ts). */
  write<T>(name: string, place: KeyPlace, change: Change<T>): Promise<T>;
  /** `name`: of a read of reader-thread.ts, which answers as reader-collections.ts says; undefined: there is no such collection. */
  read<T>(
    name: string,
    place: KeyPlace,
    rest: { encode?(op: FieldWriter): void; decode(answer: FieldReader): T },
  ): Promise<T | undefined>;
}

/** An added element keeps the storage thread busy for some 1 us, a published item for some 10. */
const elementsPerItem = 10;

export function createDiskCollections(
  { storage, records, items }: { storage: Storage; records: EmbeddedRecords; items: EmbeddedItems },
  type: ItemType,
): DiskCollections {
  return {
    write(name, { cache, key, nowMs }, { elements = 0, bytes = 0, encode, decode }) {
      return storage.writes
        .submit({
          name,
          items: 1 + Math.floor(elements / elementsPerItem),
          bytes: key.byteLength + bytes,
          encode(op) {
            op.put(cache.environment);
            op.put(cache.cacheId);
            op.putBlob(key);
            op.put(nowMs);
            encode?.(op);
          },
          decode(answer) {
            readVerdictWithSubject(answer);
            return decode(answer);
          },
          // An expired scalar may still lie in memory.
          apply: () => items.outdate(cache.cacheId, key),
        })
        .catch((error) => {
          throw nameCache(error, cache);
        });
    },
    async read<T>(
      name: string,
      { cache, key, nowMs }: KeyPlace,
      rest: { encode?(op: FieldWriter): void; decode(answer: FieldReader): T },
    ) {
      if (!records.isLive(Math.abs(cache.cacheId), "items")) return undefined;
      const { held, result } = await storage.reads.submit<{ held: ItemType | undefined; result: T | undefined }>({
        name,
        encode(op) {
          op.put(cache.cacheId);
          op.putBlob(key);
          op.put(nowMs);
          rest.encode?.(op);
        },
        decode(answer) {
          const number = answer.numberOrNull();
          const held = number === null ? undefined : itemTypes[number];
          return { held, result: held === type ? rest.decode(answer) : undefined };
        },
      });
      if (held !== undefined && held !== type) throw wrongType(held, type);
      return result;
    },
  };
}

export function putExpiry(op: FieldWriter, { expiresAtMs, isRefreshed }: CollectionExpiry): void {
  op.put(expiresAtMs);
  op.put(Number(isRefreshed));
}

/** As {@link putExpiry} wrote it. */
export function readExpiry(op: FieldReader): CollectionExpiry {
  return { expiresAtMs: op.number(), isRefreshed: op.number() === 1 };
}

export function putBlobs(op: FieldWriter, blobs: readonly Uint8Array[]): void {
  op.put(blobs.length);
  for (const blob of blobs) op.putBlob(blob);
}

/** As {@link putBlobs} wrote them. */
export function readBlobs(op: FieldReader): Uint8Array[] {
  return Array.from({ length: op.number() }, () => op.blob());
}

/** Of all of them together. */
export function bytesOf(blobs: readonly Uint8Array[]): number {
  return blobs.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
