import type { Clock } from "./clock.ts";

/** One pending deadline. */
export interface Deadline {
  /** Takes the deadline back; nothing happens when it has fired. */
  cancel(): void;
}

interface Entry extends Deadline {
  readonly dueMs: number;
  fire: (() => void) | undefined;
}

/**
 * All deadlines of the process in one ring of slots behind one interval: scheduling and cancelling are O(1), and there
 * is no limit at 2^31-1 ms where `setTimeout` fires at once. Fires at most `slotMs` late, never early.
 */
export class TimerWheel {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #slotMs: number;
  readonly #slots: Set<Entry>[];
  readonly #onError: (error: unknown) => void;
  #ticked: number;
  #timer: NodeJS.Timeout | undefined;

  /** 512 slots of 20 ms: a turn takes 10 s, so a token that lives for a day is looked at 8,640 times, all others once. */
  constructor(
    clock: Pick<Clock, "monotonicMs">,
    options: { slotMs?: number; slots?: number; onError?: (error: unknown) => void } = {},
  ) {
    this.#clock = clock;
    this.#slotMs = options.slotMs ?? 20;
    this.#slots = Array.from({ length: options.slots ?? 512 }, () => new Set<Entry>());
    this.#onError =
      options.onError ??
      ((error) => {
        throw error;
      });
    this.#ticked = Math.floor(clock.monotonicMs() / this.#slotMs);
  }

  /** The wheel's clock. */
  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  /** Starts the interval; it does not keep the process alive. */
  start(): void {
    this.#timer ??= setInterval(() => this.runOnce(), this.#slotMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Calls `fire` once, `delayMs` from now or a slot later. */
  schedule(delayMs: number, fire: () => void): Deadline {
    const dueMs = this.#clock.monotonicMs() + Math.max(0, delayMs);
    // A slot that was ticked already is visited again only a turn later, so the next one is the earliest.
    const tick = Math.max(Math.ceil(dueMs / this.#slotMs), this.#ticked + 1);
    const slot = this.#slot(tick);
    const entry: Entry = {
      dueMs,
      fire,
      cancel: () => {
        entry.fire = undefined;
        slot.delete(entry);
      },
    };
    slot.add(entry);
    return entry;
  }

  /** Resolves `delayMs` from now or a slot later, or when the signal is aborted. */
  wait(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        deadline.cancel();
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const deadline = this.schedule(delayMs, end);
      if (signal?.aborted) end();
      else signal?.addEventListener("abort", end);
    });
  }

  /** Fires what is due; the interval calls it, and tests with a clock of their own do. */
  runOnce(): void {
    const nowMs = this.#clock.monotonicMs();
    const last = Math.floor(nowMs / this.#slotMs);
    // After a long pause each slot needs one visit, not one per missed turn.
    const first = Math.max(this.#ticked + 1, last - this.#slots.length + 1);
    this.#ticked = Math.max(this.#ticked, last);
    for (let tick = first; tick <= last; tick++) this.#fireSlot(this.#slot(tick), nowMs);
  }

  #fireSlot(slot: Set<Entry>, nowMs: number): void {
    for (const entry of slot) {
      if (entry.dueMs > nowMs) continue;
      slot.delete(entry);
      const fire = entry.fire;
      entry.fire = undefined;
      try {
        fire?.();
      } catch (error) {
        this.#onError(error);
      }
    }
  }

  #slot(tick: number): Set<Entry> {
    return this.#slots[tick % this.#slots.length] as Set<Entry>;
  }
}
