import { textOf } from "../../lib/byte-text.ts";
import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Cache } from "./cache.ts";
import type { Caches } from "./caches.ts";
import { type CollectionTtl, checkCount, checkElements, expiryOf } from "./collections.ts";
import type { DictionaryEntry } from "./dictionary-store.ts";
import { createOnKey } from "./keys.ts";

/**
 * The dictionaries of a cache: fields and values of up to `limits.elementMaxBytes` each, up to `limits.collectionMaxElements` in a call. A
 * dictionary without fields does not exist; undefined: there is no dictionary.
 * All: @throws TodokuError `failed_precondition`: the key holds another type.
 */
export interface Dictionaries {
  /** All or nothing; of a field that is given twice the last value counts. @throws TodokuError `limit_exceeded`. */
  set(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    entries: readonly DictionaryEntry[],
    ttl: CollectionTtl,
  ): Promise<void>;
  /**
   * Adds to the whole number of 64 bits that the field holds in decimal digits, 0 where there is none. Answers the sum. Reads and writes, so it
   * needs both permissions. @throws TodokuError `failed_precondition`: another text, or a sum of more than 64 bits; `limit_exceeded`.
   */
  increment(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    field: Uint8Array,
    amount: bigint,
    ttl: CollectionTtl,
  ): Promise<bigint>;
  /** Takes these fields away, undefined: all. No error when there is nothing. */
  delete(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    fields: readonly Uint8Array[] | undefined,
  ): Promise<void>;
  /** The values in the order of `fields`; undefined in place of one that is not there. @throws TodokuError `limit_exceeded`: fields that are given more than once make it too large. */
  get(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    fields: readonly Uint8Array[],
  ): Promise<readonly (Uint8Array | undefined)[] | undefined>;
  /** In no order that is promised. */
  fetch(principal: Principal, cache: string, key: Uint8Array): Promise<readonly DictionaryEntry[] | undefined>;
  length(principal: Principal, cache: string, key: Uint8Array): Promise<number | undefined>;
}

export function createDictionaries(
  engine: Pick<Engine, "dictionaries">,
  caches: Pick<Caches, "known" | "get" | "current">,
  steadyMs: () => number,
): Dictionaries {
  const onKey = createOnKey(caches, steadyMs);
  const dictionariesOf = ({ durability }: Cache) => engine.dictionaries[durability];

  return {
    set(principal, name, key, entries, ttl) {
      return onKey(principal, ["item.write"], name, key, (cache, nowMs) => {
        checkCount("fields to set", entries.length);
        const fields = entries.map(({ field }) => field);
        const values = entries.map(({ value }) => value);
        checkElements("field", fields);
        checkElements("value", values);
        return dictionariesOf(cache).set(cache, key, entries, expiryOf(ttl, nowMs), nowMs);
      });
    },
    increment(principal, name, key, field, amount, ttl) {
      return onKey(principal, ["item.read", "item.write"], name, key, (cache, nowMs) => {
        checkElements("field", [field]);
        return dictionariesOf(cache).increment(cache, key, field, amount, expiryOf(ttl, nowMs), nowMs);
      });
    },
    delete(principal, name, key, fields) {
      return onKey(principal, ["item.write"], name, key, (cache, nowMs) => {
        checkCount("fields to delete", fields?.length ?? 0);
        return dictionariesOf(cache).delete(cache, key, fields, nowMs);
      });
    },
    get(principal, name, key, fields) {
      return onKey(principal, ["item.read"], name, key, async (cache, nowMs) => {
        checkCount("fields to get", fields.length);
        // Each once: a hundred thousand times the same field would be 13 GB.
        const distinct = new Map(fields.map((field) => [textOf(field), field]));
        const values = await dictionariesOf(cache).get(cache, key, [...distinct.values()], nowMs);
        if (values === undefined || distinct.size === fields.length) return values;
        const found = new Map([...distinct.keys()].map((text, n) => [text, values[n]]));
        const answer = fields.map((field) => found.get(textOf(field)));
        checkAnswer(answer);
        return answer;
      });
    },
    fetch(principal, name, key) {
      return onKey(principal, ["item.read"], name, key, (cache, nowMs) =>
        dictionariesOf(cache).fetch(cache, key, nowMs),
      );
    },
    length(principal, name, key) {
      return onKey(principal, ["item.read"], name, key, (cache, nowMs) =>
        dictionariesOf(cache).length(cache, key, nowMs),
      );
    },
  };
}

/** What a value takes in an answer of Momento's protocol beside its own bytes. */
const answerExtraBytes = 8;

/** @throws TodokuError `limit_exceeded`. */
function checkAnswer(values: readonly (Uint8Array | undefined)[]): void {
  const bytes = values.reduce((sum, value) => sum + (value?.byteLength ?? 0) + answerExtraBytes, 0);
  if (bytes <= limits.collectionMaxBytes) return;
  const text = `item size: the answer would have ${bytes} bytes; must be <= ${limits.collectionMaxBytes}`;
  throw new TodokuError("limit_exceeded", text, { subject: "item_size" });
}
