import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Cache } from "./cache.ts";
import type { Caches } from "./caches.ts";
import { checkCount } from "./collections.ts";
import { checkKey, checkValue, createInCache } from "./keys.ts";
import { checkTtl } from "./ttl.ts";

/** One item of `setMany`. */
interface ItemToSet {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly ttlMs: number;
}

/** What became of one key of `getMany`: its value, nothing, or why it cannot be had. */
export type ItemRead = Uint8Array | TodokuError | undefined;

/**
 * Calls on up to `limits.keysPerCallMax` keys. They are not atomic: others may come between two keys. What the call itself does wrong, be it
 * one key, refuses all of it before anything is done; so does one key that the principal has no permission on.
 */
export interface ItemBatches {
  /** In the order of the keys, in portions, each read when the one before has been taken: a thousand large values would be gigabytes. Large ones come one by one. */
  getMany(principal: Principal, cache: string, keys: readonly Uint8Array[]): AsyncIterable<readonly ItemRead[]>;
  /** In the order of the items: why one was not stored, undefined when it was. */
  setMany(
    principal: Principal,
    cache: string,
    items: readonly ItemToSet[],
  ): Promise<readonly (TodokuError | undefined)[]>;
  /** Whether they hold anything, in the order of the keys. */
  keysExist(principal: Principal, cache: string, keys: readonly Uint8Array[]): Promise<readonly boolean[]>;
}

/** Keys that are read at a time, as long as all their values are not large. */
const portionKeys = 8;
const largeBytes = 1024 * 1024;
/** The reader thread answers so many questions at a time; others have their turn between two portions. */
const inspectedKeys = 64;

export function createItemBatches(
  engine: Pick<Engine, "items">,
  caches: Pick<Caches, "known" | "get" | "current">,
  steadyMs: () => number,
): ItemBatches {
  const inCache = createInCache(caches);
  const itemsOf = ({ durability }: Cache) => engine.items[durability];

  function read(cache: Cache, key: Uint8Array): Promise<ItemRead> {
    return itemsOf(cache)
      .get(cache, key, steadyMs())
      .then((item) => item?.value, ofOneKey);
  }

  async function* readPortions(environment: string, name: string, keys: readonly Uint8Array[]) {
    let size = 1;
    for (let from = 0; from === 0 || from < keys.length; ) {
      const portion = keys.slice(from, from + size);
      from += size;
      const values = await inCache(environment, name, (cache) => Promise.all(portion.map((key) => read(cache, key))));
      const bytes = values.reduce((sum, value) => sum + (value instanceof Uint8Array ? value.byteLength : 0), 0);
      size = bytes > largeBytes ? 1 : Math.min(2 * size, portionKeys);
      yield values;
    }
  }

  return {
    getMany(principal, name, keys) {
      checkKeys(principal, "item.read", name, keys);
      return readPortions(principal.environment, name, keys);
    },
    async setMany(principal, name, items) {
      const keys = items.map(({ key }) => key);
      checkKeys(principal, "item.write", name, keys);
      for (const { value, ttlMs } of items) {
        checkValue(value);
        checkTtl(ttlMs);
      }
      // All at once: they share a commit.
      return inCache(principal.environment, name, (cache) => {
        const nowMs = steadyMs();
        return Promise.all(
          items.map(({ key, value, ttlMs }) =>
            itemsOf(cache)
              .set(cache, key, { value, expiresAtMs: nowMs + ttlMs })
              .then(() => undefined, ofOneKey),
          ),
        );
      });
    },
    async keysExist(principal, name, keys) {
      checkKeys(principal, "item.read", name, keys);
      const found: boolean[] = [];
      for (const portion of portionsOf(keys, inspectedKeys)) {
        const states = await inCache(principal.environment, name, (cache) =>
          Promise.all(portion.map((key) => itemsOf(cache).inspect(cache, key, steadyMs()))),
        );
        for (const state of states) found.push(state !== undefined);
      }
      return found;
    },
  };
}

/** @throws TodokuError `invalid_argument`, `permission_denied`. */
function checkKeys(
  principal: Principal,
  action: "item.read" | "item.write",
  cache: string,
  keys: readonly Uint8Array[],
): void {
  checkCount("keys", keys.length, limits.keysPerCallMax);
  for (const key of keys) {
    authorize(principal, action, cache, key);
    checkKey(key);
  }
}

/** At least one: without keys too the cache must be there. */
function* portionsOf(keys: readonly Uint8Array[], size: number): Iterable<readonly Uint8Array[]> {
  for (let from = 0; from === 0 || from < keys.length; from += size) yield keys.slice(from, from + size);
}

/** An error that says nothing of the other keys. */
function ofOneKey(error: unknown): TodokuError {
  const isOfOne =
    error instanceof TodokuError && (error.code === "limit_exceeded" || error.code === "failed_precondition");
  if (isOfOne) return error;
  throw error;
}
