import type { Clock } from "../../lib/clock.ts";
import type { Deadline, TimerWheel } from "../../lib/timer-wheel.ts";
import { TodokuError, toTodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { QueueKey } from "./queue.ts";
import type { ReceivedMessage } from "./store.ts";

/** Messages of one look into the store: a commit of about a millisecond, and at most 25 MiB that come back at once. */
const lookMaxMessages = 100;

/** Who receives, as its door sees it. */
export interface Receiver {
  /** False once nobody would read an answer. */
  isOpen(): boolean;
  /** Aborted when that happens. */
  readonly closed: AbortSignal;
  /** Calls `listener` once the whole answer has been handed over, or never will be. */
  onEnd(listener: () => void): void;
}

/** How much a poll wants, and for how long it stays hidden. */
export interface PollRequest {
  readonly maxMessages: number;
  /** Default: the queue's. */
  readonly visibilityMs?: number | undefined;
}

/** What a look into the store gave; `key` is where the messages were taken from. */
export interface Taken {
  readonly key: QueueKey;
  readonly messages: readonly ReceivedMessage[];
  /** When it is worth looking again, what was taken just now included; undefined when nothing is known of that. */
  readonly nextReadyAtMs: number | undefined;
}

/** What all lines of the process share. */
export interface LineParts {
  readonly wheel: TimerWheel;
  readonly clock: Pick<Clock, "steadyMs" | "wallMs">;
  readonly take: (key: QueueKey, request: PollRequest) => Promise<Taken>;
  /** The receives never happened. */
  readonly giveBack: (taken: Taken) => Promise<void>;
}

/** A receive that stands in a line. */
export interface Poll {
  /** Grows with each poll. */
  readonly number: number;
  readonly request: PollRequest;
  readonly receiver: Receiver;
  /** Why its caller may not receive any more: the credential has expired, or was taken back. */
  readonly refusal: () => TodokuError | undefined;
  /** False: it takes the first answer, even if that is empty. */
  readonly waits: boolean;
  /** The server itself receives: nobody's wait, which no number tells. */
  readonly isOwn: boolean;
  readonly resolve: (taken: Taken | undefined) => void;
  readonly reject: (error: TodokuError) => void;
}

/**
 * The polls of one queue, first come first served. One look into the store is under way at a time, for all who stand in front; what becomes
 * ready, and who comes, while it is under way makes it stale: then the next look follows. So whoever waits while no look is
 * under way waits for an empty queue.
 */
export class PollLine {
  key: QueueKey;
  readonly #parts: LineParts;
  readonly #onEmpty: () => void;
  /** In the order in which they came. */
  readonly #polls = new Set<Poll>();
  /** Those of them who take the next answer, even if that is empty: their time is over. */
  readonly #over = new Set<Poll>();
  #newest = 0;
  #isLooking = false;
  #isStale = false;
  /** Who is looked for. */
  #group: readonly Poll[] = [];
  #deadline: Deadline | undefined;
  #readyAtMs = Number.POSITIVE_INFINITY;
  /** Set once the line takes nothing any more: everybody gets this error, or an empty answer. */
  #ended: { readonly error: TodokuError | undefined } | undefined;

  constructor(key: QueueKey, parts: LineParts, onEmpty: () => void) {
    this.key = key;
    this.#parts = parts;
    this.#onEmpty = onEmpty;
  }

  /** Without the server's own. */
  get size(): number {
    let size = 0;
    for (const { isOwn } of this.#polls) if (!isOwn) size++;
    return size;
  }

  add(poll: Poll): void {
    const isKnownEmpty = this.#polls.size > 0 && !this.#isLooking;
    this.#polls.add(poll);
    this.#newest = poll.number;
    if (!poll.waits) this.#over.add(poll);
    if (!isKnownEmpty) this.ready();
    else if (!poll.waits) this.#finish(poll);
  }

  /** Something may have become ready. */
  ready(): void {
    this.#isStale = true;
    if (!this.#isLooking && this.#polls.size > 0) void this.#look();
  }

  /** Something will be ready then, by the steady clock. */
  readyAt(atMs: number): void {
    const leftMs = atMs - this.#parts.clock.steadyMs();
    if (leftMs <= 0) this.ready();
    if (leftMs <= 0 || atMs >= this.#readyAtMs || this.#polls.size === 0) return;
    this.#deadline?.cancel();
    this.#readyAtMs = atMs;
    // The steady clock may go a tenth faster than the wheel, and a machine that slept finds it further on: look that often at least.
    this.#deadline = this.#parts.wheel.schedule(Math.min(leftMs, limits.expiryCheckMs), () => {
      this.#readyAtMs = Number.POSITIVE_INFINITY;
      this.ready();
    });
  }

  /** The poll has waited for as long as it wanted; who is looked for still gets what comes. */
  timeIsOver(poll: Poll): void {
    if (this.#group.includes(poll)) this.#over.add(poll);
    else this.#finish(poll);
  }

  /** The poll's receiver has left, or may not receive any more. */
  left(poll: Poll): void {
    this.#finish(poll);
  }

  /** Answers everybody; who is looked for still gets what comes. */
  end(error: TodokuError | undefined): void {
    this.#ended = { error };
    for (const poll of this.#polls) if (!this.#group.includes(poll)) this.#finish(poll);
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#isStale && this.#polls.size > 0) {
      this.#isStale = false;
      this.#group = this.#front();
      if (this.#group.length > 0) await this.#lookFor(this.#group);
      this.#group = [];
      if (this.#ended) for (const poll of this.#polls) this.#finish(poll);
    }
    this.#isLooking = false;
  }

  /** Those in front who want the same visibility, as many as one look serves. */
  #front(): Poll[] {
    const group: Poll[] = [];
    let messages = 0;
    for (const poll of this.#polls) {
      if (this.#ended || !canTake(poll)) {
        this.#finish(poll);
        continue;
      }
      messages += poll.request.maxMessages;
      if (messages > lookMaxMessages || poll.request.visibilityMs !== (group[0] ?? poll).request.visibilityMs) break;
      group.push(poll);
    }
    return group;
  }

  async #lookFor(group: readonly Poll[]): Promise<void> {
    const newest = this.#newest;
    const maxMessages = group.reduce((sum, { request }) => sum + request.maxMessages, 0);
    const visibilityMs = group[0]?.request.visibilityMs;
    const taken = await this.#parts.take(this.key, { maxMessages, visibilityMs }).catch(toTodokuError);
    if (taken instanceof TodokuError) {
      for (const poll of group) this.#finish(poll, taken);
      this.#isStale = true; // those behind may be luckier, or hear the same
      return;
    }
    this.#handOut(group, taken);
    const { messages, nextReadyAtMs } = taken;
    // The store moves a bounded number of dead letters at once: then an answer that is not full says that something is ready.
    const isReadyNow = nextReadyAtMs !== undefined && nextReadyAtMs <= this.#parts.clock.steadyMs();
    // And a full one says nothing of what is left.
    if (messages.length === maxMessages || isReadyNow) this.#isStale = true;
    else this.#finishOver(newest);
    if (nextReadyAtMs !== undefined) this.readyAt(nextReadyAtMs);
  }

  /** The share of somebody who has left meanwhile goes to the next one, or back. */
  #handOut(group: readonly Poll[], taken: Taken): void {
    let next = 0;
    for (const poll of group) {
      if (!this.#polls.has(poll)) continue;
      const messages = taken.messages.slice(next, next + poll.request.maxMessages);
      if (!canTake(poll)) this.#finish(poll);
      else if (messages.length > 0) {
        next += messages.length;
        this.#finish(poll, { ...taken, messages });
      }
    }
    const messages = taken.messages.slice(next);
    // When this fails they come back by themselves: their visibility ends.
    if (messages.length > 0) this.#parts.giveBack({ ...taken, messages }).catch(() => {});
  }

  /** There is nothing for those who came before the look. */
  #finishOver(newest: number): void {
    for (const poll of this.#over) {
      if (poll.number > newest) return;
      this.#finish(poll);
    }
  }

  #finish(poll: Poll, outcome?: Taken | TodokuError): void {
    if (!this.#polls.delete(poll)) return;
    this.#over.delete(poll);
    if (this.#polls.size === 0) {
      this.#deadline?.cancel();
      this.#readyAtMs = Number.POSITIVE_INFINITY;
      this.#onEmpty();
    }
    const answer = outcome ?? poll.refusal() ?? this.#ended?.error;
    if (answer instanceof TodokuError) poll.reject(answer);
    else poll.resolve(answer);
  }
}

function canTake({ receiver, refusal }: Poll): boolean {
  return receiver.isOpen() && refusal() === undefined;
}
