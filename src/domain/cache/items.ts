import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import type { Cache } from "./cache.ts";
import type { Caches } from "./caches.ts";
import type { ItemType } from "./item-type.ts";
import { createItemBatches, type ItemBatches } from "./items-batches.ts";
import { checkKey, checkValue, createInCache, createOnKey } from "./keys.ts";
import type { SetCondition, TtlChange } from "./store.ts";
import { checkTtl } from "./ttl.ts";

/** The scalar items of a cache, and its keys, whatever they hold. `ttlMs`: 1..`limits.itemTtlMaxMs`. */
export interface Items extends ItemBatches {
  /** The value; undefined when there is none or it has expired. @throws TodokuError `failed_precondition`: the key holds a collection. */
  get(principal: Principal, cache: string, key: Uint8Array): Promise<Uint8Array | undefined>;
  /** Answers when the item is as durable as the cache promises. Takes the place of a collection too. */
  set(principal: Principal, cache: string, key: Uint8Array, value: Uint8Array, ttlMs: number): Promise<void>;
  /**
   * As `set`, if the condition holds; answers whether it did. One that compares tells about the value, so it needs both permissions.
   * @throws TodokuError `failed_precondition`: a collection would have to be compared.
   */
  setIf(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    value: Uint8Array,
    ttlMs: number,
    condition: SetCondition,
  ): Promise<boolean>;
  /**
   * Adds to the whole number of 64 bits that the key holds, 0 where it holds nothing, and sets its end anew; answers the sum. Reads and writes,
   * so it needs both permissions. @throws TodokuError `failed_precondition`: the key holds something else, or the sum needs more bits.
   */
  increment(principal: Principal, cache: string, key: Uint8Array, amount: bigint, ttlMs: number): Promise<bigint>;
  /** Of whatever the key holds. "not set": it has a later end that is only to be increased, or an earlier one; undefined: there is nothing. */
  updateTtl(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    to: TtlChange["to"],
    ttlMs: number,
  ): Promise<"set" | "not set" | undefined>;
  /** What the key holds, and for how many ms yet, >= 1; undefined: nothing. */
  inspect(
    principal: Principal,
    cache: string,
    key: Uint8Array,
  ): Promise<{ readonly type: ItemType; readonly remainingMs: number } | undefined>;
  /** Whatever the key holds. */
  delete(principal: Principal, cache: string, key: Uint8Array): Promise<void>;
}

export function createItems(
  engine: Pick<Engine, "items">,
  caches: Pick<Caches, "known" | "get" | "current">,
  steadyMs: () => number,
): Items {
  const [inCache, onKey] = [createInCache(caches), createOnKey(caches, steadyMs)];
  const itemsOf = ({ durability }: Cache) => engine.items[durability];

  return {
    ...createItemBatches(engine, caches, steadyMs),
    async get(principal, name, key) {
      authorize(principal, "item.read", name, key);
      checkKey(key);
      const item = await inCache(principal.environment, name, (cache) => itemsOf(cache).get(cache, key, steadyMs()));
      return item?.value;
    },
    async set(principal, name, key, value, ttlMs) {
      authorize(principal, "item.write", name, key);
      checkKey(key);
      checkValue(value);
      checkTtl(ttlMs);
      const item = { value, expiresAtMs: steadyMs() + ttlMs };
      await inCache(principal.environment, name, (cache) => itemsOf(cache).set(cache, key, item));
    },
    setIf(principal, name, key, value, ttlMs, condition) {
      const isCompared = typeof condition.ifPresent === "object";
      return onKey(principal, isCompared ? ["item.read", "item.write"] : ["item.write"], name, key, (cache, nowMs) => {
        checkValue(value);
        checkTtl(ttlMs);
        return itemsOf(cache).setIf(cache, key, { value, expiresAtMs: nowMs + ttlMs }, condition, nowMs);
      });
    },
    increment(principal, name, key, amount, ttlMs) {
      return onKey(principal, ["item.read", "item.write"], name, key, (cache, nowMs) => {
        checkTtl(ttlMs);
        return itemsOf(cache).increment(cache, key, amount, nowMs + ttlMs, nowMs);
      });
    },
    updateTtl(principal, name, key, to, ttlMs) {
      return onKey(principal, ["item.write"], name, key, (cache, nowMs) => {
        checkTtl(ttlMs);
        return itemsOf(cache).updateTtl(cache, key, { to, expiresAtMs: nowMs + ttlMs }, nowMs);
      });
    },
    inspect(principal, name, key) {
      return onKey(principal, ["item.read"], name, key, async (cache, nowMs) => {
        const state = await itemsOf(cache).inspect(cache, key, nowMs);
        return state && { type: state.type, remainingMs: state.expiresAtMs - nowMs };
      });
    },
    async delete(principal, name, key) {
      authorize(principal, "item.write", name, key);
      checkKey(key);
      await inCache(principal.environment, name, (cache) => itemsOf(cache).delete(cache, key));
    },
  };
}
