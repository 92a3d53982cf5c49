import { z } from "zod";
import type { Cache } from "../../domain/cache/cache.ts";
import { operation } from "./operation.ts";
import { nameParameter } from "./parameters.ts";
import type { Routes } from "./routes.ts";

const bodyMaxBytes = 16 * 1024;
const path = z.object({ cache: nameParameter("The cache's name") });

const durability = z.enum(["disk", "memory"]).meta({
  description: "`disk`: acknowledged means on disk; `memory`: acknowledged means in this process",
});
const cacheSchema = z
  .object({ name: z.string(), durability, createdAtMs: z.number().meta({ description: "Epoch milliseconds" }) })
  .meta({ id: "Cache" });
const createSchema = z
  .strictObject({
    name: z.string().meta({ description: "1 to 255 bytes" }),
    durability: durability.optional().meta({ description: "Default: the server's own" }),
  })
  .meta({ id: "NewCache" });

/** `/v1/caches`. */
export const cacheRoutes: Routes = {
  "/v1/caches": {
    GET: operation({
      id: "listCaches",
      tag: "caches",
      summary: "List the caches that the credential may see, by name",
      answers: { 200: { description: "The caches", schema: z.object({ caches: z.array(cacheSchema) }) } },
      handle: ({ principal, context, parts }) => context.json({ caches: parts.caches.list(principal).map(toJson) }),
    }),
    POST: operation({
      id: "createCache",
      tag: "caches",
      summary: "Create a cache",
      body: createSchema,
      bodyMaxBytes: () => bodyMaxBytes,
      answers: { 201: { description: "The new cache", schema: cacheSchema } },
      async handle({ principal, body: { name, durability }, context, parts }) {
        return context.json(toJson(await parts.caches.create(principal, name, durability)), 201);
      },
    }),
  },
  "/v1/caches/:cache": {
    DELETE: operation({
      id: "deleteCache",
      tag: "caches",
      summary: "Delete a cache with all that is in it; its subscriptions end with `not_found`",
      description: "`failed_precondition`: the reserved cache `events` is built in.",
      path,
      answers: { 204: { description: "It is gone" } },
      async handle({ principal, path: { cache }, context, parts }) {
        await parts.caches.delete(principal, cache);
        return context.body(null, 204);
      },
    }),
  },
  "/v1/caches/:cache/flush": {
    POST: operation({
      id: "flushCache",
      tag: "caches",
      summary: "Drop all items and all topics' history; subscribers go on behind a discontinuity",
      path,
      answers: { 204: { description: "It is empty" } },
      async handle({ principal, path: { cache }, context, parts }) {
        await parts.caches.flush(principal, cache);
        return context.body(null, 204);
      },
    }),
  },
};

function toJson({ cache, durability, createdAtMs }: Cache) {
  return { name: cache, durability, createdAtMs };
}
