/** A small document: a cache's settings, a signing key. */
export interface StoredRecord {
  readonly kind: string;
  readonly environment: string;
  readonly name: string;
  /** Unique among all records and never used again; grows, also across restarts and restored backups. New on `create` and on `renew`. */
  readonly id: number;
  /** 1 on `create`, +1 on each `replace`. */
  readonly version: number;
  readonly document: Readonly<Record<string, unknown>>;
}

/** What names a record. */
export type RecordKey = Pick<StoredRecord, "kind" | "environment" | "name">;

/**
 * What an engine must do for small documents (caches, keys; later environments, subscriptions, cursors).
 * Everything is durable before it answers. The laws are in store.contract.ts.
 */
export interface RecordStore {
  /** @throws TodokuError `already_exists`, `unavailable`. */
  create(key: RecordKey, document: StoredRecord["document"]): Promise<StoredRecord>;
  read(key: RecordKey): Promise<StoredRecord | undefined>;
  /** Puts a new document in place. @throws TodokuError `not_found`; `failed_precondition` when the version is not `expectedVersion`. */
  replace(key: RecordKey, document: StoredRecord["document"], expectedVersion: number): Promise<StoredRecord>;
  /** Gives the record a new `id`. @throws TodokuError `not_found`. */
  renew(key: RecordKey): Promise<StoredRecord>;
  /** Removes and returns what was there. */
  remove(key: RecordKey): Promise<StoredRecord | undefined>;
  /** By environment, then name. */
  list(kind: string, environment?: string): Promise<readonly StoredRecord[]>;
}
