import { z } from "zod";
import type { Cache } from "../../domain/cache/cache.ts";
import { readJson, refuseForms } from "./body.ts";
import { authenticate } from "./caller.ts";
import type { HttpOptions } from "./options.ts";
import { parameter, type Routes } from "./routes.ts";

const createSchema = z.strictObject({
  name: z.string(),
  durability: z.enum(["disk", "memory"]).optional(),
});
const bodyMaxBytes = 16 * 1024;

/** `/v1/caches`. */
export function cacheRoutes({ auth, caches }: Pick<HttpOptions, "auth" | "caches">): Routes {
  return {
    "/v1/caches": {
      async GET(context) {
        const principal = await authenticate(auth, context.env.incoming);
        return context.json({ caches: caches.list(principal).map(toJson) });
      },
      async POST(context) {
        const principal = await authenticate(auth, context.env.incoming);
        const { name, durability } = await readJson(context.env.incoming, createSchema, bodyMaxBytes);
        return context.json(toJson(await caches.create(principal, name, durability)), 201);
      },
    },
    "/v1/caches/:cache": {
      async DELETE(context) {
        const principal = await authenticate(auth, context.env.incoming);
        await caches.delete(principal, parameter(context, "cache"));
        return context.body(null, 204);
      },
    },
    "/v1/caches/:cache/flush": {
      async POST(context) {
        const principal = await authenticate(auth, context.env.incoming);
        refuseForms(context.env.incoming);
        await caches.flush(principal, parameter(context, "cache"));
        return context.body(null, 204);
      },
    },
  };
}

function toJson({ cache, durability, createdAtMs }: Cache) {
  return { name: cache, durability, createdAtMs };
}
