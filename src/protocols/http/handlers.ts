import { z } from "zod";
import { limits } from "../../domain/limits.ts";
import {
  handlerParameter,
  handlerSchema,
  logLineSchema,
  resultSchema,
  toHandlerJson,
  toLogLineJson,
  toResultJson,
} from "./handler-codec.ts";
import { operation } from "./operation.ts";
import { waitFor } from "./polls.ts";
import type { Routes } from "./routes.ts";

const path = z.object({ handler: handlerParameter });
const { handler: bounds } = limits;

/** `/v1/handlers`. */
export const handlerRoutes: Routes = {
  "/v1/handlers": {
    GET: operation({
      id: "listHandlers",
      tag: "handlers",
      summary: "List the handlers that the credential may see, by name",
      answers: { 200: { description: "The handlers", schema: z.object({ handlers: z.array(handlerSchema) }) } },
      handle({ principal, context, parts }) {
        return context.json({ handlers: parts.handlers.list(principal).map(toHandlerJson) });
      },
    }),
  },
  "/v1/handlers/:handler": {
    GET: operation({
      id: "readHandler",
      tag: "handlers",
      summary: "Show a handler",
      path,
      answers: { 200: { description: "The handler", schema: handlerSchema } },
      handle({ principal, path: { handler }, context, parts }) {
        return context.json(toHandlerJson(parts.handlers.read(principal, handler)));
      },
    }),
  },
  "/v1/handlers/:handler/invocations": {
    POST: operation({
      id: "invokeHandler",
      tag: "handlers",
      summary: "Call a handler with any JSON as its event, and wait for what it answers",
      description: "An error of the function is an answer too: `outcome` tells it apart.",
      path,
      body: z.unknown(),
      bodyMaxBytes: () => bounds.eventMaxBytes,
      answers: { 200: { description: "What it answered", schema: resultSchema } },
      async handle({ principal, path: { handler }, body, context, parts }) {
        return context.json(toResultJson(await parts.handlers.invokeAs(principal, handler, JSON.stringify(body))));
      },
    }),
  },
  "/v1/handlers/:handler/logs": {
    GET: operation({
      id: "readHandlerLogs",
      tag: "handlers",
      summary: "Read what a handler wrote, and what the server says of it, or wait for more",
      description:
        "The last lines of each handler are kept, in memory. Without `after` the last of them are answered; with it those that follow, oldest first.",
      path,
      query: z.object({
        after: z.string().optional().meta({ description: "A `next` that was answered before" }),
        limit: z.coerce
          .number<string>()
          .int()
          .min(1)
          .max(bounds.logMaxLines)
          .optional()
          .meta({ description: "Lines; default: all that are kept" }),
        waitSeconds: z.coerce
          .number<string>()
          .min(0)
          .max(bounds.pollMs / 1000)
          .optional()
          .meta({ description: "Wait so long for the first line; default: 0" }),
      }),
      answers: {
        200: {
          description: "The lines, and where to go on",
          schema: z.object({ lines: z.array(logLineSchema), next: z.string() }),
        },
      },
      async handle({ principal, path: { handler }, query: { after, limit, waitSeconds = 0 }, context, parts }) {
        const { lines, next } = await waitFor(context, parts, waitSeconds * 1000, (signal) =>
          parts.handlers.logs.read(principal, handler, { after, limit, signal }),
        );
        return context.json({ lines: lines.map(toLogLineJson), next });
      },
    }),
  },
};
