import { z } from "zod";
import { operation } from "./operation.ts";
import { nameParameter } from "./parameters.ts";
import { toMs } from "./queue-codec.ts";
import type { Routes } from "./routes.ts";
import {
  webhookPath as path,
  putAnswerSchema,
  rotateSchema,
  secretSchema,
  testedSchema,
  toTestedJson,
  toWebhookJson,
  toWebhookWithStateJson,
  webhookRequestSchema,
  webhookSchema,
  webhookWithStateSchema,
} from "./webhook-codec.ts";

/** `/v1/webhooks`, but for what became of deliveries: webhook-deliveries.ts. */
export const webhookRoutes: Routes = {
  "/v1/webhooks": {
    GET: operation({
      id: "listWebhooks",
      tag: "webhooks",
      summary: "List the webhooks that the credential may see, by cache and name",
      query: z.object({ cache: nameParameter("Only those of this cache").optional() }),
      answers: { 200: { description: "The webhooks", schema: z.object({ webhooks: z.array(webhookSchema) }) } },
      async handle({ principal, query: { cache }, context, parts }) {
        return context.json({ webhooks: (await parts.webhooks.list(principal, cache)).map(toWebhookJson) });
      },
    }),
  },
  "/v1/webhooks/:cache/:webhook": {
    PUT: operation({
      id: "putWebhook",
      tag: "webhooks",
      summary: "Make a webhook, or change it",
      description:
        "A new one begins with the topic's next message. A changed one keeps its secret, and its place unless the topic changes.",
      path,
      body: webhookRequestSchema,
      answers: {
        200: { description: "It was there, and is so from now on", schema: putAnswerSchema },
        201: { description: "The new webhook", schema: putAnswerSchema },
      },
      async handle({ principal, path: { cache, webhook: name }, body: { topic, url, ordered }, context, parts }) {
        const request = { topic, url, isOrdered: ordered };
        const { webhook, secret, isNew } = await parts.webhooks.put(principal, cache, name, request);
        return context.json({ webhook: toWebhookJson(webhook), secret }, isNew ? 201 : 200);
      },
    }),
    GET: operation({
      id: "getWebhook",
      tag: "webhooks",
      summary: "Read a webhook, and how it is",
      path,
      answers: { 200: { description: "The webhook now", schema: webhookWithStateSchema } },
      async handle({ principal, path: { cache, webhook }, context, parts }) {
        return context.json(toWebhookWithStateJson(await parts.webhooks.get(principal, cache, webhook)));
      },
    }),
    DELETE: operation({
      id: "deleteWebhook",
      tag: "webhooks",
      summary: "Delete a webhook with its secret, its dead letters and all that is known of its deliveries",
      path,
      answers: { 204: { description: "It is gone" } },
      async handle({ principal, path: { cache, webhook }, context, parts }) {
        await parts.webhooks.delete(principal, cache, webhook);
        return context.body(null, 204);
      },
    }),
  },
  "/v1/webhooks/:cache/:webhook/secret": {
    GET: operation({
      id: "readWebhookSecret",
      tag: "webhooks",
      summary: "Read what a webhook's deliveries are signed with",
      path,
      answers: { 200: { description: "The current secret", schema: secretSchema } },
      async handle({ principal, path: { cache, webhook }, context, parts }) {
        return context.json({ secret: await parts.webhooks.secret(principal, cache, webhook) });
      },
    }),
  },
  "/v1/webhooks/:cache/:webhook/rotate": {
    POST: operation({
      id: "rotateWebhookSecret",
      tag: "webhooks",
      summary: "Give a webhook a new secret; the one before signs too for a while",
      path,
      body: rotateSchema,
      answers: { 200: { description: "The new secret", schema: secretSchema } },
      async handle({ principal, path: { cache, webhook }, body: { overlapSeconds }, context, parts }) {
        const overlapMs = overlapSeconds === undefined ? undefined : toMs(overlapSeconds);
        return context.json({ secret: await parts.webhooks.rotate(principal, cache, webhook, overlapMs) });
      },
    }),
  },
  "/v1/webhooks/:cache/:webhook/pause": {
    POST: operation({
      id: "pauseWebhook",
      tag: "webhooks",
      summary: "Deliver nothing any more; the topic keeps what is due as long as it can",
      path,
      answers: { 200: { description: "The webhook, paused", schema: webhookSchema } },
      async handle({ principal, path: { cache, webhook }, context, parts }) {
        return context.json(toWebhookJson(await parts.webhooks.pause(principal, cache, webhook)));
      },
    }),
  },
  "/v1/webhooks/:cache/:webhook/resume": {
    POST: operation({
      id: "resumeWebhook",
      tag: "webhooks",
      summary: "Go on where a webhook was paused; an open circuit tries at once",
      path,
      answers: { 200: { description: "The webhook, not paused", schema: webhookSchema } },
      async handle({ principal, path: { cache, webhook }, context, parts }) {
        return context.json(toWebhookJson(await parts.webhooks.resume(principal, cache, webhook)));
      },
    }),
  },
  "/v1/webhooks/:cache/:webhook/test": {
    POST: operation({
      id: "testWebhook",
      tag: "webhooks",
      summary: "Deliver a made-up message now, once, whether the webhook is paused or not",
      description: "It has the header `todoku-test: true`, and is neither counted nor retried.",
      path,
      answers: { 200: { description: "What became of it", schema: testedSchema } },
      async handle({ principal, path: { cache, webhook }, context, parts }) {
        return context.json(toTestedJson(await parts.webhooks.test(principal, cache, webhook)));
      },
    }),
  },
};
