import { z } from "zod";
import { limits } from "../../domain/limits.ts";
import type { Outcome } from "../../domain/subscriptions/destination.ts";
import type { Webhook } from "../../domain/subscriptions/subscription.ts";
import type { WebhookInfo } from "../../domain/subscriptions/webhooks.ts";
import { formatPosition } from "../../domain/topics/position.ts";
import { positionSchema } from "./codec.ts";
import { nameParameter } from "./parameters.ts";

const { webhook: bounds } = limits;

export const epochMs = (description: string) => z.number().meta({ description: `${description}; epoch milliseconds` });
export const latencyMs = z.number().meta({ description: "From the call to the end of its answer" });
export const status = z.int().optional().meta({ description: "HTTP status; absent when there was no answer" });
export const answer = z.string().optional().meta({
  description:
    "How the destination's answer began, up to 1 KiB: of public destinations, for those who may write the webhook",
});

export const webhookPath = z.object({
  cache: nameParameter("The cache's name"),
  webhook: nameParameter("The webhook's name"),
});

export const webhookRequestSchema = z
  .strictObject({
    topic: z.string().meta({ description: "The topic's name; it need not exist" }),
    url: z.string().meta({
      description: `http or https, at most ${bounds.urlMaxLength} characters, without user name, password and fragment`,
    }),
    ordered: z.boolean().optional().meta({
      description:
        "True: one message after the other. False: one that cannot be delivered does not hold up others. Default: as it was; true for a new one",
    }),
  })
  .meta({ id: "WebhookRequest" });

export const webhookSchema = z
  .object({
    cache: z.string(),
    name: z.string(),
    topic: z.string(),
    url: z.string(),
    ordered: z.boolean(),
    paused: z
      .object({
        reason: z.enum(["asked", "gone"]).meta({ description: "`gone`: the destination answered 410" }),
        atMs: epochMs("When it was paused"),
      })
      .optional()
      .meta({ description: "Nothing is delivered" }),
    createdAtMs: epochMs("When it was made"),
  })
  .meta({ id: "Webhook" });

const count = (description: string) => z.int().meta({ description });
export const webhookWithStateSchema = webhookSchema
  .extend({
    circuit: z.enum(["closed", "open"]).meta({
      description: "`open`: the destination does not work; one delivery is tried at a time, and none ends for its age",
    }),
    cursor: positionSchema.meta({ description: "Messages up to here were taken from the topic's log" }),
    overlap: z
      .object({
        endsAtMs: epochMs("When former secrets end"),
        receiverIsBehind: z.boolean().meta({
          description: "The receiver refused the current secret and took a former one, as far as known since the start",
        }),
      })
      .optional()
      .meta({ description: "After a rotation: former secrets sign too" }),
    waiting: z.int().optional().meta({ description: "Messages behind the cursor, and those under way" }),
    counters: z
      .object({
        delivered: count("Messages"),
        failures: count("Attempts that failed"),
        dead: count("Messages that became dead letters"),
        replayed: count("Dead letters that were delivered after all"),
        dropped: count("Dead letters that were dropped: too old, too many, or because somebody said so"),
        missed: count("Messages that the topic no longer had"),
      })
      .meta({ description: "Since the webhook was made" }),
    deadLetters: z.object({
      count: count("There now"),
      bytes: z.int(),
      replaying: count("Of them, wait to be delivered again"),
    }),
  })
  .meta({ id: "WebhookWithState" });

export const secretSchema = z.object({
  secret: z.string().meta({ description: "What deliveries are signed with: `whsec_` and base64 of 32 bytes" }),
});
export const putAnswerSchema = z.object({ webhook: webhookSchema, ...secretSchema.shape });

export const rotateSchema = z.strictObject({
  overlapSeconds: z
    .number()
    .min(0)
    .max(bounds.rotationOverlapMs.max / 1000)
    .multipleOf(0.001)
    .optional()
    .meta({ description: "For how long the secret before signs too. Default: 86,400 (24 hours)" }),
});

export const testedSchema = z
  .object({ delivered: z.boolean(), status, latencyMs, error: z.string().optional(), answer })
  .meta({ id: "TestDelivery" });

/** A tenth of a millisecond: more is noise. */
export function roundMs(value: number): number {
  return Math.round(value * 10) / 10;
}

export function toWebhookJson(subscription: Webhook): z.output<typeof webhookSchema> {
  const { cache, name, topic, destination, isOrdered, pause, createdAtMs } = subscription;
  return {
    ...{ cache, name, topic, url: destination.url, ordered: isOrdered },
    ...(pause ? { paused: pause } : {}),
    createdAtMs,
  };
}

export function toWebhookWithStateJson(info: WebhookInfo): z.output<typeof webhookWithStateSchema> {
  const { webhook, circuit, cursor, waiting, overlap, counters, deadLetters } = info;
  return {
    ...toWebhookJson(webhook),
    circuit,
    cursor: formatPosition(cursor.position),
    ...(overlap ? { overlap } : {}),
    ...(waiting === undefined ? {} : { waiting }),
    ...{ counters, deadLetters },
  };
}

export function toTestedJson(outcome: Outcome): z.output<typeof testedSchema> {
  const { status, latencyMs } = outcome;
  const common = { ...(status === undefined ? {} : { status }), latencyMs: roundMs(latencyMs) };
  if (outcome.verdict === "delivered") return { delivered: true, ...common };
  const { error, answer } = outcome;
  return { delivered: false, ...common, error, ...(answer === undefined ? {} : { answer }) };
}
