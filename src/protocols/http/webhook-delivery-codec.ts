import { z } from "zod";
import type { DeadLetter, DeliveryEntry, FailureEntry, Numbered } from "../../domain/subscriptions/store.ts";
import { formatPosition } from "../../domain/topics/position.ts";
import { itemSchema, positionSchema, toItemJson } from "./codec.ts";
import { answer, epochMs, latencyMs, roundMs, status } from "./webhook-codec.ts";

const common = {
  number: z.int().meta({ description: "Grows; give the last one as `before` of the next call" }),
  position: positionSchema,
  topic: z.string(),
  atMs: epochMs("When it ended"),
  status,
  latencyMs,
};

/** One message that came to its end; status and latency are those of the last attempt. */
export const deliverySchema = z
  .object({
    ...common,
    outcome: z.enum(["delivered", "dead"]),
    attempts: z.int(),
    replay: z.literal(true).optional().meta({ description: "It was a dead letter" }),
  })
  .meta({ id: "Delivery" });

/** One attempt. */
export const failureSchema = z
  .object({ ...common, attempt: z.int().meta({ description: "From 1 on" }), error: z.string(), answer })
  .meta({ id: "DeliveryFailure" });

export const deadLetterSchema = itemSchema
  .extend({
    id: z.int().meta({ description: "Grows; give the last one as `after` of the next call" }),
    topic: z.string(),
    reason: z.enum(["refused", "deadline", "history"]).meta({
      description:
        "`refused`: the destination said so. `deadline`: tried until then. `history`: the topic could not keep it any longer",
    }),
    diedAtMs: epochMs("When it became one"),
    attempts: z.int(),
    error: z.string().meta({ description: "Of the last failure; empty when there was none" }),
    status,
    replaying: z.boolean().meta({ description: "It waits to be delivered again" }),
  })
  .meta({ id: "DeadLetter" });

export function toDeliveryJson(entry: Numbered<DeliveryEntry>): z.output<typeof deliverySchema> {
  const { outcome, attempts, isReplay } = entry;
  return { ...toCommonJson(entry), outcome, attempts, ...(isReplay ? { replay: true as const } : {}) };
}

export function toFailureJson(entry: Numbered<FailureEntry>): z.output<typeof failureSchema> {
  const { attempt, error, answer } = entry;
  return { ...toCommonJson(entry), attempt, error, ...(answer === undefined ? {} : { answer }) };
}

export function toDeadLetterJson(letter: DeadLetter): z.output<typeof deadLetterSchema> {
  const { id, topic, item, reason, diedAtMs, attempts, error, status, isReplaying } = letter;
  return {
    ...{ id, topic },
    ...toItemJson(item),
    ...{ reason, diedAtMs, attempts, error },
    ...(status === undefined ? {} : { status }),
    replaying: isReplaying,
  };
}

function toCommonJson(entry: Numbered<DeliveryEntry | FailureEntry>) {
  const { number, topic, atMs, status, latencyMs } = entry;
  const position = formatPosition(entry);
  return { number, position, topic, atMs, ...(status === undefined ? {} : { status }), latencyMs: roundMs(latencyMs) };
}
