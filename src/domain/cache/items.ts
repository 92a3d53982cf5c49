import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Caches } from "./caches.ts";

/** The scalar items of a cache: get, set, delete. */
export interface Items {
  /** The value; undefined when there is none or it has expired. */
  get(principal: Principal, cache: string, key: Uint8Array): Promise<Uint8Array | undefined>;
  /** `ttlMs`: 1..`limits.itemTtlMaxMs`. Answers when the item is as durable as the cache promises. */
  set(principal: Principal, cache: string, key: Uint8Array, value: Uint8Array, ttlMs: number): Promise<void>;
  delete(principal: Principal, cache: string, key: Uint8Array): Promise<void>;
}

export function createItems(engine: Engine, caches: Caches, wallMs: () => number): Items {
  return {
    async get(principal, name, key) {
      authorize(principal, "item.read", name, key);
      checkKey(key);
      const cache = caches.known(principal.environment, name) ?? (await caches.get(principal.environment, name));
      return (await engine.items[cache.durability].get(cache, key, wallMs()))?.value;
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
      const cache = caches.known(principal.environment, name) ?? (await caches.get(principal.environment, name));
      await engine.items[cache.durability].set(cache, key, { value, expiresAtMs: wallMs() + ttlMs });
    },
    async delete(principal, name, key) {
      authorize(principal, "item.write", name, key);
      checkKey(key);
      const cache = caches.known(principal.environment, name) ?? (await caches.get(principal.environment, name));
      await engine.items[cache.durability].delete(cache, key);
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
