import { newId } from "../../lib/random-ids.ts";
import type { Deadline, TimerWheel } from "../../lib/timer-wheel.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { failedInvocation, type HandlerDefinition, type InvocationResult } from "./handler.ts";
import type { HandlerRuntime, Invocation, RunningHandler, RuntimeParts } from "./runtime.ts";
import { timedOut } from "./timed-out.ts";

/** Runtimes somewhere else that ask for their work. */
export class AttachedRuntime implements HandlerRuntime {
  readonly #wheel: Pick<TimerWheel, "schedule">;

  constructor(wheel: Pick<TimerWheel, "schedule">) {
    this.#wheel = wheel;
  }

  async start(definition: HandlerDefinition, parts: RuntimeParts): Promise<AttachedHandler> {
    return new AttachedHandler(definition, parts, this.#wheel);
  }
}

/** An invocation that has no result yet. */
interface Open {
  readonly invocation: Invocation;
  readonly end: (result: InvocationResult) => void;
}

/** The server's side of one attached runtime: what is invoked waits until it asks, and until it answers. */
export class AttachedHandler implements RunningHandler {
  /** Nobody can guess it. */
  readonly id = newId();
  readonly name: string;
  readonly parts: RuntimeParts;
  /** Aborted when the runtime has not asked for `limits.handler.silenceMs`, or was stopped: nothing more comes of it. */
  readonly ended: AbortSignal;
  readonly #wheel: Pick<TimerWheel, "schedule">;
  readonly #end = new AbortController();
  readonly #open = new Map<string, Open>();
  /** Those that nobody has been given, in their order. */
  #untaken: Invocation[] = [];
  readonly #askers = new Set<() => void>();
  #silence: Deadline | undefined;

  constructor({ name }: HandlerDefinition, parts: RuntimeParts, wheel: Pick<TimerWheel, "schedule">) {
    this.name = name;
    this.parts = parts;
    this.#wheel = wheel;
    this.ended = this.#end.signal;
    this.#watchSilence();
  }

  invoke(invocation: Invocation): Promise<InvocationResult> {
    if (this.ended.aborted) return Promise.resolve(gone());
    return new Promise((resolve) => {
      const end = (result: InvocationResult) => {
        deadline.cancel();
        this.#open.delete(invocation.id);
        this.#untaken = this.#untaken.filter(({ id }) => id !== invocation.id);
        resolve(result);
      };
      const deadline = this.#wheel.schedule(invocation.timeoutMs, () => end(timedOut(invocation)));
      this.#open.set(invocation.id, { invocation, end });
      this.#untaken.push(invocation);
      this.#wakeAsker();
    });
  }

  /**
   * The next invocation; undefined: there was none until the signal was aborted. One whose signal is aborted later on, before there is a
   * result, is given to whoever asks next: the answer that carried it was lost.
   * @throws TodokuError `not_found`: it has ended.
   */
  async next(signal: AbortSignal): Promise<Invocation | undefined> {
    for (;;) {
      this.#checkOpen();
      this.#watchSilence();
      // Who was woken for work, and has left meanwhile, leaves it to another.
      if (signal.aborted) {
        if (this.#untaken.length > 0) this.#wakeAsker();
        return undefined;
      }
      const invocation = this.#untaken.shift();
      if (invocation) {
        signal.addEventListener("abort", () => this.#giveBack(invocation), { once: true });
        return invocation;
      }
      await this.#work(signal);
    }
  }

  /** @throws TodokuError `not_found`: there is no such invocation, or not any more. */
  respond(invocationId: string, result: InvocationResult): void {
    this.#checkOpen();
    const open = this.#open.get(invocationId);
    if (!open) {
      throw new TodokuError(
        "not_found",
        `handler "${this.name}" has no open invocation of this id: its time may be over`,
      );
    }
    open.end(result);
  }

  async stop(): Promise<void> {
    this.#silence?.cancel();
    this.#end.abort();
    for (const { end } of [...this.#open.values()]) end(gone());
    for (const wake of [...this.#askers]) wake();
  }

  #giveBack(invocation: Invocation): void {
    if (!this.#open.has(invocation.id)) return;
    this.#untaken.unshift(invocation);
    this.#wakeAsker();
  }

  /** Resolves when there may be work, the signal is aborted, or it has ended. */
  #work(signal: AbortSignal): Promise<void> {
    this.#silence?.cancel();
    return new Promise((resolve) => {
      const wake = () => {
        this.#askers.delete(wake);
        signal.removeEventListener("abort", wake);
        this.#watchSilence();
        resolve();
      };
      this.#askers.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  #wakeAsker(): void {
    const [wake] = this.#askers;
    wake?.();
  }

  #watchSilence(): void {
    this.#silence?.cancel();
    if (this.ended.aborted || this.#askers.size > 0) return;
    this.#silence = this.#wheel.schedule(limits.handler.silenceMs, () => void this.stop());
  }

  #checkOpen(): void {
    if (!this.ended.aborted) return;
    throw new TodokuError("not_found", `handler "${this.name}" is not attached any more`, { subject: "attachment" });
  }
}

function gone(): InvocationResult {
  return failedInvocation("Runtime.Gone", "the attached runtime has gone");
}
