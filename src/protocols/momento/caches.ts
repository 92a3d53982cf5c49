import { create, toBinary } from "@bufbuild/protobuf";
import type { Auth } from "../../domain/auth/auth.ts";
import type { Caches } from "../../domain/cache/caches.ts";
import { limits } from "../../domain/limits.ts";
import { eventsCache } from "../../domain/names.ts";
import type { Topics } from "../../domain/topics/topics.ts";
import type { Call, Method } from "./call.ts";
import { decodeMessage } from "./codec.ts";
import { empty } from "./codec-items.ts";
import {
  CreateCacheRequestSchema,
  DeleteCacheRequestSchema,
  FlushCacheRequestSchema,
  ListCachesResponseSchema,
} from "./gen/control_pb.ts";

/** uint32's greatest: Todoku does not limit rates per cache. */
const unlimited = 0xffffffff;

/** `control_client.ScsControl`. */
export function cacheMethods(auth: Auth, caches: Caches, topics: Pick<Topics, "messageMaxBytes">): [string, Method][] {
  const principal = (call: Call) => auth.authenticate(call.authorization, call.caller);
  const unary = (name: string, handle: (call: Call) => Promise<Uint8Array>): [string, Method] => [
    `/control_client.ScsControl/${name}`,
    { kind: "unary", handle },
  ];
  return [
    unary("CreateCache", async (call) => {
      await caches.create(await principal(call), decodeMessage(CreateCacheRequestSchema, call.request).cacheName);
      return empty;
    }),
    unary("DeleteCache", async (call) => {
      await caches.delete(await principal(call), decodeMessage(DeleteCacheRequestSchema, call.request).cacheName);
      return empty;
    }),
    unary("FlushCache", async (call) => {
      await caches.flush(await principal(call), decodeMessage(FlushCacheRequestSchema, call.request).cacheName);
      return empty;
    }),
    unary("ListCaches", async (call) => {
      // All on one page: the SDKs ignore the next token (reference 1.4).
      const caller = await principal(call);
      const messageMaxBytes = topics.messageMaxBytes(caller.environment);
      // Clients that compare the list with what they made must not find one more.
      const own = caches.list(caller).filter(({ cache }) => cache !== eventsCache);
      const cache = own.map(({ cache: cacheName }) => ({
        cacheName,
        cacheLimits: {
          maxTrafficRate: unlimited,
          maxThroughputKbps: unlimited,
          maxItemSizeKb: Math.ceil(limits.itemMaxBytes / 1024),
          maxTtlSeconds: BigInt(limits.itemTtlMaxMs / 1000),
        },
        topicLimits: {
          maxPublishRate: unlimited,
          maxSubscriptionCount: unlimited,
          maxPublishMessageSizeKb: Math.floor(messageMaxBytes / 1024),
        },
      }));
      return toBinary(ListCachesResponseSchema, create(ListCachesResponseSchema, { cache }));
    }),
  ];
}
