import type { Auth } from "../../domain/auth/auth.ts";
import type { Items } from "../../domain/cache/items.ts";
import type { Call, Method } from "./call.ts";
import { decodeDelete, decodeGet, decodeSet, empty, encodeGetHit, encodeGetMiss, encodeSetOk } from "./codec-items.ts";
import { cacheMethodsOf } from "./collections.ts";
import { itemBatchMethods } from "./items-batches.ts";
import { conditionalHandlers } from "./items-conditions.ts";
import { keyHandlers } from "./items-keys.ts";

/** `cache_client.Scs`: the cache is named by the `cache` metadata, never by the message. */
export function itemMethods(auth: Auth, items: Items): [string, Method][] {
  const principal = (call: Call) => auth.authenticate(call.authorization, call.caller);
  return [
    [
      "/cache_client.Scs/Get",
      {
        kind: "unary",
        async handle(call) {
          const { key } = decodeGet(call.request);
          const value = await items.get(await principal(call), call.cacheName, key);
          return value === undefined ? encodeGetMiss() : encodeGetHit(value);
        },
      },
    ],
    [
      "/cache_client.Scs/Set",
      {
        kind: "unary",
        async handle(call) {
          const { key, value, ttlMs } = decodeSet(call.request);
          await items.set(await principal(call), call.cacheName, key, value, ttlMs);
          return encodeSetOk();
        },
      },
    ],
    [
      "/cache_client.Scs/Delete",
      {
        kind: "unary",
        async handle(call) {
          const { key } = decodeDelete(call.request);
          await items.delete(await principal(call), call.cacheName, key);
          return empty;
        },
      },
    ],
    ...cacheMethodsOf(auth, "cache_client.Scs", { ...keyHandlers(items), ...conditionalHandlers(items) }),
    ...itemBatchMethods(auth, items),
  ];
}
