import { z } from "zod";
import { limits } from "../../domain/limits.ts";
import type { Received } from "../../domain/queues/messages.ts";
import type { Queue } from "../../domain/queues/queue.ts";
import type { SentMessage } from "../../domain/queues/sent-message.ts";
import type { QueueChanges } from "../../domain/queues/settings.ts";
import type { QueueCounts, QueueMessage } from "../../domain/queues/store.ts";
import { attributesField, attributesSchema } from "../message-fields.ts";

const { queue: bounds } = limits;

/** The queue in a path. The domain checks the names of new queues. */
export const queueParameter = z.string().meta({
  ...{ description: "The queue's name", minLength: 1, maxLength: bounds.nameMaxLength, pattern: "^[A-Za-z0-9_-]+$" },
});

/** Seconds, down to a millisecond. */
const seconds = (minMs: number, maxMs: number) =>
  z
    .number()
    .min(minMs / 1000)
    .max(maxMs / 1000)
    .multipleOf(0.001);
const visibilitySeconds = seconds(0, bounds.visibilityMs.max).meta({
  description: "How long a received message stays hidden from others",
});
const delaySeconds = seconds(0, bounds.delayMs.max).meta({
  description: "How long a sent message waits before it can be received",
});
const retentionSeconds = seconds(bounds.retentionMs.min, bounds.retentionMs.max).meta({
  description: "How long a message is kept",
});
const waitSeconds = seconds(0, bounds.waitMaxMs).meta({
  description: "How long a receive waits for the first message when it does not say",
});
const { min: messageMinBytes, max: messageMaxMaxBytes } = bounds.messageMaxBytes;
const messageMaxBytes = z.int().min(messageMinBytes).max(messageMaxMaxBytes).meta({
  description: "Bytes of a message's body and attributes together",
});
const deadLetterSources = z.array(z.string()).max(bounds.deadLetterSourcesMax).meta({
  description: "The queues whose dead letters it takes; without it: those of any queue that names it",
});
const tags = z
  .record(z.string(), z.string())
  .meta({ description: `At most ${bounds.tags.max}; they mean nothing to the server` });
const batchOf = <T extends z.ZodType>(entry: T) => z.array(entry).min(1).max(bounds.batchMaxMessages);
const epochMs = (description: string) => z.number().meta({ description: `${description}; epoch milliseconds` });
const maxMessages = (max: number) => z.int().min(1).max(max);

const deadLetterRule = z
  .strictObject({ queue: z.string(), maxReceives: maxMessages(bounds.maxReceives) })
  .meta({ id: "DeadLetterRule", description: "After so many receives a message moves to `queue`" });

const settings = {
  visibilitySeconds: visibilitySeconds.optional(),
  delaySeconds: delaySeconds.optional(),
  retentionSeconds: retentionSeconds.optional(),
  waitSeconds: waitSeconds.optional(),
  messageMaxBytes: messageMaxBytes.optional(),
};
export const newQueueSchema = z
  .strictObject({
    name: z.string().meta({ description: `1 to ${bounds.nameMaxLength} of A-Z, a-z, 0-9, - and _` }),
    ...settings,
    deadLetter: deadLetterRule.optional(),
    deadLetterSources: deadLetterSources.optional(),
    tags: tags.optional(),
  })
  .meta({ id: "NewQueue" });
export const queueChangesSchema = z
  .strictObject({
    ...settings,
    deadLetter: deadLetterRule.nullable().optional(),
    deadLetterSources: deadLetterSources.nullable().optional(),
    tags: z.record(z.string(), z.string().nullable()).optional(),
  })
  .meta({
    id: "QueueChanges",
    description: "What is left out stays; null takes a rule, the bound on sources or one tag away",
  });
export const queueSchema = z
  .object({
    name: z.string(),
    ...{ visibilitySeconds, delaySeconds, retentionSeconds, waitSeconds, messageMaxBytes },
    deadLetter: deadLetterRule.optional(),
    deadLetterSources: deadLetterSources.optional(),
    tags: tags.optional(),
    createdAtMs: epochMs("When it was made"),
    modifiedAtMs: epochMs("When its settings were last changed"),
  })
  .meta({ id: "Queue" });
export const queueWithCountsSchema = queueSchema
  .extend({
    messages: z.object({
      ready: z.int().meta({ description: "Can be received now" }),
      delayed: z.int().meta({ description: "Sent with a delay that is not over" }),
      inFlight: z.int().meta({ description: "Received, and hidden from others" }),
    }),
    bytes: z.int(),
    oldestAtMs: epochMs("When the oldest message came into the queue").optional(),
  })
  .meta({ id: "QueueWithCounts" });

const sentMessage = z
  .strictObject({
    body: z
      .string()
      .meta({ description: "Not empty; with the attributes at most the queue's `messageMaxBytes` as UTF-8" }),
    attributes: attributesField.optional(),
    delaySeconds: delaySeconds.optional(),
    messageId: z.string().optional().meta({
      description: "1 to 128 characters: the same one within 5 minutes is added once. Default: a random one",
    }),
  })
  .meta({ id: "SentMessage" });
export const sendSchema = z.union([sentMessage, z.strictObject({ messages: batchOf(sentMessage) })]);

export const receiveSchema = z.strictObject({
  maxMessages: maxMessages(bounds.batchMaxMessages).default(1),
  waitSeconds: seconds(0, bounds.waitMaxMs)
    .optional()
    .meta({ description: "How long to wait for the first message; default: the queue's" }),
  visibilitySeconds: visibilitySeconds.optional(),
});

const deadLetterOrigin = z
  .object({ queue: z.string(), receiveCount: z.int(), movedAtMs: epochMs("When it came from there") })
  .meta({ id: "DeadLetterOrigin", description: "The queue that gave it up" });
const commonFields = {
  messageId: z.string(),
  body: z.string(),
  attributes: attributesSchema,
  receiveCount: z.int().meta({ description: "How often it was received from this queue" }),
  sentAtMs: epochMs("When it was first sent"),
  deadLetter: deadLetterOrigin.optional(),
};
const receivedMessage = z
  .object({
    ...commonFields,
    receiptHandle: z
      .string()
      .meta({ description: "Names this receive, to delete the message or change its visibility" }),
    firstReceivedAtMs: epochMs("When it was first received from this queue"),
  })
  .meta({ id: "ReceivedMessage" });
export const receivedSchema = z.object({ messages: z.array(receivedMessage) });

const receiptHandle = z.string();
export const deleteSchema = z.union([
  z.strictObject({ receiptHandle }),
  z.strictObject({ receiptHandles: batchOf(receiptHandle) }),
]);
const visibilityChange = z.strictObject({ receiptHandle, visibilitySeconds }).meta({ id: "VisibilityChange" });
export const visibilitySchema = z.union([visibilityChange, z.strictObject({ changes: batchOf(visibilityChange) })]);

export const peekSchema = z.strictObject({
  after: z.int().min(0).default(0).meta({ description: "A sequence number" }),
  maxMessages: maxMessages(bounds.peekMaxMessages).default(10),
});
const peekedMessage = z
  .object({
    ...commonFields,
    sequenceNumber: z.int(),
    state: z.enum(["ready", "delayed", "inFlight"]),
    readyAtMs: epochMs("When it can be, or could first be, received"),
  })
  .meta({ id: "PeekedMessage" });
export const peekedSchema = z.object({
  messages: z.array(peekedMessage),
  next: z.int().meta({ description: "The `after` of the next call" }),
});

export const redriveSchema = z.strictObject({
  to: z.string().optional().meta({ description: "A queue. Default: each message goes back to where it came from" }),
  maxMessages: maxMessages(bounds.redriveMaxMessages).default(1000),
});

/** As `toMs`, for a field that may be missing. */
const optionalMs = (value: number | undefined) => (value === undefined ? undefined : toMs(value));

/** The schema has seen to it that there is no fraction of a millisecond; floating point adds one. */
export function toMs(value: number): number {
  return Math.round(value * 1000);
}

export function toChanges(body: z.output<typeof queueChangesSchema>): QueueChanges {
  return {
    visibilityMs: optionalMs(body.visibilitySeconds),
    delayMs: optionalMs(body.delaySeconds),
    retentionMs: optionalMs(body.retentionSeconds),
    deadLetter: body.deadLetter,
    waitMs: optionalMs(body.waitSeconds),
    messageMaxBytes: body.messageMaxBytes,
    deadLetterSources: body.deadLetterSources,
    tags: body.tags,
  };
}

export function toSentMessage({ delaySeconds, ...message }: z.output<typeof sentMessage>): SentMessage {
  return { ...message, delayMs: optionalMs(delaySeconds) };
}

export function toReceiveRequest(body: z.output<typeof receiveSchema>) {
  return {
    maxMessages: body.maxMessages,
    waitMs: optionalMs(body.waitSeconds),
    visibilityMs: optionalMs(body.visibilitySeconds),
  };
}

export function toQueueJson(queue: Queue): z.output<typeof queueSchema> {
  return {
    name: queue.queue,
    visibilitySeconds: queue.visibilityMs / 1000,
    delaySeconds: queue.delayMs / 1000,
    retentionSeconds: queue.retentionMs / 1000,
    waitSeconds: queue.waitMs / 1000,
    messageMaxBytes: queue.messageMaxBytes,
    ...(queue.deadLetter ? { deadLetter: queue.deadLetter } : {}),
    ...(queue.deadLetterSources ? { deadLetterSources: [...queue.deadLetterSources] } : {}),
    ...(Object.keys(queue.tags).length > 0 ? { tags: queue.tags } : {}),
    createdAtMs: queue.createdAtMs,
    modifiedAtMs: queue.modifiedAtMs,
  };
}

export function toQueueWithCountsJson(queue: Queue, counts: QueueCounts): z.output<typeof queueWithCountsSchema> {
  const { ready, delayed, inFlight, bytes, oldestAtMs } = counts;
  return {
    ...toQueueJson(queue),
    ...{ messages: { ready, delayed, inFlight }, bytes },
    ...(oldestAtMs === undefined ? {} : { oldestAtMs }),
  };
}

export function toReceivedJson(message: Received["messages"][number]): z.output<typeof receivedMessage> {
  return {
    ...toCommonJson(message),
    receiptHandle: message.receiptHandle,
    firstReceivedAtMs: message.firstReceivedAtMs ?? message.sentAtMs,
  };
}

export function toPeekedJson(message: QueueMessage, nowMs: number): z.output<typeof peekedMessage> {
  const isReady = message.readyAtMs <= nowMs;
  return {
    ...toCommonJson(message),
    sequenceNumber: message.sequence,
    state: isReady ? "ready" : message.isTaken ? "inFlight" : "delayed",
    readyAtMs: message.readyAtMs,
  };
}

function toCommonJson({ messageId, body, attributes = {}, receiveCount, sentAtMs, deadLetter }: QueueMessage) {
  return { messageId, body, attributes, receiveCount, sentAtMs, ...(deadLetter ? { deadLetter } : {}) };
}
