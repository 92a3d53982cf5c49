import { Buffer } from "node:buffer";
import type { Deadline, TimerWheel } from "../../lib/timer-wheel.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";

// Long next to most invocations, and short next to how long messages wait anyway.
const patienceMs = 1000;

/** Bytes of events that wait, of all lines of the process. */
export class WaitingBytes {
  #bytes = 0;

  /** False: there is no room. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > limits.handler.waitingMaxBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** One who waits. */
interface Waiting {
  readonly go: () => void;
  readonly refuse: (error: TodokuError) => void;
}

/** Lets as many invocations of one handler run at a time as it can take; the others wait, first come first served. */
export class InvocationLine {
  readonly #name: string;
  readonly #concurrency: number;
  readonly #wheel: Pick<TimerWheel, "schedule">;
  readonly #bytes: WaitingBytes;
  readonly #waiting = new Set<Waiting>();
  readonly #watchers = new Set<() => void>();
  #running = 0;
  #isOpen = false;
  #refusal: TodokuError | undefined;

  constructor(name: string, concurrency: number, wheel: Pick<TimerWheel, "schedule">, bytes: WaitingBytes) {
    this.#name = name;
    this.#concurrency = concurrency;
    this.#wheel = wheel;
    this.#bytes = bytes;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Who waits may go, as far as there is room. */
  open(): void {
    this.#isOpen = true;
    this.#refusal = undefined;
    this.#advance();
  }

  /** Nobody begins until it is opened again: who waits, and who comes, is refused. Before it was first opened who comes waits. */
  shut(error: TodokuError): void {
    this.#isOpen = false;
    this.#refusal = error;
    for (const { refuse } of [...this.#waiting]) refuse(error);
  }

  /** Is there room for one who begins now? */
  get hasRoom(): boolean {
    return this.#isOpen && this.#running < this.#concurrency && this.#waiting.size === 0;
  }

  /**
   * Resolves when there is room, or the signal is aborted. It is nobody's then: who comes first takes it. Others may always be first: whoever
   * `mayJoin` is let go after `patienceMs` without room, to wait with them.
   */
  room(signal: AbortSignal, mayJoin: () => boolean = () => false): Promise<void> {
    if (this.hasRoom || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        deadline.cancel();
        this.#watchers.delete(look);
        signal.removeEventListener("abort", look);
        resolve();
      };
      const look = () => {
        if (this.hasRoom || signal.aborted) end();
      };
      const join = () => {
        if (this.#isOpen && mayJoin()) end();
        else deadline = this.#wheel.schedule(patienceMs, join);
      };
      let deadline: Deadline = this.#wheel.schedule(patienceMs, join);
      this.#watchers.add(look);
      signal.addEventListener("abort", look);
    });
  }

  /**
   * Runs `work` when it is its turn. `waitMs`: for how long it may wait. @throws TodokuError `limit_exceeded`: too many wait, or it waited for so
   * long; what the line was shut with; and what `work` throws.
   */
  async run<T>(event: string, waitMs: number, work: () => Promise<T>): Promise<T> {
    if (!this.hasRoom) await this.#turn(Buffer.byteLength(event), waitMs);
    else this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
      this.#advance();
    }
  }

  /** Resolves with a place of its own. */
  #turn(bytes: number, waitMs: number): Promise<void> {
    if (this.#refusal) return Promise.reject(this.#refusal);
    if (this.#waiting.size >= limits.handler.waitingMax || !this.#bytes.take(bytes)) {
      const text = `handler "${this.#name}" is busy, and ${this.#waiting.size} invocations of it wait: no more may`;
      return Promise.reject(new TodokuError("limit_exceeded", text, { subject: "handler", retryAfterMs: 1000 }));
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiting);
        this.#bytes.release(bytes);
        deadline.cancel();
      };
      const waiting: Waiting = {
        go: () => {
          leave();
          this.#running++;
          resolve();
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      const deadline: Deadline = this.#wheel.schedule(waitMs, () => {
        const text = `handler "${this.#name}" was busy for ${Math.round(waitMs)} ms`;
        waiting.refuse(new TodokuError("limit_exceeded", text, { subject: "handler", retryAfterMs: 1000 }));
      });
      this.#waiting.add(waiting);
    });
  }

  #advance(): void {
    for (const waiting of this.#waiting) {
      if (!this.#isOpen || this.#running >= this.#concurrency) break;
      waiting.go();
    }
    for (const look of [...this.#watchers]) look();
  }
}
