import { Buffer } from "node:buffer";
import { TodokuError } from "../../domain/errors.ts";
import type { QueueKey } from "../../domain/queues/queue.ts";
import type {
  NewQueueMessage,
  QueueMessage,
  ReceiptOutcome,
  ReceivedMessage,
  SendResult,
} from "../../domain/queues/store.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { SendOutcome } from "./storage-queues.ts";

// A body may begin with a byte order mark, which is part of it.
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
/** What SQLite keeps for a message beside its texts: row, index entry, a chosen id. */
const messageOverheadBytes = 200;

/** What a message takes of its environment's budget. */
export function messageBytes({ messageId, body, attributes, sender, traceHeader = "" }: NewQueueMessage): number {
  const more = attributes === undefined ? 0 : Buffer.byteLength(JSON.stringify(attributes));
  const names = Buffer.byteLength(messageId) + Buffer.byteLength(sender) + Buffer.byteLength(traceHeader);
  return Buffer.byteLength(body) + more + names + messageOverheadBytes;
}

export function encodeMessages(
  op: FieldWriter,
  key: QueueKey,
  messages: readonly NewQueueMessage[],
  bytes: readonly number[],
): void {
  op.put(key.environment);
  op.put(key.queueId);
  op.put(messages.length);
  for (const [n, message] of messages.entries()) {
    op.put(Number(message.isIdChosen));
    op.put(message.messageId);
    op.put(message.body);
    op.put(message.attributes === undefined ? null : JSON.stringify(message.attributes));
    op.put(message.sender);
    op.put(message.traceHeader ?? null);
    op.put(message.sentAtMs);
    op.put(message.readyAtMs);
    op.put(bytes[n] ?? 0);
  }
}

export function readSent(
  answer: FieldReader,
  key: QueueKey,
  message: NewQueueMessage,
  environmentMaxBytes: number,
): SendResult {
  const outcome = answer.text() as SendOutcome;
  if (outcome === "limit_exceeded") {
    const text = `queues of environment "${key.environment}" may hold ${environmentMaxBytes} bytes, and a message of ${messageBytes(message)} bytes would make more`;
    return new TodokuError(outcome, text, { subject: "queue_bytes" });
  }
  if (outcome === "not_found") {
    return new TodokuError(outcome, `queue "${key.queue}" does not exist`, { subject: "queue" });
  }
  return { messageId: message.messageId, isRepeat: outcome === "repeat" };
}

/** What a receive took, up to the 0 behind it. */
export function readReceived(answer: FieldReader, hiddenUntilMs: number): ReceivedMessage[] {
  const messages: ReceivedMessage[] = [];
  while (answer.number() === 1) {
    const sequence = answer.number();
    messages.push({
      sequence,
      receipt: { sequence, token: answer.number() },
      messageId: answer.text(),
      body: answer.text(),
      attributes: parse(answer.textOrNull()),
      sender: answer.text(),
      traceHeader: answer.textOrNull() ?? undefined,
      sentAtMs: answer.number(),
      receiveCount: answer.number(),
      firstReceivedAtMs: answer.number(),
      wasReadyAtMs: answer.number(),
      deadLetter: parse(answer.textOrNull()),
      readyAtMs: hiddenUntilMs,
      isTaken: true,
    });
  }
  return messages;
}

/** What a peek saw, up to the 0 behind it. */
export function readPeeked(answer: FieldReader): QueueMessage[] {
  const messages: QueueMessage[] = [];
  while (answer.number() === 1) {
    const [sequence, messageId, body] = [answer.number(), answer.text(), utf8.decode(answer.blob())];
    const [attributes, sender, traceHeader] = [answer.textOrNull(), answer.text(), answer.textOrNull() ?? undefined];
    const [sentAtMs, receiveCount] = [answer.number(), answer.number()];
    messages.push({
      sequence,
      messageId,
      body,
      attributes: parse(attributes),
      sender,
      traceHeader,
      sentAtMs,
      receiveCount,
      firstReceivedAtMs: answer.numberOrNull() ?? undefined,
      readyAtMs: answer.number(),
      isTaken: receiveCount > 0,
      deadLetter: parse(answer.textOrNull()),
    });
  }
  return messages;
}

export function readOutcomes(answer: FieldReader, count: number): ReceiptOutcome[] {
  return Array.from({ length: count }, () => answer.text() as ReceiptOutcome);
}

function parse<T>(json: string | null): T | undefined {
  return json === null ? undefined : JSON.parse(json);
}
