import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { serverPrincipal } from "../auth/principal.ts";
import { toTodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { QueueMessages } from "../queues/messages.ts";
import type { Queues } from "../queues/queues.ts";
import { type Batch, type Chunk, chunksOf, type QueueSourceSettings, receiveBatch } from "./batch.ts";
import { readBatchResult } from "./batch-result.ts";
import { type QueueRecord, queueEvent } from "./events.ts";
import type { InvocationResult } from "./handler.ts";
import type { HostedHandler } from "./hosted-handler.ts";

// Of a queue that is not there, or a store that refuses.
const askAgainMs = 1000;
/** AWS's advice: so many times the function's own time, before somebody else gets its messages. */
const visibilityTimes = 6;

const comeBack = "messages of a handler could not be dealt with; they come back by themselves";
/** All messages of the batch are somebody else's by now. */
const nothing: InvocationResult = { kind: "success", payload: "null" };

/** What a source works with. */
export interface QueueSourceParts {
  readonly queues: Pick<Queues, "known">;
  readonly queueMessages: Pick<QueueMessages, "follow" | "delete" | "changeVisibility">;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly wheel: Pick<TimerWheel, "schedule" | "wait">;
  readonly log: Log;
}

/** Feeds a handler from a queue, until it is ended. Never more invocations than the handler takes at once. */
export class QueueSource {
  readonly #handler: HostedHandler;
  readonly #settings: QueueSourceSettings;
  readonly #parts: QueueSourceParts;
  readonly #closed = new AbortController();
  readonly #work = new Set<Promise<void>>();
  /** It knows whether its queue is there. */
  readonly tried = Promise.resolve();
  #wasThere = true;
  /** Resolves when the last batch that it took is dealt with. */
  readonly ended: Promise<void>;

  constructor(handler: HostedHandler, settings: QueueSourceSettings, parts: QueueSourceParts) {
    this.#handler = handler;
    this.#settings = settings;
    this.#parts = parts;
    this.ended = this.#run();
  }

  /** Takes nothing more. */
  end(): void {
    this.#closed.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closed;
    const { environment } = this.#handler.definition;
    let wasRefused = false;
    // Whoever has made it is told at once.
    this.#isThere();
    while (!signal.aborted) {
      // A message must not be hidden from others while nobody here can work on it.
      await this.#handler.line.room(signal, () => this.#work.size === 0);
      if (signal.aborted) break;
      if (!this.#isThere()) {
        await this.#parts.wheel.wait(askAgainMs, signal);
        continue;
      }
      try {
        const batch = await receiveBatch(environment, this.#settings, this.#visibilityMs(), signal, this.#parts);
        wasRefused = false;
        this.#take(batch);
      } catch (caught) {
        const error = toTodokuError(caught);
        // That it is gone is told when it is looked for, which comes next.
        if (error.code === "not_found") continue;
        if (!wasRefused) this.#warn(error, "a handler cannot receive from its queue");
        wasRefused = true;
        await this.#parts.wheel.wait(askAgainMs, signal);
      }
    }
    await Promise.all(this.#work);
  }

  #visibilityMs(): number {
    const { environment, timeoutMs } = this.#handler.definition;
    const { queue, windowMs } = this.#settings;
    const ownMs = this.#parts.queues.known(environment, queue)?.visibilityMs ?? 0;
    return Math.min(limits.queue.visibilityMs.max, Math.max(ownMs, visibilityTimes * timeoutMs + windowMs));
  }

  #take(batch: Batch): void {
    const work: Promise<void> = this.#workOff(batch)
      .catch((err: unknown) => this.#warn(err, comeBack))
      .finally(() => {
        batch.end();
        this.#work.delete(work);
      });
    this.#work.add(work);
  }

  async #workOff(batch: Batch): Promise<void> {
    const chunks = chunksOf(this.#settings.queue, batch.messages);
    const begun = await Promise.all(chunks.map((chunk) => this.#carryOut(chunk, batch.sinceMs)));
    const notBegun = chunks.filter((_, n) => !begun[n]).flatMap(({ messages }) => messages);
    if (notBegun.length === 0) return;
    // What never began is no receive of theirs, as far as the queue can say so: it takes back all of a batch or nothing.
    if (notBegun.length === batch.messages.length) await batch.giveBack();
    else await this.#release(notBegun, () => 0);
  }

  /** Answers whether it began. */
  async #carryOut(chunk: Chunk, sinceMs: number): Promise<boolean> {
    let messages: readonly QueueRecord[] = [];
    let result: InvocationResult;
    try {
      result = await this.#handler.line.run(chunk.event, this.#visibilityMs(), async () => {
        const own = await this.#stillOwn(chunk.messages, sinceMs);
        if (own.length === 0) return nothing;
        this.#handler.checkAvailable();
        messages = own;
        const isWhole = own.length === chunk.messages.length;
        return this.#handler.invokeNow(isWhole ? chunk.event : queueEvent(this.#settings.queue, own));
      });
    } catch (error) {
      if (toTodokuError(error).code === "internal") throw error;
      return false;
    }
    // Others may begin meanwhile.
    await this.#settle(messages, result).catch((err: unknown) => this.#warn(err, comeBack));
    return true;
  }

  async #settle(messages: readonly QueueRecord[], result: InvocationResult): Promise<void> {
    const ids = messages.map(({ messageId }) => messageId);
    const { failed, error } = readBatchResult(ids, result);
    this.#tell(messages, failed, error);
    const [again, done] = [true, false].map((isFailed) => {
      return messages.filter(({ messageId }) => failed.has(messageId) === isFailed);
    }) as [QueueRecord[], QueueRecord[]];
    await Promise.all([this.#delete(done), this.#release(again, retryAfterMs)]);
  }

  #tell(messages: readonly QueueRecord[], failed: ReadonlySet<string>, error = "the function named them"): void {
    if (failed.size === 0) return;
    const { environment } = this.#handler.definition;
    const { queue } = this.#settings;
    const last = this.#parts.queues.known(environment, queue)?.deadLetter;
    const dead = messages.filter((one) => last && failed.has(one.messageId) && one.receiveCount >= last.maxReceives);
    const lost = dead.length > 0 ? `; ${dead.length} of them to the dead-letter queue "${last?.queue}"` : "";
    this.#handler.note(`${failed.size} of ${messages.length} messages of queue "${queue}" come back${lost}: ${error}`);
  }

  /** Those that nobody else has got, of which some waited for others or for their turn: each is hidden anew for as long as the work may take. */
  async #stillOwn(messages: readonly QueueRecord[], sinceMs: number): Promise<readonly QueueRecord[]> {
    const visibilityMs = this.#visibilityMs();
    // At first nothing else would come of it than a commit for each batch.
    if (this.#parts.clock.monotonicMs() - sinceMs < visibilityMs / visibilityTimes) return messages;
    const outcomes = await this.#changeVisibility(messages, () => visibilityMs);
    return messages.filter((_, n) => outcomes[n] === "done");
  }

  async #delete(messages: readonly QueueRecord[]): Promise<void> {
    if (messages.length === 0) return;
    const handles = messages.map(({ receiptHandle }) => receiptHandle);
    await this.#parts.queueMessages.delete(this.#principal(), this.#settings.queue, handles);
  }

  async #release(messages: readonly QueueRecord[], visibilityMsOf: (message: QueueRecord) => number): Promise<void> {
    if (messages.length > 0) await this.#changeVisibility(messages, visibilityMsOf);
  }

  #changeVisibility(messages: readonly QueueRecord[], visibilityMsOf: (message: QueueRecord) => number) {
    const changes = messages.map((message) => {
      return { receiptHandle: message.receiptHandle, visibilityMs: visibilityMsOf(message) };
    });
    return this.#parts.queueMessages.changeVisibility(this.#principal(), this.#settings.queue, changes);
  }

  #principal() {
    return serverPrincipal(this.#handler.definition.environment);
  }

  /** Is its queue there? Tells when that changes. */
  #isThere(): boolean {
    const { environment } = this.#handler.definition;
    const { queue } = this.#settings;
    const isThere = this.#parts.queues.known(environment, queue) !== undefined;
    if (isThere === this.#wasThere) return isThere;
    this.#wasThere = isThere;
    if (isThere) this.#handler.noteFound(`queue "${queue}"`);
    else {
      this.#handler.noteWait(`queue "${queue}"`, ", which does not exist");
      this.#warn(undefined, "a handler waits for its queue, which does not exist");
    }
    return isThere;
  }

  #warn(err: unknown, message: string): void {
    const { environment, name } = this.#handler.definition;
    const fields = { environment, handler: name, queue: this.#settings.queue, ...(err !== undefined && { err }) };
    this.#parts.log.warn(fields, message);
  }
}

/** After so many receives: 1, 2, 4 ... s. */
function retryAfterMs({ receiveCount }: Pick<QueueRecord, "receiveCount">): number {
  const { firstMs, maxMs } = limits.handler.retry;
  return Math.min(maxMs, firstMs * 2 ** Math.min(receiveCount - 1, 30));
}
