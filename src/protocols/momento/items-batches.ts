import type { Auth } from "../../domain/auth/auth.ts";
import type { Items } from "../../domain/cache/items.ts";
import type { ItemRead } from "../../domain/cache/items-batches.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { Method } from "./call.ts";
import { decodeMessage } from "./codec.ts";
import { encodeGetHit, encodeGetMiss, encodeSetOk } from "./codec-items.ts";
import { encode } from "./collections.ts";
import {
  CacheResult,
  GetBatchRequestSchema,
  GetResponseSchema,
  SetBatchRequestSchema,
  SetResponseSchema,
} from "./gen/scs_pb.ts";
import { sendAnswers } from "./stream-answers.ts";

/** The calls of `cache_client.Scs` on several items: one answer for each, in the order of the request. */
export function itemBatchMethods(
  auth: Pick<Auth, "authenticate">,
  items: Pick<Items, "getMany" | "setMany">,
): [string, Method][] {
  return [
    [
      "/cache_client.Scs/GetBatch",
      {
        kind: "stream",
        async handle(call) {
          // First: a request of the most fields takes a tenth of a second to read.
          const principal = await auth.authenticate(call.authorization, call.caller);
          const keys = decodeMessage(GetBatchRequestSchema, call.request).items.map(({ cacheKey }) => cacheKey);
          await sendAnswers(call, items.getMany(principal, call.cacheName, keys), encodeRead);
        },
      },
    ],
    [
      "/cache_client.Scs/SetBatch",
      {
        kind: "stream",
        async handle(call) {
          const principal = await auth.authenticate(call.authorization, call.caller);
          const wanted = decodeMessage(SetBatchRequestSchema, call.request).items.map((item) => ({
            key: item.cacheKey,
            value: item.cacheBody,
            ttlMs: Number(item.ttlMilliseconds),
          }));
          await sendAnswers(call, [await items.setMany(principal, call.cacheName, wanted)], encodeSet);
        },
      },
    ],
  ];
}

// A result that is none of those of a success: the SDKs make an error of it, with the message.
function encodeRead(read: ItemRead): Uint8Array {
  if (read === undefined) return encodeGetMiss();
  if (!(read instanceof TodokuError)) return encodeGetHit(read);
  return encode(GetResponseSchema, { result: CacheResult.INVALID, message: read.message });
}

function encodeSet(error: TodokuError | undefined): Uint8Array {
  if (error === undefined) return encodeSetOk();
  return encode(SetResponseSchema, { result: CacheResult.INVALID, message: error.message });
}
