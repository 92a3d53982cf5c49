import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import { checkQueueAttributes } from "../auth/reserved-attributes.ts";
import type { Engine } from "../engine.ts";
import { TodokuError, toTodokuError } from "../errors.ts";
import { noRates, type Rates } from "../limiting/rates.ts";
import { limits } from "../limits.ts";
import { Dispatch, type QueueStats } from "./dispatch.ts";
import type { PollRequest, Receiver, Taken } from "./poll-line.ts";
import type { Queue, QueueKey } from "./queue.ts";
import { notFound, type Queues } from "./queues.ts";
import { formatReceiptHandle, parseReceiptHandle } from "./receipt-handle.ts";
import { messageBytes, type SentMessage, toNewMessage } from "./sent-message.ts";
import { checkVisibility, checkWait, checkWhole } from "./settings.ts";
import type { NewQueueMessage, QueueCounts, QueueMessage, QueueStore, ReceiptOutcome, SendResult } from "./store.ts";
import { trimQueues } from "./upkeep.ts";

/** How much a receive wants (1..`limits.queue.batchMaxMessages`), and how long it waits for the first message. */
export interface ReceiveRequest extends PollRequest {
  /** 0..`limits.queue.waitMaxMs`; default: the queue's. */
  readonly waitMs?: number | undefined;
}

/** The answer to a receive. */
export interface Received {
  readonly messages: readonly (QueueMessage & { readonly receiptHandle: string })[];
  /** For a door whose answer did not reach the receiver: the receives never happened. Rejects only when the store fails. */
  giveBack(): Promise<void>;
}

/** A receipt's new visibility; 0 releases the message. */
interface VisibilityChange {
  readonly receiptHandle: string;
  readonly visibilityMs: number;
}

/** Where dead letters go: to one queue, or each back to where it came from. */
interface RedriveRequest {
  readonly to?: string | undefined;
  /** 1..`limits.queue.redriveMaxMessages`. */
  readonly maxMessages: number;
}

/**
 * Send, receive and the rest, for every protocol. Each call may throw `permission_denied`, `not_found`, `invalid_argument`
 * and `unavailable`; a batch has 1..`limits.queue.batchMaxMessages` entries.
 */
export interface QueueMessages {
  /** One result per message, in order: what is wrong with one does not stop the others. */
  send(principal: Principal, queue: string, messages: readonly SentMessage[]): Promise<readonly SendResult[]>;
  /**
   * Resolves as soon as something is ready, and empty when the wait is over, the receiver has left or the server stops. Who came first is
   * served first. @throws TodokuError also `limit_exceeded`, and `unauthenticated` when the credential expired meanwhile.
   */
  receive(principal: Principal, queue: string, request: ReceiveRequest, receiver: Receiver): Promise<Received>;
  /**
   * As `receive`, for the server itself: waits for as long as the receiver is there, and takes no place of those who may wait. Call what it gave
   * `receiver.onEnd` once the messages are dealt with. @throws TodokuError `not_found`; `unavailable`, also when the server stops.
   */
  follow(environment: string, queue: string, request: PollRequest, receiver: Receiver): Promise<Received>;
  /** Calls `listener` when something in a queue is ready, or will be: within the call that made it so, so it must not throw. */
  onReady(listener: (key: QueueKey) => void): void;
  /** Never `expired`; a handle of before a purge is `gone`. */
  delete(principal: Principal, queue: string, receiptHandles: readonly string[]): Promise<readonly ReceiptOutcome[]>;
  /** Hides each message for so long from now on. */
  changeVisibility(
    principal: Principal,
    queue: string,
    changes: readonly VisibilityChange[],
  ): Promise<readonly ReceiptOutcome[]>;
  /** Looks without touching, behind a sequence number: at most `maxMessages` (1..`limits.queue.peekMaxMessages`), fewer when they are large. */
  peek(
    principal: Principal,
    queue: string,
    afterSequence: number,
    maxMessages: number,
  ): Promise<readonly QueueMessage[]>;
  /** `remaining`: how many lie in the queue afterwards, hidden ones and those without a way back too. */
  redrive(
    principal: Principal,
    queue: string,
    request: RedriveRequest,
  ): Promise<{ readonly moved: number; readonly remaining: number }>;
  /** As `redrive`, for the server itself; answers how many were moved. @throws TodokuError `not_found`. */
  move(environment: string, queue: string, request: RedriveRequest): Promise<number>;
  counts(principal: Principal, queue: string): Promise<QueueCounts>;
  /** Drops what is too old and moves dead letters, in at most `maxSteps` bounded steps. */
  trim(nowMs: number, maxSteps: number): Promise<void>;
  /** Looks again for everybody who waits: for the tick each second where other nodes write too. */
  refresh(): void;
  /** Ends every wait, with an empty answer or with `error`. From then on nobody waits. */
  closeAll(error?: TodokuError): void;
  /** The environment is being destroyed: what was counted of it goes to those that are gone. */
  forgetEnvironment(environment: string): void;
  /** By environment, for metrics; under "" those that are gone, for a sum must not fall. */
  stats(): ReadonlyMap<string, QueueStats>;
}

/** What the message calls are made of. */
export interface QueueMessagesOptions {
  readonly engine: Engine;
  readonly queues: Queues;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** Gets a line when messages expire. */
  readonly log: Log;
  /** Bounds how many receives of somebody wait; default: no bound. */
  readonly rates?: Pick<Rates, "openStream">;
}

export function createQueueMessages(options: QueueMessagesOptions): QueueMessages {
  return new MessageService(options);
}

class MessageService implements QueueMessages {
  readonly #store: QueueStore;
  readonly #queues: Queues;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #dispatch: Dispatch;

  constructor({ engine, queues, clock, wheel, log, rates = noRates }: QueueMessagesOptions) {
    this.#store = engine.queues;
    this.#queues = queues;
    this.#clock = clock;
    this.#log = log;
    this.#dispatch = new Dispatch(engine, queues, clock, wheel, rates);
  }

  async send(principal: Principal, name: string, messages: readonly SentMessage[]): Promise<readonly SendResult[]> {
    authorize(principal, "queue.send", "", name);
    for (const { attributes, messageId } of messages) checkQueueAttributes(principal, name, attributes, messageId);
    checkBatch(messages);
    checkBatchBytes(messages);
    const queue = await this.#queues.get(principal.environment, name);
    const maxBytes = principal.kind === "server" ? limits.queue.messageMaxBytes.max : queue.messageMaxBytes;
    const sending = { settings: queue, maxBytes, sender: senderOf(principal), nowMs: this.#clock.steadyMs() };
    const checked = messages.map((message) => checkOne(message, sending));
    const good = checked.flatMap((message) => (message instanceof TodokuError ? [] : [message]));
    const results = good.length === 0 ? [] : await this.#sendTo(queue, good);
    let next = 0;
    return checked.map((message) => (message instanceof TodokuError ? message : (results[next++] as SendResult)));
  }

  async receive(principal: Principal, name: string, request: ReceiveRequest, receiver: Receiver): Promise<Received> {
    authorize(principal, "queue.receive", "", name);
    checkWhole("maxMessages", request.maxMessages, 1, limits.queue.batchMaxMessages);
    if (request.waitMs !== undefined) checkWait(request.waitMs);
    if (request.visibilityMs !== undefined) checkVisibility(request.visibilityMs);
    await this.#queues.get(principal.environment, name);
    const queue = this.#knownNow(principal.environment, name);
    const wanted = { ...request, waitMs: request.waitMs ?? queue.waitMs };
    return this.#received(queue, await this.#dispatch.polls.poll(queue, wanted, receiver, principal), receiver);
  }

  async follow(environment: string, name: string, request: PollRequest, receiver: Receiver): Promise<Received> {
    await this.#queues.get(environment, name);
    const queue = this.#knownNow(environment, name);
    return this.#received(queue, await this.#dispatch.polls.follow(queue, request, receiver), receiver);
  }

  onReady(listener: (key: QueueKey) => void): void {
    this.#dispatch.onReady(listener);
  }

  /** What is known in this very turn: a purge or deletion from here on finds the poll in its line. */
  #knownNow(environment: string, name: string): Queue {
    const queue = this.#queues.known(environment, name);
    if (!queue) throw notFound(name);
    return queue;
  }

  #received(queue: Queue, taken: Taken | undefined, receiver: Receiver): Received {
    if (!taken) return { messages: [], giveBack: async () => {} };
    this.#dispatch.count(queue.environment).received += taken.messages.length;
    this.#dispatch.answering(taken, receiver);
    const messages = taken.messages.map((message) => {
      return { ...message, receiptHandle: formatReceiptHandle(taken.key, message.receipt) };
    });
    return { messages, giveBack: () => this.#dispatch.giveBack(taken) };
  }

  async delete(principal: Principal, name: string, receiptHandles: readonly string[]) {
    authorize(principal, "queue.receive", "", name);
    checkBatch(receiptHandles);
    const queue = await this.#queues.get(principal.environment, name);
    const receipts = receiptHandles.map((handle) => parseReceiptHandle(queue, handle));
    const outcomes = await outcomesOf(receipts, (known) => this.#store.delete(queue, known));
    this.#dispatch.count(queue.environment).deleted += outcomes.filter((outcome) => outcome === "done").length;
    return outcomes;
  }

  async changeVisibility(principal: Principal, name: string, changes: readonly VisibilityChange[]) {
    authorize(principal, "queue.receive", "", name);
    checkBatch(changes);
    for (const { visibilityMs } of changes) checkVisibility(visibilityMs);
    const queue = await this.#queues.get(principal.environment, name);
    const nowMs = this.#clock.steadyMs();
    const wanted = changes.map(({ receiptHandle, visibilityMs }) => {
      const receipt = parseReceiptHandle(queue, receiptHandle);
      return receipt && { receipt, readyAtMs: nowMs + visibilityMs };
    });
    const outcomes = await outcomesOf(wanted, (known) => this.#store.changeVisibility(queue, known, nowMs));
    const done = wanted.filter((change, n) => change && outcomes[n] === "done");
    this.#dispatch.becomeReady(
      queue,
      done.map((change) => change?.readyAtMs ?? nowMs),
    );
    return outcomes;
  }

  async peek(principal: Principal, name: string, afterSequence: number, maxMessages: number) {
    authorize(principal, "queue.peek", "", name);
    checkWhole("after", afterSequence, 0, Number.MAX_SAFE_INTEGER);
    checkWhole("maxMessages", maxMessages, 1, limits.queue.peekMaxMessages);
    const queue = await this.#queues.get(principal.environment, name);
    return this.#store.peek(queue, afterSequence, { maxMessages, maxBytes: limits.queue.peekMaxBytes });
  }

  async redrive(principal: Principal, name: string, { to, maxMessages }: RedriveRequest) {
    authorize(principal, "queue.redrive", "", name);
    checkWhole("maxMessages", maxMessages, 1, limits.queue.redriveMaxMessages);
    if (to === name) throw new TodokuError("invalid_argument", `messages of queue "${name}" cannot move to itself`);
    const { environment } = principal;
    const moved = await this.move(environment, name, { to, maxMessages });
    const queue = await this.#queues.get(environment, name);
    const { ready, delayed, inFlight } = await this.#store.counts(queue, this.#clock.steadyMs());
    return { moved, remaining: ready + delayed + inFlight };
  }

  async move(environment: string, name: string, { to, maxMessages }: RedriveRequest): Promise<number> {
    const queue = await this.#queues.get(environment, name);
    const targets =
      to === undefined
        ? { targets: this.#queues.all(environment).filter(({ deadLetter }) => deadLetter?.queue === name) }
        : { target: await this.#queues.get(environment, to) };
    const movedTo = await this.#store.move(queue, targets, { maxMessages, nowMs: this.#clock.steadyMs() });
    this.#dispatch.moved(movedTo);
    return [...movedTo.values()].reduce((sum, messages) => sum + messages, 0);
  }

  async counts(principal: Principal, name: string): Promise<QueueCounts> {
    authorize(principal, "queue.read", "", name);
    const queue = await this.#queues.get(principal.environment, name);
    return this.#store.counts(queue, this.#clock.steadyMs());
  }

  trim(nowMs: number, maxSteps: number): Promise<void> {
    const parts = { store: this.#store, queues: this.#queues, dispatch: this.#dispatch, log: this.#log };
    return trimQueues(parts, nowMs, maxSteps);
  }

  refresh(): void {
    this.#dispatch.polls.refresh();
  }

  closeAll(error?: TodokuError): void {
    this.#dispatch.polls.closeAll(error);
  }

  forgetEnvironment(environment: string): void {
    this.#dispatch.forgetEnvironment(environment);
  }

  stats() {
    return this.#dispatch.stats();
  }

  /** Stores them, in the new incarnation if the queue was purged meanwhile. */
  async #sendTo(queue: Queue, messages: readonly NewQueueMessage[]): Promise<readonly SendResult[]> {
    const results = await this.#store.send(queue, messages);
    const added = messages.filter((_, n) => isAdded(results[n]));
    this.#dispatch.count(queue.environment).sent += added.length;
    this.#dispatch.becomeReady(
      queue,
      added.map(({ readyAtMs }) => readyAtMs),
    );
    const refused = messages.filter((_, n) => isRefused(results[n]));
    if (refused.length === 0) return results;
    const now = await this.#queues.current(queue.environment, queue.queue);
    if (!now || now.queueId === queue.queueId) return results;
    const again = await this.#sendTo(now, refused);
    let next = 0;
    return results.map((result) => (isRefused(result) ? (again[next++] as SendResult) : result));
  }
}

/** @throws TodokuError `invalid_argument`. */
function checkBatch(entries: readonly unknown[]): void {
  if (entries.length >= 1 && entries.length <= limits.queue.batchMaxMessages) return;
  throw new TodokuError(
    "invalid_argument",
    `a batch has ${entries.length} entries; must be >= 1 and <= ${limits.queue.batchMaxMessages}`,
  );
}

/** @throws TodokuError `limit_exceeded`. */
function checkBatchBytes(messages: readonly SentMessage[]): void {
  const max = limits.queue.batchMaxBytes;
  const bytes = messages.reduce((sum, message) => sum + messageBytes(message), 0);
  if (bytes <= max) return;
  throw new TodokuError(
    "limit_exceeded",
    `request limit: the messages of the batch with their attributes have ${bytes} bytes; must be <= ${max}`,
    { subject: "message_size" },
  );
}

function senderOf({ userId, keyId }: Principal): string {
  return userId ?? keyId ?? "";
}

/** What is wrong with one message is that message's result. */
function checkOne(message: SentMessage, sending: Parameters<typeof toNewMessage>[1]): NewQueueMessage | TodokuError {
  try {
    return toNewMessage(message, sending);
  } catch (error) {
    return toTodokuError(error);
  }
}

/** The outcomes of what is known, in order; the rest is of before a purge. */
async function outcomesOf<T>(
  entries: readonly (T | undefined)[],
  work: (known: readonly T[]) => Promise<readonly ReceiptOutcome[]>,
): Promise<readonly ReceiptOutcome[]> {
  const known = entries.filter((entry) => entry !== undefined);
  const outcomes = known.length === 0 ? [] : await work(known);
  let next = 0;
  return entries.map((entry) => (entry === undefined ? "gone" : (outcomes[next++] as ReceiptOutcome)));
}

function isAdded(result: SendResult | undefined): boolean {
  return result !== undefined && !(result instanceof TodokuError) && !result.isRepeat;
}

function isRefused(result: SendResult | undefined): boolean {
  return result instanceof TodokuError && result.code === "not_found";
}
