import { z } from "zod";
import { limits } from "../../domain/limits.ts";
import { operation } from "./operation.ts";
import type { Routes } from "./routes.ts";
import { webhookPath as path } from "./webhook-codec.ts";
import {
  deadLetterSchema,
  deliverySchema,
  failureSchema,
  toDeadLetterJson,
  toDeliveryJson,
  toFailureJson,
} from "./webhook-delivery-codec.ts";

const limit = z.coerce.number<string>().int().min(1).max(limits.webhook.logMax).default(100);
const logQuery = z.object({
  limit: limit.meta({ description: "How many entries at most" }),
  before: z.coerce
    .number<string>()
    .int()
    .min(1)
    .optional()
    .meta({ description: "Entries before this number: of the last one of the answer before" }),
});
const deadLetterId = z.int().min(1).meta({ description: "One of them; default: all" });

/** What became of the deliveries of `/v1/webhooks/{cache}/{webhook}`. */
export const webhookDeliveryRoutes: Routes = {
  "/v1/webhooks/:cache/:webhook/deliveries": {
    GET: operation({
      id: "listDeliveries",
      tag: "webhooks",
      summary: "List the last messages that were delivered or became dead letters, the newest first",
      description: `The last ${limits.webhook.logMax.toLocaleString("en")} are kept; older ones only count.`,
      path,
      query: logQuery,
      answers: {
        200: { description: "The deliveries", schema: z.object({ deliveries: z.array(deliverySchema) }) },
      },
      async handle({ principal, path: { cache, webhook }, query: { limit, before }, context, parts }) {
        const deliveries = await parts.webhooks.deliveries(principal, cache, webhook, limit, before);
        return context.json({ deliveries: deliveries.map(toDeliveryJson) });
      },
    }),
  },
  "/v1/webhooks/:cache/:webhook/failures": {
    GET: operation({
      id: "listFailures",
      tag: "webhooks",
      summary: "List the last attempts that failed, the newest first",
      description: `The last ${limits.webhook.logMax.toLocaleString("en")} are kept; older ones only count.`,
      path,
      query: logQuery,
      answers: { 200: { description: "The failures", schema: z.object({ failures: z.array(failureSchema) }) } },
      async handle({ principal, path: { cache, webhook }, query: { limit, before }, context, parts }) {
        const failures = await parts.webhooks.failures(principal, cache, webhook, limit, before);
        return context.json({ failures: failures.map(toFailureJson) });
      },
    }),
  },
  "/v1/webhooks/:cache/:webhook/dead-letters": {
    GET: operation({
      id: "listDeadLetters",
      tag: "webhooks",
      summary: "List the messages that were not delivered, the oldest first",
      description:
        "An answer may hold fewer than `limit` when they are large; an empty one means that there is no more now.",
      path,
      query: z.object({
        limit: limit.meta({ description: "How many at most" }),
        after: z.coerce
          .number<string>()
          .int()
          .min(0)
          .default(0)
          .meta({ description: "Dead letters behind this id: of the last one of the answer before" }),
      }),
      answers: {
        200: { description: "The dead letters", schema: z.object({ deadLetters: z.array(deadLetterSchema) }) },
      },
      async handle({ principal, path: { cache, webhook }, query: { limit, after }, context, parts }) {
        const deadLetters = await parts.webhooks.deadLetters(principal, cache, webhook, limit, after);
        return context.json({ deadLetters: deadLetters.map(toDeadLetterJson) });
      },
    }),
    DELETE: operation({
      id: "dropDeadLetters",
      tag: "webhooks",
      summary: "Drop one dead letter, or all",
      path,
      // Strict: a misspelled `id` must not drop all of them.
      query: z.strictObject({
        id: z.coerce.number<string>().pipe(deadLetterId).optional().meta({ description: "One of them; default: all" }),
      }),
      answers: {
        200: {
          description: "How many",
          schema: z.object({ dropped: z.int().meta({ description: "Dead letters that are gone" }) }),
        },
      },
      async handle({ principal, path: { cache, webhook }, query: { id }, context, parts }) {
        return context.json({ dropped: await parts.webhooks.drop(principal, cache, webhook, id ?? "all") });
      },
    }),
  },
  "/v1/webhooks/:cache/:webhook/dead-letters/replay": {
    POST: operation({
      id: "replayDeadLetters",
      tag: "webhooks",
      summary: "Deliver one dead letter, or all, again",
      description:
        "Beside the topic's new messages, one at a time, to where the webhook points now. What is delivered goes.",
      path,
      body: z.strictObject({ id: deadLetterId.optional() }),
      answers: {
        200: {
          description: "How many",
          schema: z.object({ replaying: z.int().meta({ description: "Dead letters that are on their way now" }) }),
        },
      },
      async handle({ principal, path: { cache, webhook }, body: { id }, context, parts }) {
        return context.json({ replaying: await parts.webhooks.replay(principal, cache, webhook, id ?? "all") });
      },
    }),
  },
};
