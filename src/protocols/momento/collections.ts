import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Auth } from "../../domain/auth/auth.ts";
import type { Principal } from "../../domain/auth/principal.ts";
import type { CollectionTtl } from "../../domain/cache/collections.ts";
import type { Method } from "./call.ts";

/** Who calls, on which cache, with which message. */
export interface CollectionCall {
  readonly principal: Principal;
  readonly cache: string;
  readonly request: Uint8Array;
}

/** The unary methods of a service whose calls name their cache in the metadata, by name. */
export function cacheMethodsOf(
  auth: Auth,
  service: string,
  handlers: Readonly<Record<string, (call: CollectionCall) => Promise<Uint8Array>>>,
): [string, Method][] {
  return Object.entries(handlers).map(([name, handle]) => [
    `/${service}/${name}`,
    {
      kind: "unary",
      handle: async ({ authorization, caller, cacheName, request }) =>
        handle({ principal: await auth.authenticate(authorization, caller), cache: cacheName, request }),
    },
  ]);
}

/** Most answers about a collection are one of the two. */
export function foundOrMissing<Found>(found: Found | undefined) {
  return found === undefined ? { case: "missing" as const, value: {} } : { case: "found" as const, value: found };
}

export function ttlOf(message: { readonly ttlMilliseconds: bigint; readonly refreshTtl: boolean }): CollectionTtl {
  return { ttlMs: Number(message.ttlMilliseconds), isRefreshed: message.refreshTtl };
}

export function encode<Schema extends DescMessage>(schema: Schema, message: MessageInitShape<Schema>): Uint8Array {
  return toBinary(schema, create(schema, message));
}
