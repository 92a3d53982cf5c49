import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Cache } from "./cache.ts";
import type { Caches } from "./caches.ts";

/** The scalar items of a cache: get, set, delete. */
export interface Items {
  /** The value; undefined when there is none or it has expired. */
  get(principal: Principal, cache: string, key: Uint8Array): Promise<Uint8Array | undefined>;
  /** `ttlMs`: 1..`limits.itemTtlMaxMs`. Answers when the item is as durable as the cache promises. */
  set(principal: Principal, cache: string, key: Uint8Array, value: Uint8Array, ttlMs: number): Promise<void>;
  delete(principal: Principal, cache: string, key: Uint8Array): Promise<void>;
}

export function createItems(engine: Engine, caches: Caches, steadyMs: () => number): Items {
  /** Does `work` on the cache, and once more when the cache was flushed meanwhile: then it belongs to the new incarnation. */
  async function inCache<T>(principal: Principal, name: string, work: (cache: Cache) => Promise<T>): Promise<T> {
    const { environment } = principal;
    const cache = caches.known(environment, name) ?? (await caches.get(environment, name));
    try {
      return await work(cache);
    } catch (error) {
      if (!(error instanceof TodokuError) || error.code !== "not_found") throw error;
      const now = await caches.current(environment, name);
      if (!now || now.cacheId === cache.cacheId) throw error;
      return work(now);
    }
  }

  return {
    async get(principal, name, key) {
      authorize(principal, "item.read", name, key);
      checkKey(key);
      const item = await inCache(principal, name, (cache) =>
        engine.items[cache.durability].get(cache, key, steadyMs()),
      );
      return item?.value;
    },
    async set(principal, name, key, value, ttlMs) {
      authorize(principal, "item.write", name, key);
      checkKey(key);
      if (value.length > limits.itemMaxBytes) {
        throw new TodokuError(
          "limit_exceeded",
          `item size: the value has ${value.length} bytes; must be <= ${limits.itemMaxBytes}`,
          { subject: "item_size" },
        );
      }
      if (!Number.isSafeInteger(ttlMs) || ttlMs < 1 || ttlMs > limits.itemTtlMaxMs) {
        throw new TodokuError("invalid_argument", `ttlMs ${ttlMs} must be >= 1 and <= ${limits.itemTtlMaxMs}`);
      }
      const item = { value, expiresAtMs: steadyMs() + ttlMs };
      await inCache(principal, name, (cache) => engine.items[cache.durability].set(cache, key, item));
    },
    async delete(principal, name, key) {
      authorize(principal, "item.write", name, key);
      checkKey(key);
      await inCache(principal, name, (cache) => engine.items[cache.durability].delete(cache, key));
    },
  };
}

function checkKey(key: Uint8Array): void {
  if (key.length < 1 || key.length > limits.itemKeyMaxBytes) {
    throw new TodokuError(
      "invalid_argument",
      `key has ${key.length} bytes; must be >= 1 and <= ${limits.itemKeyMaxBytes}`,
    );
  }
}
