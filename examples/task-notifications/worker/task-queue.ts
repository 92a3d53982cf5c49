import { z } from "zod";
import type { Todoku } from "../shared/todoku.ts";

/** A message as it was received. */
const messageSchema = z.object({
  messageId: z.string(),
  /** Names this one receive of it. */
  receiptHandle: z.string(),
  body: z.string(),
  /** Missing when it has none. */
  attributes: z.record(z.string(), z.object({ type: z.string(), value: z.string() })).optional(),
  /** From 1. */
  receiveCount: z.number(),
});
export type Message = z.output<typeof messageSchema>;

const deadLetterSchema = z.object({
  sequenceNumber: z.number(),
  messageId: z.string(),
  body: z.string(),
  sentAtMs: z.number(),
  deadLetter: z.object({ receiveCount: z.number(), movedAtMs: z.number() }).optional(),
});
export type DeadLetter = z.output<typeof deadLetterSchema>;

const outcomeSchema = z.object({ outcome: z.enum(["done", "gone", "stale", "expired"]) });
/** `done`, or why the message is not ours any more. */
export type Outcome = z.output<typeof outcomeSchema>["outcome"];

/** Todoku's bound for one receive. */
const receiveMax = 10;
const waitSeconds = 20;

/** The calls on one queue. All throw what `Todoku.call` throws. */
export class TaskQueue {
  readonly #todoku: Todoku;
  readonly #path: string;

  constructor(todoku: Todoku, queue: string) {
    this.#todoku = todoku;
    this.#path = `/v1/queues/${queue}`;
  }

  /** Waits up to 20 s for messages; none is an empty list. Each is hidden from others for `visibilitySeconds`. */
  async receive(maxMessages: number, visibilitySeconds: number, signal: AbortSignal): Promise<Message[]> {
    const request = { maxMessages: Math.min(maxMessages, receiveMax), waitSeconds, visibilitySeconds };
    const answer = z.object({ messages: z.array(messageSchema) });
    const options = { signal, timeoutMs: (waitSeconds + 10) * 1000 };
    return (await this.#todoku.call("POST", `${this.#path}/receive`, request, answer, options)).messages;
  }

  /** Hides a received message for so long from now on; 0 gives it to the next who asks. */
  async hide({ receiptHandle }: Message, visibilitySeconds: number): Promise<Outcome> {
    const request = { receiptHandle, visibilitySeconds };
    return (await this.#todoku.call("POST", `${this.#path}/visibility`, request, outcomeSchema)).outcome;
  }

  async delete({ receiptHandle }: Message): Promise<Outcome> {
    return (await this.#todoku.call("POST", `${this.#path}/delete`, { receiptHandle }, outcomeSchema)).outcome;
  }

  /** Looks at the messages behind `after`, in their order, without taking them. */
  async peek(after: number, maxMessages = 100): Promise<DeadLetter[]> {
    const answer = z.object({ messages: z.array(deadLetterSchema) });
    return (await this.#todoku.call("POST", `${this.#path}/peek`, { after, maxMessages }, answer)).messages;
  }
}
