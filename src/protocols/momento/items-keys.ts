import { hashOf } from "../../domain/cache/hash.ts";
import { itemTypes } from "../../domain/cache/item-type.ts";
import type { Items } from "../../domain/cache/items.ts";
import type { TtlChange } from "../../domain/cache/store.ts";
import { TodokuError } from "../../domain/errors.ts";
import { decodeMessage } from "./codec.ts";
import { type CollectionCall, encode, foundOrMissing } from "./collections.ts";
import {
  GetWithHashRequestSchema,
  GetWithHashResponseSchema,
  IncrementRequestSchema,
  IncrementResponseSchema,
  ItemGetTtlRequestSchema,
  ItemGetTtlResponseSchema,
  ItemGetTypeRequestSchema,
  type ItemGetTypeResponse_ItemType,
  ItemGetTypeResponseSchema,
  KeysExistRequestSchema,
  KeysExistResponseSchema,
  type UpdateTtlRequest,
  UpdateTtlRequestSchema,
  UpdateTtlResponseSchema,
} from "./gen/scs_pb.ts";

const outcomes = { set: "set", "not set": "notSet" } as const;

/** The calls of `cache_client.Scs` on a key that are not hot, and KeysExist. */
export function keyHandlers(items: Items) {
  return {
    async GetWithHash({ principal, cache, request }: CollectionCall) {
      const { cacheKey } = decodeMessage(GetWithHashRequestSchema, request);
      const value = await items.get(principal, cache, cacheKey);
      return encode(GetWithHashResponseSchema, {
        result: foundOrMissing(value && { value, hash: hashOf(value) }),
      });
    },
    async KeysExist({ principal, cache, request }: CollectionCall) {
      const { cacheKeys } = decodeMessage(KeysExistRequestSchema, request);
      return encode(KeysExistResponseSchema, { exists: [...(await items.keysExist(principal, cache, cacheKeys))] });
    },
    async Increment({ principal, cache, request }: CollectionCall) {
      const { cacheKey, amount, ttlMilliseconds } = decodeMessage(IncrementRequestSchema, request);
      const value = await items.increment(principal, cache, cacheKey, amount, Number(ttlMilliseconds));
      return encode(IncrementResponseSchema, { value });
    },
    async UpdateTtl({ principal, cache, request }: CollectionCall) {
      const message = decodeMessage(UpdateTtlRequestSchema, request);
      const { to, ttlMs } = changeOf(message);
      const outcome = await items.updateTtl(principal, cache, message.cacheKey, to, ttlMs);
      return encode(UpdateTtlResponseSchema, {
        result: { case: outcome === undefined ? "missing" : outcomes[outcome], value: {} },
      });
    },
    async ItemGetTtl({ principal, cache, request }: CollectionCall) {
      const { cacheKey } = decodeMessage(ItemGetTtlRequestSchema, request);
      const state = await items.inspect(principal, cache, cacheKey);
      return encode(ItemGetTtlResponseSchema, {
        result: foundOrMissing(state && { remainingTtlMillis: BigInt(state.remainingMs) }),
      });
    },
    async ItemGetType({ principal, cache, request }: CollectionCall) {
      const { cacheKey } = decodeMessage(ItemGetTypeRequestSchema, request);
      const state = await items.inspect(principal, cache, cacheKey);
      return encode(ItemGetTypeResponseSchema, {
        result: foundOrMissing(state && { itemType: itemTypes.indexOf(state.type) as ItemGetTypeResponse_ItemType }),
      });
    },
  };
}

/** @throws TodokuError `invalid_argument`: there is none. */
function changeOf({ updateTtl }: UpdateTtlRequest): { to: TtlChange["to"]; ttlMs: number } {
  switch (updateTtl.case) {
    case "increaseToMilliseconds":
      return { to: "increase", ttlMs: Number(updateTtl.value) };
    case "decreaseToMilliseconds":
      return { to: "decrease", ttlMs: Number(updateTtl.value) };
    case "overwriteToMilliseconds":
      return { to: "overwrite", ttlMs: Number(updateTtl.value) };
    default:
      throw new TodokuError("invalid_argument", "UpdateTtlRequest: no new TTL is given");
  }
}
