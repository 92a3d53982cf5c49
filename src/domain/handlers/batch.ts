import { Buffer } from "node:buffer";
import type { Clock } from "../../lib/clock.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { limits } from "../limits.ts";
import type { QueueMessages, Received } from "../queues/messages.ts";
import type { Receiver } from "../queues/poll-line.ts";
import { type QueueRecord, queueRecord } from "./events.ts";
import type { HandlerSource } from "./handler.ts";

/** A queue that feeds a handler. */
export type QueueSourceSettings = Extract<HandlerSource, { readonly kind: "queue" }>;

/** Messages that were received together, or within the window. */
export interface Batch {
  readonly messages: readonly QueueRecord[];
  /** When the first of them was received: monotonic time. */
  readonly sinceMs: number;
  /** The receives never happened. */
  giveBack(): Promise<void>;
  /** They are dealt with: what they take in memory counts no longer. */
  end(): void;
}

/** What one invocation gets. */
export interface Chunk {
  readonly messages: readonly QueueRecord[];
  /** JSON text. */
  readonly event: string;
}

/** What a batch is received with. */
export interface ReceiveParts {
  readonly queueMessages: Pick<QueueMessages, "follow">;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly wheel: Pick<TimerWheel, "schedule">;
}

/** Waits for the first message, then for as many as make the batch full while the window is open. @throws TodokuError as `follow` does. */
export async function receiveBatch(
  environment: string,
  { queue, batchSize, windowMs }: QueueSourceSettings,
  visibilityMs: number,
  closed: AbortSignal,
  { queueMessages, clock, wheel }: ReceiveParts,
): Promise<Batch> {
  const all: Received[] = [];
  const ends: (() => void)[] = [];
  const follow = async (signal: AbortSignal, maxMessages: number) => {
    const receiver: Receiver = {
      isOpen: () => !signal.aborted,
      closed: signal,
      onEnd: (listener) => void ends.push(listener),
    };
    const received = await queueMessages.follow(environment, queue, { maxMessages, visibilityMs }, receiver);
    all.push(received);
    return received.messages.length;
  };
  let missing = batchSize - (await follow(closed, batchSize));
  const sinceMs = clock.monotonicMs();
  if (windowMs > 0 && missing < batchSize) {
    const window = new AbortController();
    const deadline = wheel.schedule(windowMs, () => window.abort());
    const signal = AbortSignal.any([closed, window.signal]);
    // What is there already must not be lost with a queue that is deleted meanwhile.
    while (missing > 0 && !signal.aborted) missing -= await follow(signal, missing).catch(() => missing);
    deadline.cancel();
  }
  return {
    messages: all.flatMap(({ messages }) => messages),
    sinceMs,
    giveBack: async () => void (await Promise.all(all.map((received) => received.giveBack()))),
    end: () => {
      for (const end of ends) end();
    },
  };
}

/**
 * The invocations that a batch makes: one, if its event is not too large. What was received before is invoked alone: a message that a function
 * cannot take would otherwise take all those with it to the dead letters that happen to come with it.
 */
export function chunksOf(queue: string, messages: readonly QueueRecord[]): readonly Chunk[] {
  const chunks: { messages: QueueRecord[]; records: string[]; bytes: number }[] = [];
  let open: (typeof chunks)[number] | undefined;
  for (const message of messages) {
    const record = queueRecord(queue, message);
    const bytes = Buffer.byteLength(record) + 1;
    const isAlone = message.receiveCount > 1;
    if (!isAlone && open && open.bytes + bytes <= limits.handler.eventMaxBytes) {
      open.messages.push(message);
      open.records.push(record);
      open.bytes += bytes;
      continue;
    }
    const chunk = { messages: [message], records: [record], bytes: bytes + '{"Records":[]}'.length };
    chunks.push(chunk);
    if (!isAlone) open = chunk;
  }
  return chunks.map(({ messages: ofChunk, records }) => ({
    messages: ofChunk,
    event: `{"Records":[${records.join(",")}]}`,
  }));
}
