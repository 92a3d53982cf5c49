import { z } from "zod";
import { limits } from "../../domain/limits.ts";
import { attachSchema, logLineSchema, toAttachRequest } from "./handler-codec.ts";
import { operation } from "./operation.ts";
import { nameParameter } from "./parameters.ts";
import { waitFor } from "./polls.ts";
import type { Routes } from "./routes.ts";

const { handler: bounds } = limits;
const attachment = nameParameter("The attachment's id");
const path = z.object({ attachment });
const invocationPath = z.object({ attachment, invocation: nameParameter("The invocation's id") });

const attachedSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    credentials: z
      .object({ keyId: z.string(), apiKey: z.string(), accessKeyId: z.string(), secretAccessKey: z.string() })
      .meta({ description: "The handler's own key, for as long as it is attached" }),
    waitsFor: z.array(z.string()).meta({ description: "What is to feed it and is not there" }),
    env: z
      .record(z.string(), z.string())
      .meta({ description: "Its environment variables, and its secrets with their values" }),
  })
  .meta({ id: "HandlerAttachment" });
const invocationSchema = z
  .object({
    id: z.string(),
    event: z.string().meta({ description: "JSON" }),
    deadlineMs: z.number().meta({ description: "Epoch milliseconds" }),
    timeoutMs: z.number().meta({ description: "When it was handed to the handler, so much was left" }),
    functionArn: z.string(),
  })
  .meta({ id: "Invocation" });
const payloadSchema = z.strictObject({
  payload: z.string().refine(isJson, "must be JSON").meta({ description: "JSON" }),
});
const errorSchema = payloadSchema.extend({
  isHandled: z.boolean().optional().meta({ description: "The function said so itself; default: true" }),
});
/** Of one call. */
const logLinesMax = 200;
/** Quotes within JSON take two characters, and those within its texts four. */
const payloadMaxBytes = 2 * bounds.resultMaxBytes + 1024;

/** `/v1/handler-attachments`: what `todoku handler run` does. */
export const handlerAttachmentRoutes: Routes = {
  "/v1/handler-attachments": {
    POST: operation({
      id: "attachHandler",
      tag: "handlers",
      summary: "Make a handler whose runtime asks for its work, for as long as it does",
      description: `For super users. The handler is gone when it is detached, or its runtime has not asked for ${bounds.silenceMs / 1000} s.`,
      body: attachSchema,
      answers: { 201: { description: "It is attached", schema: attachedSchema } },
      async handle({ principal, body, context, parts }) {
        const made = await parts.handlers.attach(principal, toAttachRequest(body));
        const { id, name, credentials, waitsFor, environmentVariables } = made;
        return context.json({ id, name, credentials, waitsFor, env: environmentVariables }, 201);
      },
    }),
  },
  "/v1/handler-attachments/:attachment": {
    DELETE: operation({
      id: "detachHandler",
      tag: "handlers",
      summary: "Detach a handler: it is gone, and its key with it",
      path,
      answers: { 204: { description: "It is gone" } },
      async handle({ principal, path, context, parts }) {
        await parts.handlers.attachment(principal, path.attachment).detach();
        return context.body(null, 204);
      },
    }),
  },
  "/v1/handler-attachments/:attachment/next": {
    GET: operation({
      id: "nextInvocation",
      tag: "handlers",
      summary: "Wait for the next invocation",
      path,
      answers: {
        200: { description: "The invocation", schema: invocationSchema },
        204: { description: `There was none for ${bounds.pollMs / 1000} s: ask again` },
      },
      async handle({ principal, path, context, parts }) {
        const attachment = parts.handlers.attachment(principal, path.attachment);
        const invocation = await waitFor(context, parts, bounds.pollMs, (signal) => attachment.next(signal));
        if (!invocation) return context.body(null, 204);
        const { id, event, deadlineMs, timeoutMs, functionArn } = invocation;
        return context.json({ id, event, deadlineMs, timeoutMs, functionArn });
      },
    }),
  },
  "/v1/handler-attachments/:attachment/invocations/:invocation/response": {
    POST: operation({
      id: "respondToInvocation",
      tag: "handlers",
      summary: "Say what the function answered",
      path: invocationPath,
      body: payloadSchema,
      bodyMaxBytes: () => payloadMaxBytes,
      answers: { 204: { description: "It is taken" } },
      handle({ principal, path, body: { payload }, context, parts }) {
        const attachment = parts.handlers.attachment(principal, path.attachment);
        attachment.respond(path.invocation, { kind: "success", payload });
        return context.body(null, 204);
      },
    }),
  },
  "/v1/handler-attachments/:attachment/invocations/:invocation/error": {
    POST: operation({
      id: "failInvocation",
      tag: "handlers",
      summary: "Say that the function failed",
      path: invocationPath,
      body: errorSchema,
      bodyMaxBytes: () => payloadMaxBytes,
      answers: { 204: { description: "It is taken" } },
      handle({ principal, path, body: { payload, isHandled = true }, context, parts }) {
        const attachment = parts.handlers.attachment(principal, path.attachment);
        attachment.respond(path.invocation, { kind: "error", isHandled, payload });
        return context.body(null, 204);
      },
    }),
  },
  "/v1/handler-attachments/:attachment/logs": {
    POST: operation({
      id: "addHandlerLogs",
      tag: "handlers",
      summary: "Add lines to the handler's log",
      path,
      body: z.strictObject({ lines: z.array(logLineSchema).max(logLinesMax) }),
      answers: { 204: { description: "They are added" } },
      handle({ principal, path, body: { lines }, context, parts }) {
        const attachment = parts.handlers.attachment(principal, path.attachment);
        for (const line of lines) attachment.log(line);
        return context.body(null, 204);
      },
    }),
  },
};

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
