import { randomUUID } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { TodokuError, toTodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { errorOf } from "./batch-result.ts";
import { functionArn, type HandlerDefinition, type InvocationResult } from "./handler.ts";
import type { HandlerKeys } from "./handler-keys.ts";
import { type ResolvedVariables, resolveVariables } from "./handler-secrets.ts";
import type { HandlerCounts, HandlerInfo, HandlerState } from "./handlers.ts";
import { InvocationLine, type WaitingBytes } from "./invocation-line.ts";
import type { HandlerLogs } from "./logs.ts";
import type { HandlerCredentials, HandlerRuntime, RunningHandler } from "./runtime.ts";
import { isTimedOut } from "./timed-out.ts";

/** What all handlers of the server share. */
export interface HostedParts {
  readonly keys: Pick<HandlerKeys, "make" | "end">;
  readonly secrets: Pick<Secrets, "get">;
  readonly clock: Pick<Clock, "monotonicMs" | "wallMs">;
  readonly wheel: Pick<TimerWheel, "schedule" | "wait">;
  readonly log: Log;
  readonly logs: Pick<HandlerLogs, "add">;
  readonly waitingBytes: WaitingBytes;
  /** An invocation has ended. */
  readonly onInvoked: (environment: string, outcome: keyof HandlerCounts, durationMs: number) => void;
}

/** What runs now; another one takes its place when a secret has changed. */
interface Running extends Pick<ResolvedVariables, "versions"> {
  readonly handler: RunningHandler;
  inFlight: number;
}

/** One handler: starts it and keeps it started, and lets it be invoked. */
export class HostedHandler {
  readonly definition: HandlerDefinition;
  readonly line: InvocationLine;
  readonly #runtime: HandlerRuntime;
  readonly #parts: HostedParts;
  readonly #stopped = Promise.withResolvers<void>();
  readonly #counts = { succeeded: 0, failed: 0, timedOut: 0 };
  /** Resolves when the first start was tried. */
  readonly #tried = Promise.withResolvers<void>();
  #state: HandlerState = "starting";
  #isStopping = false;
  #credentials: HandlerCredentials | undefined;
  #variables: ResolvedVariables["values"] = {};
  #running: Running | undefined;
  /** Those that another took the place of, while they have work. */
  readonly #former = new Set<Running>();
  #inFlight = 0;
  #lastError: HandlerInfo["lastError"];
  /** Each with what was noted of it. */
  readonly #waitsFor = new Map<string, string>();
  /** What was lost must begin anew. */
  #lost = Promise.withResolvers<void>();
  #life: Promise<void> = Promise.resolve();
  #idle: (() => void) | undefined;

  constructor(definition: HandlerDefinition, runtime: HandlerRuntime, parts: HostedParts) {
    this.definition = definition;
    this.#runtime = runtime;
    this.#parts = parts;
    const { name, concurrency } = definition;
    this.line = new InvocationLine(name, concurrency, parts.wheel, parts.waitingBytes);
  }

  get info(): HandlerInfo {
    const { name, run, sources, timeoutMs, concurrency, functionUrl } = this.definition;
    const { running, waiting } = this.line;
    const waitsFor = [...this.#waitsFor.keys()];
    const state = this.#state === "ready" && waitsFor.length > 0 ? "waiting" : this.#state;
    return {
      ...{ name, state, waitsFor, run: run.kind, sources, timeoutMs, concurrency, functionUrl, running, waiting },
      ...{ counts: { ...this.#counts }, lastError: this.#lastError },
    };
  }

  /** Undefined before its first start. */
  get credentials(): HandlerCredentials | undefined {
    return this.#credentials;
  }

  get variables(): ResolvedVariables["values"] {
    return this.#variables;
  }

  /** Resolves when the first start was tried; it is tried again until it works. */
  start(): Promise<void> {
    this.#life = this.#live();
    return this.#tried.promise;
  }

  /** One start, not tried again. @throws TodokuError why it failed. */
  async startOnce(): Promise<RunningHandler> {
    const { handler } = await this.#begin();
    return handler;
  }

  /** Waits for its turn. @throws TodokuError `unavailable`; `limit_exceeded`: it was busy for too long. */
  async invoke(event: string, timeoutMs = Number.POSITIVE_INFINITY): Promise<InvocationResult> {
    this.checkAvailable();
    const { clock } = this.#parts;
    const [sinceMs, waitMs] = [clock.monotonicMs(), Math.min(timeoutMs, this.definition.timeoutMs)];
    return this.line.run(event, waitMs, () => {
      const leftMs = Math.max(1, Math.round(timeoutMs - (clock.monotonicMs() - sinceMs)));
      return this.invokeNow(event, leftMs);
    });
  }

  /** @throws TodokuError `unavailable`. */
  checkAvailable(): void {
    if (this.#isStopping) throw stopping(this.definition.name);
    if (this.#state === "failing") throw notStarted(this.definition.name);
  }

  /** By whoever has a place in the line. @throws TodokuError `unavailable`. */
  async invokeNow(event: string, timeoutMs = Number.POSITIVE_INFINITY): Promise<InvocationResult> {
    const running = this.#running;
    if (!running) throw notStarted(this.definition.name);
    const { clock } = this.#parts;
    const ownMs = Math.min(timeoutMs, this.definition.timeoutMs);
    const sinceMs = clock.monotonicMs();
    running.inFlight++;
    this.#inFlight++;
    try {
      const result = await running.handler.invoke({
        ...{ id: randomUUID(), event, deadlineMs: clock.wallMs() + ownMs, timeoutMs: ownMs },
        functionArn: functionArn(this.definition.name),
      });
      this.#count(result, clock.monotonicMs() - sinceMs);
      return result;
    } finally {
      running.inFlight--;
      this.#inFlight--;
      if (running.inFlight === 0 && this.#former.delete(running)) void running.handler.stop();
      if (this.#inFlight === 0) this.#idle?.();
    }
  }

  /** Tells who looks at it, and nobody else. */
  note(message: string): void {
    const atMs = this.#parts.clock.wallMs();
    this.#lastError = { message, atMs };
    const { environment, name } = this.definition;
    this.#parts.logs.add(environment, name, { atMs, stream: "system", text: message });
  }

  /** Something that is to feed it is not there. */
  noteWait(what: string, reason: string): void {
    const message = `it waits for ${what}${reason}`;
    this.#waitsFor.set(what, message);
    this.note(message);
  }

  /** It is there again. */
  noteFound(what: string): void {
    if (this.#lastError?.message === this.#waitsFor.get(what)) this.#lastError = undefined;
    this.#waitsFor.delete(what);
    const { environment, name } = this.definition;
    const line = { atMs: this.#parts.clock.wallMs(), stream: "system", text: `it has found ${what}` } as const;
    this.#parts.logs.add(environment, name, line);
  }

  /** Starts it anew with the secrets as they are, if one has changed; what runs ends where it is. */
  async checkSecrets(): Promise<void> {
    const { environment, name, run, secrets } = this.definition;
    // Who attached it has got its secrets with the attachment.
    if (this.#state !== "ready" || run.kind === "attached" || Object.keys(secrets).length === 0) return;
    try {
      const { versions } = await resolveVariables(this.definition, this.#parts.secrets);
      if (versions === this.#running?.versions) return;
      await this.#begin();
      this.#parts.log.info({ environment, handler: name }, "a secret of a handler has changed: it was started anew");
    } catch (err) {
      this.#parts.log.warn(
        { environment, handler: name, err },
        "a changed secret of a handler could not be taken over",
      );
    }
  }

  /** Its environment is gone, and its key with it: it begins anew when there is one of this name again. */
  async lose(): Promise<void> {
    this.#credentials = undefined;
    await this.#end(notStarted(this.definition.name));
    this.#state = "starting";
    this.#lost.resolve();
  }

  /** Begins nothing; what runs has `graceMs` to end. Its key is void when this resolves. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#stopped.resolve();
    this.line.shut(stopping(this.definition.name));
    const over = this.#parts.wheel.wait(graceMs);
    if (this.#inFlight > 0 && graceMs > 0) {
      const idle = new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
      await Promise.race([idle, over]);
    }
    // A start that is under way takes its time; what it starts is ended when it has.
    await Promise.race([this.#life, over]);
    await this.#end(stopping(this.definition.name));
    await this.#endKey();
  }

  async #endKey(): Promise<void> {
    const credentials = this.#credentials;
    this.#credentials = undefined;
    if (credentials) await this.#parts.keys.end(this.definition.environment, credentials.keyId);
  }

  async #live(): Promise<void> {
    const { firstMs, maxMs } = limits.handler.startRetry;
    for (let failures = 0; !this.#isStopping; ) {
      this.#lost = Promise.withResolvers();
      try {
        await this.#begin();
        failures = 0;
        this.#tried.resolve();
        await Promise.race([this.#stopped.promise, this.#lost.promise]);
      } catch (caught) {
        this.#failed(toTodokuError(caught), failures++ === 0);
        this.#tried.resolve();
        const waitMs = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
        await Promise.race([this.#parts.wheel.wait(waitMs), this.#stopped.promise]);
      }
    }
    // One that was made when `stop` had waited for long enough.
    await this.#endKey();
  }

  async #begin(): Promise<Running> {
    const { environment, name } = this.definition;
    const { keys, secrets, clock, logs, log } = this.#parts;
    const { values, versions } = await resolveVariables(this.definition, secrets);
    this.#credentials ??= await keys.make(this.definition);
    const handler = await this.#runtime.start(this.definition, {
      credentials: this.#credentials,
      environmentVariables: values,
      log(line) {
        logs.add(environment, name, line);
        log.debug({ environment, handler: name, stream: line.stream, atMs: clock.wallMs() }, line.text);
      },
    });
    const running = { handler, versions, inFlight: 0 };
    if (this.#isStopping) {
      await handler.stop();
      return running;
    }
    const before = this.#running;
    this.#running = running;
    this.#variables = values;
    this.#state = "ready";
    this.line.open();
    if (before?.inFlight === 0) await before.handler.stop();
    else if (before) this.#former.add(before);
    return running;
  }

  async #end(error: TodokuError): Promise<void> {
    this.line.shut(error);
    const all = [...this.#former, ...(this.#running ? [this.#running] : [])];
    this.#running = undefined;
    await Promise.all(all.map(({ handler }) => handler.stop()));
  }

  #failed(error: TodokuError, isFirst: boolean): void {
    const { environment, name } = this.definition;
    this.#state = "failing";
    this.line.shut(notStarted(name));
    this.note(`it could not be started: ${error.message}`);
    if (isFirst)
      this.#parts.log.warn(
        { environment, handler: name, err: error },
        "a handler could not be started; it is tried again",
      );
  }

  #count(result: InvocationResult, durationMs: number): void {
    let outcome: keyof HandlerCounts = "succeeded";
    if (result.kind === "error") {
      outcome = isTimedOut(result) ? "timedOut" : "failed";
      this.#lastError = { message: errorOf(result.payload), atMs: this.#parts.clock.wallMs() };
    }
    this.#counts[outcome]++;
    this.#parts.onInvoked(this.definition.environment, outcome, durationMs);
  }
}

function notStarted(name: string): TodokuError {
  return new TodokuError("unavailable", `handler "${name}" is not started; it is tried again`, { subject: "handler" });
}

function stopping(name: string): TodokuError {
  return new TodokuError("unavailable", `handler "${name}" is being stopped`, { subject: "handler" });
}
