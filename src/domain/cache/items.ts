import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Caches } from "./caches.ts";
import { checkKey, checkTtl, createInCache } from "./keys.ts";

/** The scalar items of a cache: get, set, delete. */
export interface Items {
  /** The value; undefined when there is none or it has expired. @throws TodokuError `failed_precondition`: the key holds a collection. */
  get(principal: Principal, cache: string, key: Uint8Array): Promise<Uint8Array | undefined>;
  /** `ttlMs`: 1..`limits.itemTtlMaxMs`. Answers when the item is as durable as the cache promises. Takes the place of a collection too. */
  set(principal: Principal, cache: string, key: Uint8Array, value: Uint8Array, ttlMs: number): Promise<void>;
  /** Whatever the key holds. */
  delete(principal: Principal, cache: string, key: Uint8Array): Promise<void>;
}

export function createItems(engine: Engine, caches: Caches, steadyMs: () => number): Items {
  const inCache = createInCache(caches);
  return {
    async get(principal, name, key) {
      authorize(principal, "item.read", name, key);
      checkKey(key);
      const item = await inCache(principal.environment, name, (cache) =>
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
      checkTtl(ttlMs);
      const item = { value, expiresAtMs: steadyMs() + ttlMs };
      await inCache(principal.environment, name, (cache) => engine.items[cache.durability].set(cache, key, item));
    },
    async delete(principal, name, key) {
      authorize(principal, "item.write", name, key);
      checkKey(key);
      await inCache(principal.environment, name, (cache) => engine.items[cache.durability].delete(cache, key));
    },
  };
}
