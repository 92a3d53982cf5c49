import { performance } from "node:perf_hooks";
import { failedInvocation, type InvocationResult } from "../../domain/handlers/handler.ts";
import type { Invocation, RunningHandler } from "../../domain/handlers/runtime.ts";
import { timedOut } from "../../domain/handlers/timed-out.ts";
import { limits } from "../../domain/limits.ts";
import { HandlerProcess, type ProcessOptions } from "./handler-process.ts";

/** An invocation that waits for a process: gets one, or the reason why there is none. */
type Taker = (found: HandlerProcess | InvocationResult) => void;

/** The processes of one handler: one from the start, more as they are needed, each used again and again. */
export class ProcessPool implements RunningHandler {
  readonly #options: ProcessOptions;
  readonly #processes = new Set<HandlerProcess>();
  readonly #idle: HandlerProcess[] = [];
  #takers: Taker[] = [];
  /** Those that work, and those that are not ready yet. */
  #busy = 0;
  #starting = 0;
  /** Processes in a row that have ended before they answered anything. */
  #failures = 0;
  #backoff: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: ProcessOptions) {
    this.#options = options;
  }

  /** The first process. Undefined: it is ready; else why it is not. */
  async start(): Promise<InvocationResult | undefined> {
    const failure = await this.#spawn();
    if (failure) await this.stop();
    return failure;
  }

  async invoke(invocation: Invocation): Promise<InvocationResult> {
    const untilMs = performance.now() + invocation.timeoutMs;
    for (;;) {
      const leftMs = Math.max(1, untilMs - performance.now());
      const found = await this.#take(invocation, leftMs);
      if (!(found instanceof HandlerProcess)) return found;
      const result = await found.invoke(invocation, Math.max(1, untilMs - performance.now()));
      this.#busy--;
      if (found.isUsable && !this.#isStopped) this.#release(found);
      else this.#ensure();
      if (result) return this.#masked(result);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#backoff);
    this.#refuseTakers(failedInvocation("Runtime.Stopped", "the handler is stopping"));
    await Promise.all([...this.#processes].map((one) => one.stop()));
  }

  /** An error is looked at by more people than a result. */
  #masked(result: InvocationResult): InvocationResult {
    if (result.kind === "success") return result;
    const payload = this.#options.masks.applyToJson(result.payload);
    return payload === undefined
      ? failedInvocation("Runtime.HiddenError", "its error holds a secret")
      : { ...result, payload };
  }

  #take(invocation: Invocation, withinMs: number): Promise<HandlerProcess | InvocationResult> {
    const idle = this.#idle.pop();
    if (idle) {
      this.#busy++;
      return Promise.resolve(idle);
    }
    if (this.#isStopped) return Promise.resolve(failedInvocation("Runtime.Stopped", "the handler is stopping"));
    return new Promise((resolve) => {
      const take: Taker = (found) => {
        clearTimeout(timer);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#takers = this.#takers.filter((taker) => taker !== take);
        resolve(timedOut(invocation));
      }, withinMs);
      this.#takers.push(take);
      this.#ensure();
    });
  }

  #release(one: HandlerProcess): void {
    const taker = this.#takers.shift();
    if (!taker) {
      this.#idle.push(one);
      return;
    }
    this.#busy++;
    taker(one);
  }

  /** As many as there is work for, one at least; after failures one, and not at once. */
  #ensure(): void {
    if (this.#isStopped || this.#backoff) return;
    const wanted = Math.min(this.#options.definition.concurrency, Math.max(1, this.#busy + this.#takers.length));
    for (let left = wanted - this.#busy - this.#idle.length - this.#starting; left > 0; left--) void this.#spawn();
  }

  async #spawn(): Promise<InvocationResult | undefined> {
    this.#starting++;
    const started = await this.#startOne().catch((error: Error) => {
      this.#retryLater();
      return failedInvocation("Runtime.StartError", `no process can be started: ${error.message}`);
    });
    this.#starting--;
    if (!(started instanceof HandlerProcess)) {
      this.#refuseTakers(started);
      return started;
    }
    if (started.isUsable) this.#release(started);
    return undefined;
  }

  /** One that is ready, or why it is not. @throws Error: there is none. */
  async #startOne(): Promise<HandlerProcess | InvocationResult> {
    const one = await HandlerProcess.spawn(this.#options);
    this.#processes.add(one);
    void one.ended.then(() => this.#onEnded(one));
    if (this.#isStopped) one.kill();
    return (await one.ready()) ?? one;
  }

  #onEnded(one: HandlerProcess): void {
    this.#processes.delete(one);
    const at = this.#idle.indexOf(one);
    if (at !== -1) this.#idle.splice(at, 1);
    if (one.answered === 0) {
      this.#retryLater();
      return;
    }
    this.#failures = 0;
    this.#ensure();
  }

  /** Somewhat later each time. */
  #retryLater(): void {
    const { firstMs, maxMs } = limits.handler.restart;
    const waitMs = Math.min(maxMs, firstMs * 2 ** this.#failures++);
    if (this.#isStopped || this.#backoff) return;
    this.#backoff = setTimeout(() => {
      this.#backoff = undefined;
      this.#ensure();
    }, waitMs);
  }

  #refuseTakers(failure: InvocationResult): void {
    for (const take of this.#takers.splice(0)) take(failure);
  }
}
