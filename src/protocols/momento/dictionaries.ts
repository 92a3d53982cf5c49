import type { Auth } from "../../domain/auth/auth.ts";
import type { Dictionaries } from "../../domain/cache/dictionaries.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { Method } from "./call.ts";
import { decodeMessage } from "./codec.ts";
import { type CollectionCall, cacheMethodsOf, encode, foundOrMissing, ttlOf } from "./collections.ts";
import {
  CacheResult,
  DictionaryDeleteRequestSchema,
  DictionaryDeleteResponseSchema,
  DictionaryFetchRequestSchema,
  DictionaryFetchResponseSchema,
  DictionaryGetRequestSchema,
  DictionaryGetResponseSchema,
  DictionaryIncrementRequestSchema,
  DictionaryIncrementResponseSchema,
  DictionaryLengthRequestSchema,
  DictionaryLengthResponseSchema,
  DictionarySetRequestSchema,
  DictionarySetResponseSchema,
} from "./gen/scs_pb.ts";

/** The dictionary calls of `cache_client.Scs`. */
export function dictionaryMethods(auth: Auth, dictionaries: Dictionaries): [string, Method][] {
  return cacheMethodsOf(auth, "cache_client.Scs", {
    ...changingHandlers(dictionaries),
    ...readingHandlers(dictionaries),
  });
}

function changingHandlers(dictionaries: Dictionaries) {
  return {
    async DictionarySet({ principal, cache, request }: CollectionCall) {
      const message = decodeMessage(DictionarySetRequestSchema, request);
      await dictionaries.set(principal, cache, message.dictionaryName, message.items, ttlOf(message));
      return encode(DictionarySetResponseSchema, {});
    },
    async DictionaryIncrement({ principal, cache, request }: CollectionCall) {
      const message = decodeMessage(DictionaryIncrementRequestSchema, request);
      const { dictionaryName, field, amount } = message;
      const value = await dictionaries.increment(principal, cache, dictionaryName, field, amount, ttlOf(message));
      return encode(DictionaryIncrementResponseSchema, { value });
    },
    async DictionaryDelete({ principal, cache, request }: CollectionCall) {
      const { dictionaryName, delete: which } = decodeMessage(DictionaryDeleteRequestSchema, request);
      if (which.case === undefined) {
        throw new TodokuError("invalid_argument", "DictionaryDeleteRequest: neither `some` nor `all` is given");
      }
      const fields = which.case === "some" ? which.value.fields : undefined;
      await dictionaries.delete(principal, cache, dictionaryName, fields);
      return encode(DictionaryDeleteResponseSchema, {});
    },
  };
}

function readingHandlers(dictionaries: Dictionaries) {
  return {
    async DictionaryGet({ principal, cache, request }: CollectionCall) {
      const { dictionaryName, fields } = decodeMessage(DictionaryGetRequestSchema, request);
      const values = await dictionaries.get(principal, cache, dictionaryName, fields);
      return encode(DictionaryGetResponseSchema, {
        dictionary: foundOrMissing(values && { items: values.map(partOf) }),
      });
    },
    async DictionaryFetch({ principal, cache, request }: CollectionCall) {
      const { dictionaryName } = decodeMessage(DictionaryFetchRequestSchema, request);
      const entries = await dictionaries.fetch(principal, cache, dictionaryName);
      return encode(DictionaryFetchResponseSchema, {
        dictionary: foundOrMissing(entries && { items: [...entries] }),
      });
    },
    async DictionaryLength({ principal, cache, request }: CollectionCall) {
      const { dictionaryName } = decodeMessage(DictionaryLengthRequestSchema, request);
      const length = await dictionaries.length(principal, cache, dictionaryName);
      return encode(DictionaryLengthResponseSchema, {
        dictionary: foundOrMissing(length === undefined ? undefined : { length }),
      });
    },
  };
}

function partOf(value: Uint8Array | undefined) {
  return value === undefined ? { result: CacheResult.MISS } : { result: CacheResult.HIT, cacheBody: value };
}
