import { limits } from "../../domain/limits.ts";
import type { StreamCall } from "./call.ts";

const buckets = 10;

/** A heartbeat each second for every stream, a tenth of them at a time, so that 10,000 streams are no burst each second. */
export class Heartbeats {
  readonly #buckets = Array.from({ length: buckets }, () => new Set<Pick<StreamCall, "beat">>());
  #next = 0;
  #timer: NodeJS.Timeout | undefined;

  start(): void {
    this.#timer ??= setInterval(() => this.runOnce(), limits.heartbeatMs / buckets).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Returns what takes the stream out again. Its first beat comes a whole second from now: the caller has just sent one. */
  add(call: Pick<StreamCall, "beat">): () => void {
    const bucket = this.#buckets[(this.#next + buckets - 1) % buckets] as Set<Pick<StreamCall, "beat">>;
    bucket.add(call);
    return () => bucket.delete(call);
  }

  /** One tenth of a second's beats. */
  runOnce(): void {
    const bucket = this.#buckets[this.#next] as Set<Pick<StreamCall, "beat">>;
    this.#next = (this.#next + 1) % buckets;
    for (const call of bucket) call.beat();
  }
}
