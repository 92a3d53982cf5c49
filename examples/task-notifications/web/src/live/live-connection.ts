import { type Backoff, backoffMs } from "./backoff.ts";
import { readHistory, type TopicMessage } from "./history.ts";
import type { LiveToken } from "./live-token.ts";
import { comparePositions, type Position } from "./position.ts";
import { openTopicStream, type TopicStream } from "./topic-stream.ts";

/** `connecting`: the first time; `reconnecting`: lost, and being won back; `signed-out`: given up, the user has to sign in again. */
export type LiveState = "connecting" | "live" | "reconnecting" | "signed-out";

/** A message, and whether it is older than this device: published before it first listened. */
export interface LiveMessage extends TopicMessage {
  readonly isOld: boolean;
}

/** Intervals of a connection, in milliseconds where the name says so. */
export interface LiveTiming {
  /** Todoku's heartbeat comes each second. */
  readonly silenceMs: number;
  /** For everything from asking for a token to having caught up. */
  readonly openTimeoutMs: number;
  readonly backoff: Backoff;
  /** The part of a token's life after which the next one is fetched. */
  readonly renewAfterShare: number;
  /** Bounds of that time: this machine's clock may be wrong by hours. */
  readonly renewMinMs: number;
  readonly renewMaxMs: number;
}

const defaultTiming: LiveTiming = {
  silenceMs: 4000,
  openTimeoutMs: 15_000,
  backoff: { firstMs: 500, maxMs: 20_000 },
  renewAfterShare: 2 / 3,
  renewMinMs: 30_000,
  renewMaxMs: 3_600_000,
};

/** What a device without a position reads back at most. The list shows 200 tasks of a few messages each. */
const oldMessagesMax = 1000;

export interface LiveOptions {
  getToken(signal: AbortSignal): Promise<LiveToken>;
  /** Whether an error of `getToken` is final, because nobody is signed in any more. */
  isSignedOut(error: unknown): boolean;
  /** The last message that this device has seen; undefined on a new one. */
  readonly after: Position | undefined;
  /** Each message once and in order, whatever happened to the line. */
  onMessage(message: LiveMessage): void;
  onState(state: LiveState): void;
  readonly timing?: Partial<LiveTiming>;
}

/** Follows a topic for as long as the page is open: over lost lines, stopped servers, tokens that expire and laptops that sleep. */
export class LiveConnection {
  readonly #options: LiveOptions;
  readonly #timing: LiveTiming;
  #position: Position | undefined;
  /** Where the topic stood when a device without a position first connected. */
  #oldUntil: Position | undefined;
  #stream: TopicStream | undefined;
  #run: AbortController | undefined;
  #wake: () => void = () => {};

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#position = options.after;
  }

  /** Begins, or goes on where `stop` left it. */
  start(): void {
    if (this.#run) return;
    this.#run = new AbortController();
    void this.#keepOpen(this.#run.signal);
  }

  stop(): void {
    this.#run?.abort();
    this.#run = undefined;
    this.#stream?.close();
  }

  /** Something changed, such as the network: looks at once whether the line is alive, and waits no longer to try again. */
  hurry(): void {
    this.#stream?.check();
    this.#wake();
  }

  async #keepOpen(signal: AbortSignal): Promise<void> {
    let failures = 0;
    this.#options.onState("connecting");
    while (!signal.aborted) {
      try {
        const renewInMs = await this.#open(AbortSignal.any([signal, AbortSignal.timeout(this.#timing.openTimeoutMs)]));
        failures = 0;
        this.#options.onState("live");
        await this.#pause(renewInMs, signal);
        if (this.#stream?.isOpen) continue; // time for a new token; the old stream goes on until the new one has caught up
      } catch (error) {
        if (signal.aborted) return;
        if (this.#options.isSignedOut(error)) return this.#giveUp();
        failures++;
      }
      if (signal.aborted) return;
      if (!this.#stream?.isOpen) this.#options.onState("reconnecting");
      await this.#pause(backoffMs(this.#timing.backoff, failures), signal);
    }
  }

  #giveUp(): void {
    this.stop();
    this.#options.onState("signed-out");
  }

  /** A new token, a stream with it, and everything in between. Answers when to do it again, in milliseconds. */
  async #open(signal: AbortSignal): Promise<number> {
    const token = await this.#options.getToken(signal);
    const stream = await openTopicStream(token, this.#timing.silenceMs, signal);
    try {
      await this.#catchUp(token, stream.head, signal);
      signal.throwIfAborted();
    } catch (error) {
      stream.close();
      throw error;
    }
    const old = this.#stream;
    this.#stream = stream;
    stream.follow((message) => this.#pass(message));
    old?.close();
    const { renewAfterShare, renewMinMs, renewMaxMs } = this.#timing;
    return Math.min(renewMaxMs, Math.max(renewMinMs, (token.expiresAtMs - Date.now()) * renewAfterShare));
  }

  /** Reads what lies between the last message seen and the beginning of a stream; the stream keeps what comes meanwhile. */
  async #catchUp(token: LiveToken, head: Position, signal: AbortSignal): Promise<void> {
    if (!this.#position) {
      this.#oldUntil = head;
      this.#position = beginningFor(head);
    }
    // A position ahead of the log: Todoku's data were deleted or restored from a backup, and the topic counts anew.
    if (comparePositions(head, this.#position) < 0) this.#position = beginningFor(head);
    while (comparePositions(this.#position, head) < 0) {
      const { messages, next } = await readHistory(token, this.#position, signal);
      signal.throwIfAborted();
      for (const message of messages) this.#pass(message);
      if (messages.length === 0) break; // what was there has been dropped
      if (comparePositions(next, this.#position) > 0) this.#position = next;
    }
  }

  /** The gate: two streams may tell the same, and history too, but each in order. */
  #pass(message: TopicMessage): void {
    if (this.#position && comparePositions(message.position, this.#position) <= 0) return;
    this.#position = message.position;
    const isOld = this.#oldUntil !== undefined && comparePositions(message.position, this.#oldUntil) <= 0;
    this.#options.onMessage({ ...message, isOld });
  }

  /** Waits, but not when the connection is stopped. A lost stream, or `hurry` without one, ends it too. */
  #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    const stopped = () => resolve();
    signal.addEventListener("abort", stopped);
    if (signal.aborted) resolve();
    if (this.#stream?.isOpen) void this.#stream.ended.then(resolve);
    else this.#wake = resolve;
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stopped);
    });
  }
}

/** A few hundred messages back: numbers have no gaps in a page. */
function beginningFor(head: Position): Position {
  return { page: head.page, sequence: Math.max(0, head.sequence - oldMessagesMax) };
}
