import type { DatabaseSync } from "node:sqlite";
import type { DictionaryEntry } from "../../domain/cache/dictionary-store.ts";
import { textOf } from "../../lib/byte-text.ts";
import { isOwnKey, keyOf } from "./element-keys.ts";

/** What SQLite keeps for an element beside its bytes, with 1 M in no order: 37 with a field of 12 bytes, 46 with one of 16, for the index has them too. */
const elementOverheadBytes = 40;
/** To look a field up takes 1 us, as long as counting so many elements. */
const countedPerLookup = 3;
/** So many are looked up in any case. */
const fewFields = 64;

/** Elements, and the bytes of their fields and values. */
export interface DictionarySize {
  readonly elements: number;
  readonly elementBytes: number;
}

/** Of no dictionary. */
export const noSize: DictionarySize = { elements: 0, elementBytes: 0 };

/** The elements of dictionaries, in the storage thread. `size` is that of the dictionary before; its size afterwards is answered. */
export interface DictionaryElements {
  valueOf(collection: number, field: Uint8Array): Uint8Array | undefined;
  /** Of a field that is given twice the last value counts. */
  put(collection: number, size: DictionarySize, entries: readonly DictionaryEntry[]): DictionarySize;
  drop(collection: number, size: DictionarySize, fields: readonly Uint8Array[]): DictionarySize;
}

/** What elements take of the environment's budget. */
export function dictionaryBudget({ elements, elementBytes }: DictionarySize): number {
  return elementBytes + elements * elementOverheadBytes;
}

/** `budget`: what so many elements take of the environment's budget. */
export function dictionarySize(elements: number, budget: number): DictionarySize {
  return { elements, elementBytes: budget - elements * elementOverheadBytes };
}

export function createDictionaryElements(db: DatabaseSync): DictionaryElements {
  const value = db.prepare("SELECT value FROM dictionary_elements WHERE collection = ? AND key = ?");
  const put = db.prepare(
    "INSERT INTO dictionary_elements (collection, key, field, value) VALUES (?, ?, ?, ?) ON CONFLICT (collection, key) DO UPDATE SET value = excluded.value",
  );
  const drop = db.prepare("DELETE FROM dictionary_elements WHERE collection = ? AND key = ?");
  const bytesOf = db.prepare(
    "SELECT length(coalesce(field, key)) + length(value) AS bytes FROM dictionary_elements WHERE collection = ? AND key = ?",
  );
  const total = db.prepare(
    "SELECT count(*) AS elements, total(length(coalesce(field, key)) + length(value)) AS bytes FROM dictionary_elements WHERE collection = ?",
  );

  function sizeOf(collection: number): DictionarySize {
    const row = total.get(collection);
    return { elements: row?.elements as number, elementBytes: row?.bytes as number };
  }

  /** Without these fields, each given once, as they are before a change. */
  function without(collection: number, size: DictionarySize, fields: Iterable<Uint8Array>): DictionarySize {
    let { elements, elementBytes } = size;
    for (const field of fields) {
      const row = bytesOf.get(collection, keyOf(field));
      if (row === undefined) continue;
      elements -= 1;
      elementBytes -= row.bytes as number;
    }
    return { elements, elementBytes };
  }

  return {
    valueOf: (collection, field) => value.get(collection, keyOf(field))?.value as Uint8Array | undefined,
    put(collection, size, entries) {
      const store = () => {
        for (const { field, value } of entries)
          put.get(collection, keyOf(field), isOwnKey(field) ? null : field, value);
      };
      if (isMany(entries.length, size)) {
        store();
        return sizeOf(collection);
      }
      const last = [...new Map(entries.map((entry) => [textOf(entry.field), entry])).values()];
      const kept = without(
        collection,
        size,
        last.map(({ field }) => field),
      );
      store();
      const bytes = last.reduce((sum, { field, value }) => sum + field.byteLength + value.byteLength, 0);
      return { elements: kept.elements + last.length, elementBytes: kept.elementBytes + bytes };
    },
    drop(collection, size, fields) {
      const isCounted = isMany(fields.length, size);
      const distinct = new Map(isCounted ? [] : fields.map((field) => [textOf(field), field]));
      const left = without(collection, size, distinct.values());
      for (const field of fields) drop.get(collection, keyOf(field));
      return isCounted ? sizeOf(collection) : left;
    },
  };
}

/** Does it take longer to look so many fields up one by one than to count all elements? */
function isMany(fields: number, { elements }: DictionarySize): boolean {
  return fields > fewFields && fields > elements / countedPerLookup;
}
