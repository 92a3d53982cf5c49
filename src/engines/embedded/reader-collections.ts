import type { DatabaseSync } from "node:sqlite";
import { type ItemType, itemTypes } from "../../domain/cache/item-type.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";

/** A read of the reader thread, which first reads all of its part of the request. */
export type Read = (op: FieldReader, answer: FieldWriter) => void;

/** What the reader thread sees of a collection. */
export interface CollectionHead {
  readonly collection: number;
  readonly elements: number;
  readonly front: number;
  readonly back: number;
}

/**
 * Reads which collection is asked for, and answers the number of the type that the key holds, or null. Only a collection of the wanted type
 * is returned; of anything else nothing more may be answered.
 */
export type FindCollection = (op: FieldReader, answer: FieldWriter) => CollectionHead | undefined;

export function createFindCollection(db: DatabaseSync, type: ItemType): FindCollection {
  const head = db.prepare(
    "SELECT type, expires_at_ms, collection, elements, front, back FROM items WHERE cache_id = ? AND key = ?",
  );
  const wanted = itemTypes.indexOf(type);
  return (op, answer) => {
    const [cacheId, key, nowMs] = [op.number(), op.blob(), op.number()];
    const row = head.get(cacheId, key);
    const isThere = row !== undefined && (row.expires_at_ms as number) > nowMs;
    answer.put(isThere ? (row.type as number) : null);
    return isThere && row.type === wanted ? (row as unknown as CollectionHead) : undefined;
  };
}

/** The part of every kind of collection: how many elements there are. */
export function lengthRead(find: FindCollection): Read {
  return (op, answer) => {
    const head = find(op, answer);
    if (head !== undefined) answer.put(head.elements);
  };
}
