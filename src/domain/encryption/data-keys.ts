import { randomBytes } from "node:crypto";
import { z } from "zod";
import { TodokuError } from "../errors.ts";
import type { RecordStore, StoredRecord } from "../records/store.ts";
import { keyBytes } from "./cipher.ts";
import type { MasterKey } from "./master-key.ts";

const recordKind = "data-key";

const documentSchema = z.strictObject({ masterKeyId: z.string(), wrapped: z.string() });

/** One key per environment, wrapped by the master key: what is sealed is encrypted with it. */
export interface DataKeys {
  /** Made when there is none; two nodes that do so at once make one. @throws TodokuError `internal`: it does not open with this master key. */
  ensure(environment: string): Promise<Uint8Array>;
  /** undefined: there is none. @throws TodokuError as `ensure`. */
  find(environment: string): Promise<Uint8Array | undefined>;
  /** Drops it from memory. */
  forget(environment: string): void;
}

/** @param masterKey undefined: `ensure`, and `find` of a key that is there, fail with `failed_precondition`. */
export function createDataKeys(records: RecordStore, masterKey: MasterKey | undefined): DataKeys {
  /** Unwrapped; good for as long as the record in the store is the same one. */
  const opened = new Map<string, { readonly id: number; readonly key: Uint8Array }>();

  function open(record: StoredRecord): Uint8Array {
    const known = opened.get(record.environment);
    if (known?.id === record.id) return known.key;
    const key = unwrap(record, given(masterKey));
    if (!key) throw new TodokuError("internal", cannotOpen(record, masterKey));
    opened.set(record.environment, { id: record.id, key });
    return key;
  }

  async function find(environment: string): Promise<Uint8Array | undefined> {
    const record = await records.read(keyOf(environment));
    if (record) return open(record);
    opened.delete(environment);
    return undefined;
  }

  return {
    find,
    async ensure(environment) {
      const found = await find(environment);
      if (found) return found;
      try {
        const document = toDocument(environment, randomBytes(keyBytes), given(masterKey));
        return open(await records.create(keyOf(environment), document));
      } catch (error) {
        if (!(error instanceof TodokuError) || error.code !== "already_exists") throw error;
        // Somebody else's, made meanwhile. If that is gone as well, the environment is being destroyed.
        const other = await find(environment);
        if (other) return other;
        throw new TodokuError("unavailable", `the data key of environment "${environment}" has gone`, { cause: error });
      }
    },
    forget(environment) {
      opened.delete(environment);
    },
  };
}

/** Has anything been sealed here? Then a new master key would be of no use. */
export async function hasDataKeys(records: RecordStore): Promise<boolean> {
  return (await records.list(recordKind)).length > 0;
}

/**
 * Does this master key open what is stored? To be asked before a server starts: it would else fail at the first secret.
 * @throws TodokuError `failed_precondition`, naming the first environment whose data key it does not open.
 */
export async function checkMasterKey(records: RecordStore, masterKey: MasterKey | undefined): Promise<void> {
  for (const record of await records.list(recordKind)) {
    if (masterKey && unwrap(record, masterKey)) continue;
    throw new TodokuError("failed_precondition", cannotOpen(record, masterKey));
  }
}

/**
 * Wraps all data keys anew. What is sealed stays as it is. May be repeated after a crash: what `to` has wrapped already is left alone.
 * @returns how many were wrapped anew.
 * @throws TodokuError `failed_precondition`, before anything is changed: neither key opens one of them.
 */
export async function rewrapDataKeys(records: RecordStore, from: MasterKey, to: MasterKey): Promise<number> {
  const found = (await records.list(recordKind)).map((record) => {
    if (unwrap(record, to)) return { record, key: undefined };
    const key = unwrap(record, from);
    if (!key) throw new TodokuError("failed_precondition", cannotOpen(record, from));
    return { record, key };
  });
  let count = 0;
  for (const { record, key } of found) {
    if (!key) continue;
    const { environment, version } = record;
    await records.replace(keyOf(environment), toDocument(environment, key, to), version);
    count++;
  }
  return count;
}

function given(masterKey: MasterKey | undefined): MasterKey {
  if (masterKey) return masterKey;
  throw new TodokuError("failed_precondition", "this server has no master key, so it can keep no secrets");
}

function unwrap({ environment, document }: StoredRecord, masterKey: MasterKey): Uint8Array | undefined {
  const { data } = documentSchema.safeParse(document);
  return data && masterKey.unwrap(environment, data.wrapped);
}

function toDocument(environment: string, key: Uint8Array, masterKey: MasterKey) {
  return { masterKeyId: masterKey.id, wrapped: masterKey.wrap(environment, key) };
}

function cannotOpen({ environment, document }: StoredRecord, masterKey: MasterKey | undefined): string {
  const { data } = documentSchema.safeParse(document);
  const other = masterKey
    ? `the master key given has the id ${masterKey.id}`
    : "none was given (in dev mode it is the file master.key of the data directory)";
  if (!data) return `the data key of environment "${environment}" was written by a later release`;
  if (data.masterKeyId === masterKey?.id) return `the data key of environment "${environment}" is damaged`;
  return `the data key of environment "${environment}" is wrapped by the master key with the id ${data.masterKeyId}; ${other}`;
}

function keyOf(environment: string) {
  return { kind: recordKind, environment, name: recordKind };
}
