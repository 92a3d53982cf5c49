import type { CacheKey } from "../../domain/cache/cache.ts";
import type { ItemStore, SetCondition, StoredItem } from "../../domain/cache/store.ts";
import { wholeNumberBytes } from "../../domain/cache/whole-number.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { Storage } from "./storage.ts";
import { readVerdictWithSubject } from "./storage-verdict.ts";

/** What the process remembers of `disk` items. */
export interface ItemMemory {
  /** The item as it was committed a moment ago. */
  committed(cacheId: number, key: Uint8Array, item: StoredItem): void;
  /** Its value is as it was, its end is not. */
  moved(cacheId: number, key: Uint8Array, expiresAtMs: number): void;
}

/** An operation of storage-items-changes.ts: what follows its place, and what is answered behind the verdict. */
interface Change<T> {
  /** Of what it brings beside the key. */
  readonly bytes: number;
  encode(op: FieldWriter): void;
  decode(answer: FieldReader): T;
  apply(result: T): void;
}

/** Changes of `disk` items that depend on what the key holds: the storage thread sees to it that nothing comes between. */
export function createItemChanges(
  storage: Storage,
  memory: ItemMemory,
): Pick<ItemStore, "setIf" | "increment" | "updateTtl"> {
  function submit<T>(name: string, cache: CacheKey, key: Uint8Array, nowMs: number, change: Change<T>): Promise<T> {
    const answer = storage.writes.submit({
      name,
      items: 1,
      bytes: key.byteLength + change.bytes,
      encode(op) {
        op.put(cache.environment);
        op.put(cache.cacheId);
        op.putBlob(key);
        op.put(nowMs);
        change.encode(op);
      },
      decode(answer) {
        readVerdictWithSubject(answer);
        return change.decode(answer);
      },
      apply: change.apply,
    });
    return answer.catch((error) => {
      throw nameCache(error, cache);
    });
  }

  return {
    setIf: (cache, key, item, condition, nowMs) =>
      submit("items.setIf", cache, key, nowMs, {
        bytes: item.value.byteLength + comparedBytes(condition),
        encode(op) {
          op.putBlob(item.value);
          op.put(item.expiresAtMs);
          putCondition(op, condition);
        },
        decode: (answer) => answer.number() === 1,
        apply: (isStored) => isStored && memory.committed(cache.cacheId, key, item),
      }),
    increment: (cache, key, amount, expiresAtMs, nowMs) =>
      submit("items.increment", cache, key, nowMs, {
        bytes: wholeNumberBytes(amount).byteLength,
        encode(op) {
          op.put(`${amount}`);
          op.put(expiresAtMs);
        },
        decode: (answer) => BigInt(answer.text()),
        apply: (sum) => memory.committed(cache.cacheId, key, { value: wholeNumberBytes(sum), expiresAtMs }),
      }),
    updateTtl: (cache, key, { to, expiresAtMs }, nowMs) =>
      submit("items.updateTtl", cache, key, nowMs, {
        bytes: 0,
        encode(op) {
          op.put(to);
          op.put(expiresAtMs);
        },
        decode(answer) {
          const isMoved = answer.numberOrNull();
          return isMoved === null ? undefined : isMoved === 1 ? "set" : "not set";
        },
        apply: (outcome) => outcome === "set" && memory.moved(cache.cacheId, key, expiresAtMs),
      }),
  };
}

function comparedBytes({ ifPresent }: SetCondition): number {
  return typeof ifPresent === "boolean" ? 0 : ifPresent.with.byteLength;
}

function putCondition(op: FieldWriter, { ifAbsent, ifPresent }: SetCondition): void {
  op.put(Number(ifAbsent));
  if (typeof ifPresent === "boolean") {
    op.put(null);
    op.put(Number(ifPresent));
  } else {
    op.put(ifPresent.compare);
    op.putBlob(ifPresent.with);
    op.put(Number(ifPresent.isEqual));
  }
}

/** As {@link putCondition} wrote it. */
export function readCondition(op: FieldReader): SetCondition {
  const [ifAbsent, compare] = [op.number() === 1, op.textOrNull() as "value" | "hash" | null];
  if (compare === null) return { ifAbsent, ifPresent: op.number() === 1 };
  return { ifAbsent, ifPresent: { compare, with: op.blob(), isEqual: op.number() === 1 } };
}

/** The storage thread knows numbers only. */
export function nameCache(error: TodokuError, key: CacheKey): TodokuError {
  if (error.code !== "not_found") return error;
  return new TodokuError("not_found", `cache ${key.cache} does not exist`, { subject: "cache" });
}
