import type { Auth } from "../../domain/auth/auth.ts";
import type { Sets } from "../../domain/cache/sets.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { Method } from "./call.ts";
import { decodeMessage } from "./codec.ts";
import { type CollectionCall, cacheMethodsOf, encode, foundOrMissing, ttlOf } from "./collections.ts";
import {
  SetContainsRequestSchema,
  SetContainsResponseSchema,
  type SetDifferenceRequest,
  SetDifferenceRequestSchema,
  SetDifferenceResponseSchema,
  SetFetchRequestSchema,
  SetFetchResponseSchema,
  SetLengthRequestSchema,
  SetLengthResponseSchema,
  SetPopRequestSchema,
  SetPopResponseSchema,
  SetSampleRequestSchema,
  SetSampleResponseSchema,
  SetUnionRequestSchema,
  SetUnionResponseSchema,
} from "./gen/scs_pb.ts";

/** The set calls of `cache_client.Scs`. */
export function setMethods(auth: Auth, sets: Sets): [string, Method][] {
  return cacheMethodsOf(auth, "cache_client.Scs", { ...changingHandlers(sets), ...readingHandlers(sets) });
}

function changingHandlers(sets: Sets) {
  return {
    async SetUnion({ principal, cache, request }: CollectionCall) {
      const message = decodeMessage(SetUnionRequestSchema, request);
      await sets.union(principal, cache, message.setName, message.elements, ttlOf(message));
      return encode(SetUnionResponseSchema, {});
    },
    async SetDifference({ principal, cache, request }: CollectionCall) {
      const { setName, difference } = decodeMessage(SetDifferenceRequestSchema, request);
      const left =
        difference.case === "minuend"
          ? await sets.subtractFrom(principal, cache, setName, difference.value.elements)
          : await sets.subtract(principal, cache, setName, subtrahendOf(difference));
      return encode(SetDifferenceResponseSchema, { set: foundOrMissing(left === undefined ? undefined : {}) });
    },
    async SetPop({ principal, cache, request }: CollectionCall) {
      const { setName, count } = decodeMessage(SetPopRequestSchema, request);
      const elements = await sets.pop(principal, cache, setName, count);
      return encode(SetPopResponseSchema, { set: foundOrMissing(elements && { elements: [...elements] }) });
    },
  };
}

function readingHandlers(sets: Sets) {
  return {
    async SetFetch({ principal, cache, request }: CollectionCall) {
      const { setName } = decodeMessage(SetFetchRequestSchema, request);
      const elements = await sets.fetch(principal, cache, setName);
      return encode(SetFetchResponseSchema, { set: foundOrMissing(elements && { elements: [...elements] }) });
    },
    async SetSample({ principal, cache, request }: CollectionCall) {
      const { setName, limit } = decodeMessage(SetSampleRequestSchema, request);
      const elements = await sets.sample(principal, cache, setName, Number(limit));
      return encode(SetSampleResponseSchema, { set: foundOrMissing(elements && { elements: [...elements] }) });
    },
    async SetContains({ principal, cache, request }: CollectionCall) {
      const { setName, elements } = decodeMessage(SetContainsRequestSchema, request);
      const contains = await sets.contains(principal, cache, setName, elements);
      return encode(SetContainsResponseSchema, { set: foundOrMissing(contains && { contains: [...contains] }) });
    },
    async SetLength({ principal, cache, request }: CollectionCall) {
      const { setName } = decodeMessage(SetLengthRequestSchema, request);
      const length = await sets.length(principal, cache, setName);
      return encode(SetLengthResponseSchema, { set: foundOrMissing(length === undefined ? undefined : { length }) });
    },
  };
}

/** The elements to take away; undefined: all. @throws TodokuError `invalid_argument`. */
function subtrahendOf(difference: SetDifferenceRequest["difference"]): readonly Uint8Array[] | undefined {
  const subtrahend = difference.case === "subtrahend" ? difference.value.subtrahendSet : undefined;
  if (subtrahend?.case === "set") return subtrahend.value.elements;
  if (subtrahend?.case === "identity") return undefined;
  throw new TodokuError("invalid_argument", "SetDifferenceRequest: neither `minuend` nor `subtrahend` is given");
}
