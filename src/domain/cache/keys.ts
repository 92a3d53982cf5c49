import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Cache } from "./cache.ts";
import type { Caches } from "./caches.ts";

/** Does work on the cache of this name, and once more when the cache was flushed meanwhile: then it belongs to the new incarnation. */
export type InCache = <T>(environment: string, name: string, work: (cache: Cache) => Promise<T>) => Promise<T>;

export function createInCache(caches: Pick<Caches, "known" | "get" | "current">): InCache {
  return async (environment, name, work) => {
    const cache = caches.known(environment, name) ?? (await caches.get(environment, name));
    try {
      return await work(cache);
    } catch (error) {
      if (!(error instanceof TodokuError) || error.code !== "not_found") throw error;
      const now = await caches.current(environment, name);
      if (!now || now.cacheId === cache.cacheId) throw error;
      return work(now);
    }
  };
}

/** Authorises, checks the key, then does work on the cache of this name as {@link InCache} does, with the time at which it does. */
export type OnKey = <T>(
  principal: Principal,
  actions: readonly ("item.read" | "item.write")[],
  name: string,
  key: Uint8Array,
  work: (cache: Cache, nowMs: number) => T | Promise<T>,
) => Promise<T>;

export function createOnKey(caches: Pick<Caches, "known" | "get" | "current">, steadyMs: () => number): OnKey {
  const inCache = createInCache(caches);
  return async (principal, actions, name, key, work) => {
    for (const action of actions) authorize(principal, action, name, key);
    checkKey(key);
    return inCache(principal.environment, name, async (cache) => work(cache, steadyMs()));
  };
}

/** @throws TodokuError `invalid_argument`. */
export function checkKey(key: Uint8Array): void {
  if (key.length < 1 || key.length > limits.itemKeyMaxBytes) {
    throw new TodokuError(
      "invalid_argument",
      `key has ${key.length} bytes; must be >= 1 and <= ${limits.itemKeyMaxBytes}`,
    );
  }
}

/** Of a scalar. Momento speaks of the request then, not of the item. @throws TodokuError `limit_exceeded`. */
export function checkValue(value: Uint8Array): void {
  if (value.length <= limits.itemMaxBytes) return;
  const text = `request limit: the value has ${value.length} bytes; must be <= ${limits.itemMaxBytes}`;
  throw new TodokuError("limit_exceeded", text, { subject: "request_size" });
}
