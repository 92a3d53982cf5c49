import type { Auth } from "../../domain/auth/auth.ts";
import type { ListEnd, ListSlice } from "../../domain/cache/list-store.ts";
import type { Lists } from "../../domain/cache/lists.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { Method } from "./call.ts";
import { decodeMessage } from "./codec.ts";
import { type CollectionCall, cacheMethodsOf, encode, foundOrMissing, ttlOf } from "./collections.ts";
import {
  ListConcatenateBackRequestSchema,
  ListConcatenateFrontRequestSchema,
  ListEraseRequestSchema,
  ListEraseResponseSchema,
  type ListFetchRequest,
  ListFetchRequestSchema,
  ListFetchResponseSchema,
  ListLengthRequestSchema,
  ListLengthResponseSchema,
  ListPopBackRequestSchema,
  ListPopBackResponseSchema,
  ListPopFrontRequestSchema,
  ListPopFrontResponseSchema,
  ListPushBackRequestSchema,
  ListPushBackResponseSchema,
  ListPushFrontRequestSchema,
  ListRemoveRequestSchema,
  ListRemoveResponseSchema,
  ListRetainRequestSchema,
  ListRetainResponseSchema,
} from "./gen/scs_pb.ts";

/** The list calls of `cache_client.Scs`. */
export function listMethods(auth: Auth, lists: Lists): [string, Method][] {
  return cacheMethodsOf(auth, "cache_client.Scs", {
    ...addingHandlers(lists),
    ...takingHandlers(lists),
    ...readingHandlers(lists),
    ...droppingHandlers(lists),
  });
}

function addingHandlers(lists: Lists) {
  /** What the four have in common: the answers too are of one form. */
  async function push(
    { principal, cache }: CollectionCall,
    message: { readonly listName: Uint8Array; readonly ttlMilliseconds: bigint; readonly refreshTtl: boolean },
    push: { readonly end: ListEnd; readonly values: readonly Uint8Array[]; readonly truncateTo: number },
  ): Promise<Uint8Array> {
    const listLength = await lists.push(principal, cache, message.listName, { ...push, ttl: ttlOf(message) });
    return encode(ListPushBackResponseSchema, { listLength });
  }

  return {
    ListPushFront(call: CollectionCall) {
      const message = decodeMessage(ListPushFrontRequestSchema, call.request);
      return push(call, message, { end: "front", values: [message.value], truncateTo: message.truncateBackToSize });
    },
    ListPushBack(call: CollectionCall) {
      const message = decodeMessage(ListPushBackRequestSchema, call.request);
      return push(call, message, { end: "back", values: [message.value], truncateTo: message.truncateFrontToSize });
    },
    ListConcatenateFront(call: CollectionCall) {
      const message = decodeMessage(ListConcatenateFrontRequestSchema, call.request);
      return push(call, message, { end: "front", values: message.values, truncateTo: message.truncateBackToSize });
    },
    ListConcatenateBack(call: CollectionCall) {
      const message = decodeMessage(ListConcatenateBackRequestSchema, call.request);
      return push(call, message, { end: "back", values: message.values, truncateTo: message.truncateFrontToSize });
    },
  };
}

function takingHandlers(lists: Lists) {
  return {
    async ListPopFront({ principal, cache, request }: CollectionCall) {
      const { listName } = decodeMessage(ListPopFrontRequestSchema, request);
      const popped = await lists.pop(principal, cache, listName, "front");
      const found = popped && { front: popped.value, listLength: popped.length };
      return encode(ListPopFrontResponseSchema, { list: foundOrMissing(found) });
    },
    async ListPopBack({ principal, cache, request }: CollectionCall) {
      const { listName } = decodeMessage(ListPopBackRequestSchema, request);
      const popped = await lists.pop(principal, cache, listName, "back");
      const found = popped && { back: popped.value, listLength: popped.length };
      return encode(ListPopBackResponseSchema, { list: foundOrMissing(found) });
    },
  };
}

function readingHandlers(lists: Lists) {
  return {
    async ListFetch({ principal, cache, request }: CollectionCall) {
      const message = decodeMessage(ListFetchRequestSchema, request);
      const values = await lists.fetch(principal, cache, message.listName, sliceOf(message));
      return encode(ListFetchResponseSchema, { list: foundOrMissing(values && { values: [...values] }) });
    },
    async ListLength({ principal, cache, request }: CollectionCall) {
      const { listName } = decodeMessage(ListLengthRequestSchema, request);
      const length = await lists.length(principal, cache, listName);
      return encode(ListLengthResponseSchema, { list: foundOrMissing(length === undefined ? undefined : { length }) });
    },
  };
}

function droppingHandlers(lists: Lists) {
  return {
    async ListRetain({ principal, cache, request }: CollectionCall) {
      const message = decodeMessage(ListRetainRequestSchema, request);
      const length = await lists.retain(principal, cache, message.listName, sliceOf(message), ttlOf(message));
      return encode(ListRetainResponseSchema, { list: foundOrMissing(listLength(length)) });
    },
    async ListRemove({ principal, cache, request }: CollectionCall) {
      const { listName, remove } = decodeMessage(ListRemoveRequestSchema, request);
      if (remove.case === undefined) throw new TodokuError("invalid_argument", "ListRemoveRequest: no value is given");
      const length = await lists.remove(principal, cache, listName, remove.value);
      return encode(ListRemoveResponseSchema, { list: foundOrMissing(listLength(length)) });
    },
    async ListErase({ principal, cache, request }: CollectionCall) {
      const { listName, erase } = decodeMessage(ListEraseRequestSchema, request);
      if (erase.case === undefined) {
        throw new TodokuError("invalid_argument", "ListEraseRequest: neither `some` nor `all` is given");
      }
      const ranges =
        erase.case === "some"
          ? erase.value.ranges.map(({ beginIndex, count }) => ({ start: beginIndex, count }))
          : undefined;
      const length = await lists.erase(principal, cache, listName, ranges);
      return encode(ListEraseResponseSchema, { list: foundOrMissing(listLength(length)) });
    },
  };
}

function listLength(length: number | undefined): { listLength: number } | undefined {
  return length === undefined ? undefined : { listLength: length };
}

/** An end that is not given is none, as one that is unbounded. */
function sliceOf({ startIndex, endIndex }: Pick<ListFetchRequest, "startIndex" | "endIndex">): ListSlice {
  return {
    start: startIndex.case === "inclusiveStart" ? startIndex.value : undefined,
    end: endIndex.case === "exclusiveEnd" ? endIndex.value : undefined,
  };
}
