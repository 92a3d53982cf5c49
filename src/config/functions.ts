import { z } from "zod";
import { restRoutePattern } from "../lib/rest-route.ts";

const environment = z.string().regex(/^[A-Za-z0-9-]{1,63}$/);
const origins = z.array(
  z.string().regex(/^(\*|null|https?:\/\/[^\s/]+)$/, "must be *, or an origin like https://app.example"),
);

const restApiSchema = z.strictObject({
  path: z
    .string()
    .regex(/^(\/[\w.~-]+)+$/, "must begin with / and name something, like /dev")
    .max(255)
    .refine((path) => !/^\/(v1|health|metrics|console|functions|cache|topics|2015-03-31|\d{12})(\/|$)/.test(path), {
      error: "is a path of the server's own",
    })
    .describe("What all its paths begin with, like `/dev`: what API Gateway calls a stage."),
  environment: environment
    .optional()
    .describe("Whose handlers these are. Default: `dev` in dev mode; else it must be said."),
  routes: z
    .record(
      z.string().regex(restRoutePattern, "must be a method and a path, like POST /task/{id} or ANY /files/{path+}"),
      z.strictObject({
        handler: z
          .string()
          .regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 of A-Z, a-z, 0-9, - and _")
          .describe("Name of the handler that such a call goes to."),
        auth: z.enum(["none", "jwt"]).default("none").describe("Who may call: anybody, or whoever is signed in."),
      }),
    )
    .describe("Handlers by method and path, like `{POST /task: {handler: queue-task, auth: jwt}}`."),
  origins: origins
    .optional()
    .describe(
      "Web pages that may call it, `*` for all. Default: none; in dev mode all for routes with `auth: jwt`, else those of this machine.",
    ),
});

/** The group `functions`: handlers over HTTP. */
export const functionsSchema = z.strictObject({
  environment: environment
    .optional()
    .describe(
      "Whose handlers `/functions/<name>` are. Default: the environment of all handlers with a `functionUrl`; else `dev` in dev mode.",
    ),
  origins: origins
    .default([])
    .describe("Web pages that may call function URLs, `*` for all; none: their handlers answer browsers themselves."),
  restApis: z
    .array(restApiSchema)
    .max(100)
    .default([])
    .superRefine((apis, context) => {
      for (const [i, { path }] of apis.entries()) {
        const other = apis
          .slice(0, i)
          .findIndex((one) => `${one.path}/`.startsWith(`${path}/`) || `${path}/`.startsWith(`${one.path}/`));
        if (other < 0) continue;
        const message = `must not be inside that of functions.restApis[${other}], nor the other way round`;
        context.addIssue({ code: "custom", path: [i, "path"], message });
      }
    })
    .describe(
      "Handlers behind paths, as REST APIs of API Gateway have them, see [functions.md](../guides/functions.md).",
    ),
});
