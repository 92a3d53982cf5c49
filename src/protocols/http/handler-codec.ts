import { z } from "zod";
import type { HandlerSource, InvocationResult } from "../../domain/handlers/handler.ts";
import type { AttachRequest, HandlerInfo } from "../../domain/handlers/handlers.ts";
import type { HandlerLogLine } from "../../domain/handlers/logs.ts";
import { grantOrStatementSchema, toGrants } from "../../domain/handlers/statements.ts";
import { limits } from "../../domain/limits.ts";
import { eventsCache } from "../../domain/names.ts";
import { parseFilter } from "../../domain/subscriptions/filter.ts";

const { handler: bounds } = limits;

/** The handler in a path. The domain checks the names of new ones. */
export const handlerParameter = z.string().meta({
  ...{ description: "The handler's name", minLength: 1, maxLength: bounds.nameMaxLength, pattern: "^[A-Za-z0-9_-]+$" },
});
const timeoutSeconds = z.number().meta({ description: "How long one invocation may take" });
const concurrency = z.int().min(1).max(bounds.concurrencyMax).meta({ description: "Invocations at a time" });
const functionUrl = z.enum(["none", "jwt"]).meta({ description: "It has the URL `/functions/<name>`, for whom" });
const batchSize = z.int().min(1).max(limits.queue.batchMaxMessages);
const windowSeconds = z
  .number()
  .min(0)
  .max(bounds.windowMaxMs / 1000);
const filter = z.record(z.string(), z.unknown()).meta({ description: "A filter policy as SNS has it" });
const filterScope = z.enum(["attributes", "body"]).meta({ description: "What the filter looks at" });

const newSourceSchema = z
  .union([
    z.strictObject({ queue: z.string(), batchSize: batchSize.default(10), windowSeconds: windowSeconds.default(0) }),
    z.strictObject({
      cache: z.string().default(eventsCache),
      topic: z.string(),
      filter: filter.optional(),
      filterScope: filterScope.default("attributes"),
    }),
  ])
  .meta({ id: "NewHandlerSource" });
const sourceSchema = z
  .union([
    z.object({ queue: z.string(), batchSize, windowSeconds }),
    z.object({ cache: z.string(), topic: z.string(), filter: filter.optional(), filterScope: filterScope.optional() }),
  ])
  .meta({ id: "HandlerSource" });

/** The body that attaches a runtime. */
export const attachSchema = z
  .strictObject({
    name: z.string(),
    sources: z.array(newSourceSchema).max(bounds.sourcesMax).default([]),
    timeoutSeconds: timeoutSeconds
      .min(bounds.timeoutMs.min / 1000)
      .max(bounds.timeoutMs.max / 1000)
      .default(bounds.timeoutMs.default / 1000),
    concurrency: concurrency.default(1),
    grants: z
      .array(grantOrStatementSchema)
      .default([])
      .meta({ description: "Grants, or statements of an IAM policy: all that its key may do" }),
    env: z.record(z.string(), z.string()).default({}).meta({ description: "Environment variables" }),
    secrets: z
      .record(z.string(), z.string())
      .default({})
      .meta({ description: "Environment variables with the values of secrets of these names" }),
    functionUrl: functionUrl.optional(),
  })
  .meta({ id: "NewHandlerAttachment" });

/** What is shown of a handler. */
export const handlerSchema = z
  .object({
    name: z.string(),
    state: z
      .enum(["starting", "ready", "waiting", "failing"])
      .meta({ description: "`waiting`: it is ready, and something that feeds it is not there" }),
    waitsFor: z.array(z.string()).meta({ description: "What is to feed it and is not there" }),
    run: z.enum(["command", "endpoint", "attached"]).meta({ description: "How it is reached" }),
    sources: z.array(sourceSchema),
    timeoutSeconds,
    concurrency: z.int(),
    functionUrl: functionUrl.optional(),
    running: z.int().meta({ description: "Invocations that run" }),
    waiting: z.int().meta({ description: "And that wait for one to end" }),
    counts: z
      .object({ succeeded: z.int(), failed: z.int(), timedOut: z.int() })
      .meta({ description: "Invocations since the server's start" }),
    lastError: z.object({ message: z.string(), atMs: z.number() }).optional(),
  })
  .meta({ id: "Handler" });

/** What became of an invocation. */
export const resultSchema = z
  .object({
    outcome: z.enum(["success", "error"]),
    payload: z.unknown().meta({ description: "What the function answered; of an error `errorType`, `errorMessage`" }),
    isHandled: z.boolean().optional().meta({ description: "Of an error: the function said so itself" }),
  })
  .meta({ id: "InvocationResult" });

/** Of JavaScript's dates. */
const dateMaxMs = 8.64e15;

/** One line of a log. */
export const logLineSchema = z
  .object({
    atMs: z.number().min(0).max(dateMaxMs).meta({ description: "Epoch milliseconds" }),
    stream: z.enum(["stdout", "stderr", "system"]).meta({ description: "`system`: what the server says of it" }),
    invocationId: z.string().optional().meta({ description: "What ran, or ran last" }),
    text: z.string(),
  })
  .meta({ id: "HandlerLogLine" });

export function toAttachRequest(body: z.output<typeof attachSchema>): AttachRequest {
  const { name, sources, timeoutSeconds, concurrency, grants, env, secrets, functionUrl } = body;
  return {
    ...{ name, concurrency, variables: env, secrets, timeoutMs: Math.round(timeoutSeconds * 1000) },
    sources: sources.map(toSource),
    grants: toGrants(grants),
    functionUrl: functionUrl && { auth: functionUrl },
  };
}

function toSource(source: z.output<typeof newSourceSchema>): HandlerSource {
  if ("queue" in source) {
    const { queue, batchSize, windowSeconds } = source;
    return { kind: "queue", queue, batchSize, windowMs: Math.round(windowSeconds * 1000) };
  }
  const { cache, topic, filter, filterScope } = source;
  return { kind: "topic", cache, topic, filter: filter && parseFilter(JSON.stringify(filter), filterScope) };
}

export function toHandlerJson({ sources, timeoutMs, functionUrl, lastError, ...info }: HandlerInfo) {
  return {
    ...info,
    sources: sources.map(toSourceJson),
    timeoutSeconds: timeoutMs / 1000,
    ...(functionUrl && { functionUrl: functionUrl.auth }),
    ...(lastError && { lastError }),
  };
}

function toSourceJson(source: HandlerSource) {
  if (source.kind === "queue") {
    const { queue, batchSize, windowMs } = source;
    return { queue, batchSize, windowSeconds: windowMs / 1000 };
  }
  const { cache, topic, filter } = source;
  return { cache, topic, ...(filter && { filter: filter.policy, filterScope: filter.scope }) };
}

export function toResultJson(result: InvocationResult) {
  const payload: unknown = JSON.parse(result.payload);
  if (result.kind === "success") return { outcome: "success", payload };
  return { outcome: "error", payload, isHandled: result.isHandled };
}

export function toLogLineJson({ invocationId, ...line }: HandlerLogLine) {
  return invocationId === undefined ? line : { ...line, invocationId };
}
