import { expiredError, type Principal } from "../auth/principal.ts";
import { TodokuError } from "../errors.ts";
import type { Rates } from "../limiting/rates.ts";
import { limits } from "../limits.ts";
import { stoppingError } from "../topics/stopping.ts";
import { type LineParts, type Poll, PollLine, type PollRequest, type Receiver, type Taken } from "./poll-line.ts";
import type { QueueKey } from "./queue.ts";

/** The receives that wait, of all queues: one line each. */
export class Polls {
  readonly #parts: LineParts;
  readonly #rates: Pick<Rates, "openStream">;
  /** By incarnation; a line is there while somebody stands in it. */
  readonly #lines = new Map<number, PollLine>();
  /** The number of the newest poll. */
  #last = 0;
  #waiting = 0;
  #isClosing = false;

  /** @param rates bounds how many wait with one credential. */
  constructor(parts: LineParts, rates: Pick<Rates, "openStream">) {
    this.#parts = parts;
    this.#rates = rates;
  }

  /**
   * Up to `request.maxMessages` as soon as some are ready, and undefined when there were none within `waitMs` or the receiver has left.
   * @throws TodokuError `limit_exceeded`; `unauthenticated` when the credential ends meanwhile; and what the store says.
   */
  async poll(
    key: QueueKey,
    request: PollRequest & { readonly waitMs: number },
    receiver: Receiver,
    principal: Principal,
  ): Promise<Taken | undefined> {
    const waitMs = this.#isClosing ? 0 : request.waitMs;
    if (waitMs > 0 && this.#waiting >= limits.queue.pollsMax) {
      throw new TodokuError("limit_exceeded", `${limits.queue.pollsMax} receives wait, the most that may`);
    }
    if (!receiver.isOpen()) return undefined;
    const release = waitMs > 0 ? this.#rates.openStream(principal) : undefined;
    const line = this.#line(key);
    const { promise, resolve, reject } = Promise.withResolvers<Taken | undefined>();
    let withdrawn: TodokuError | undefined;
    const refusal = () => withdrawn ?? this.#expired(principal);
    const waits = waitMs > 0;
    const poll: Poll = { number: ++this.#last, request, receiver, refusal, waits, isOwn: false, resolve, reject };
    const onClosed = () => line.left(poll);
    const forget = principal.withdrawal?.onDone((error) => {
      withdrawn = error;
      line.left(poll);
    });
    const deadline = waitMs > 0 ? this.#parts.wheel.schedule(waitMs, () => line.timeIsOver(poll)) : undefined;
    receiver.closed.addEventListener("abort", onClosed, { once: true });
    if (deadline) this.#waiting++;
    line.add(poll);
    try {
      return await promise;
    } finally {
      if (deadline) this.#waiting--;
      deadline?.cancel();
      release?.();
      forget?.();
      receiver.closed.removeEventListener("abort", onClosed);
    }
  }

  /**
   * As `poll` for the server itself: it waits for as long as the receiver is there, and takes no place of those who may wait.
   * @throws TodokuError `unavailable`: the server stops; and what the store says.
   */
  async follow(key: QueueKey, request: PollRequest, receiver: Receiver): Promise<Taken | undefined> {
    if (this.#isClosing) throw stoppingError();
    if (!receiver.isOpen()) return undefined;
    const line = this.#line(key);
    const { promise, resolve, reject } = Promise.withResolvers<Taken | undefined>();
    const refusal = () => undefined;
    const poll: Poll = { number: ++this.#last, request, receiver, refusal, waits: true, isOwn: true, resolve, reject };
    const onClosed = () => line.left(poll);
    receiver.closed.addEventListener("abort", onClosed, { once: true });
    line.add(poll);
    return promise.finally(() => receiver.closed.removeEventListener("abort", onClosed));
  }

  /** Something in the queue became ready. */
  ready(key: QueueKey): void {
    this.#lines.get(key.queueId)?.ready();
  }

  /** A message of the queue becomes ready then, by the steady clock. */
  readyAt(key: QueueKey, atMs: number): void {
    this.#lines.get(key.queueId)?.readyAt(atMs);
  }

  /** Looks into each queue that is waited for: other nodes may have sent. */
  refresh(): void {
    for (const line of this.#lines.values()) line.ready();
  }

  /** The incarnation is gone: its line goes on in the next one, or ends. */
  changed(was: QueueKey, now: QueueKey | undefined): void {
    const line = this.#lines.get(was.queueId);
    if (!line) return;
    this.#lines.delete(was.queueId);
    if (!now) {
      line.end(new TodokuError("not_found", `queue "${was.queue}" was deleted`, { subject: "queue" }));
      return;
    }
    line.key = now;
    this.#lines.set(now.queueId, line);
    line.ready();
  }

  /** Answers all, with an error or with nothing, and lets nobody wait any more. */
  closeAll(error?: TodokuError): void {
    this.#isClosing = true;
    for (const line of this.#lines.values()) line.end(error);
  }

  /** How many stand in line, by environment. */
  sizes(): ReadonlyMap<string, number> {
    const sizes = new Map<string, number>();
    for (const { key, size } of this.#lines.values()) {
      if (size === 0) continue;
      sizes.set(key.environment, (sizes.get(key.environment) ?? 0) + size);
    }
    return sizes;
  }

  #expired(principal: Principal): TodokuError | undefined {
    const { expiresAtMs } = principal;
    if (expiresAtMs === undefined || this.#parts.clock.wallMs() < expiresAtMs) return undefined;
    return expiredError(principal);
  }

  #line(key: QueueKey): PollLine {
    const known = this.#lines.get(key.queueId);
    if (known) return known;
    const line: PollLine = new PollLine(key, this.#parts, () => {
      if (this.#lines.get(line.key.queueId) === line) this.#lines.delete(line.key.queueId);
    });
    this.#lines.set(key.queueId, line);
    return line;
  }
}
