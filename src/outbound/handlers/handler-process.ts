import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { failedInvocation, type HandlerDefinition, type InvocationResult } from "../../domain/handlers/handler.ts";
import type { HandlerLogLine } from "../../domain/handlers/logs.ts";
import type { Invocation, RuntimeParts } from "../../domain/handlers/runtime.ts";
import { timedOut } from "../../domain/handlers/timed-out.ts";
import { limits } from "../../domain/limits.ts";
import { commandOf } from "./command.ts";
import { environmentOf } from "./environment.ts";
import type { ProcessGuard } from "./guard.ts";
import { LogLines } from "./log-lines.ts";
import type { Masks } from "./masks.ts";
import type { OutputPace } from "./output-pace.ts";
import { openRuntimeApi, type RuntimeApi } from "./runtime-api.ts";

/** What all processes of a handler have in common. */
export interface ProcessOptions {
  readonly definition: HandlerDefinition;
  readonly parts: RuntimeParts;
  readonly masks: Masks;
  readonly guard: ProcessGuard;
  readonly pace: OutputPace;
  readonly wallMs: () => number;
  /** Between the request to end and the end by force. */
  readonly stopGraceMs: number;
  /** Of the server, as the process calls it. */
  readonly url: string;
  readonly own: Readonly<Record<string, string | undefined>>;
}

/** What it has written last is read for so long after its end; then nobody who has left its group holds its output open. */
const lastOutputMs = 1000;

/** One process of a handler, with a runtime API of its own. It leads a group: what it starts ends with it. */
export class HandlerProcess {
  /** Resolves when nothing of it is left, with how it ended, like `exit status 1`. */
  readonly ended: Promise<string>;
  /** Invocations that it has answered. */
  answered = 0;
  readonly #options: ProcessOptions;
  readonly #api: RuntimeApi;
  readonly #child: ChildProcess;
  /** Told when it ends; a promise that lives as long as the process would keep each result. */
  readonly #watchers = new Set<(how: string) => void>();
  #isEnded = false;
  /** Nobody has to be told that it ends. */
  #isAsked = false;

  /** It is there, but may not be ready. @throws Error that names neither variables nor arguments: the system does not take them. */
  static async spawn(options: ProcessOptions): Promise<HandlerProcess> {
    const { command = [] } = options.definition.run as { command?: readonly string[] };
    const { isOurs } = commandOf(command, options.definition.name);
    const api = await openRuntimeApi(isOurs ? randomBytes(16).toString("hex") : "");
    try {
      return new HandlerProcess(options, api);
    } catch (error) {
      api.close();
      // Node's own words quote the value that is wrong.
      throw new Error((error as NodeJS.ErrnoException).code ?? "unknown reason");
    }
  }

  private constructor(options: ProcessOptions, api: RuntimeApi) {
    this.#options = options;
    this.#api = api;
    this.#child = startChild(options, api.address);
    const { pid } = this.#child;
    if (pid !== undefined) options.guard.add(pid);
    this.#readOutput();
    this.ended = this.#watchEnd();
  }

  /** It has not ended, and is not about to. */
  get isUsable(): boolean {
    return !this.#isEnded && !this.#isAsked;
  }

  /** Resolves when it asks for work; undefined: it does. Else why it never will, as an invocation is answered. */
  async ready(): Promise<InvocationResult | undefined> {
    const { initMs } = limits.handler;
    const ended = this.ended.then((how) => failedInvocation("Runtime.ExitError", `the process has ended: ${how}`));
    const late = failedInvocation("Sandbox.Timedout", `it did not ask for work within ${initMs} ms`);
    const init = this.#api.init.then((outcome) =>
      outcome.kind === "ready" ? undefined : ({ kind: "error", isHandled: false, payload: outcome.payload } as const),
    );
    const failure = await within(initMs, [init, ended], late);
    if (failure) this.kill();
    return failure;
  }

  /** Answers within `withinMs`, else it is killed. Undefined: it has ended before it took the invocation, which another process may do. */
  async invoke(invocation: Invocation, withinMs: number): Promise<InvocationResult | undefined> {
    const { id } = invocation;
    const ended = Promise.withResolvers<InvocationResult | undefined>();
    const onEnd = (how: string) => ended.resolve(this.#api.hasTaken(id) ? exitError(id, how) : undefined);
    const late = timedOut(invocation);
    this.#watchers.add(onEnd);
    if (this.#isEnded) ended.resolve(undefined);
    const result = await within(withinMs, [this.#api.invoke(invocation), ended.promise], late);
    this.#watchers.delete(onEnd);
    if (result === late) {
      this.#say(`invocation ${id} was not done within ${invocation.timeoutMs} ms: its process is killed`);
      this.kill();
    } else if (this.isUsable) this.answered++;
    return result;
  }

  /** Asks it to end, and makes it. Resolves when nothing of it is left. */
  async stop(): Promise<void> {
    this.#isAsked = true;
    this.#signal("SIGTERM");
    const timer = setTimeout(() => this.kill(), this.#options.stopGraceMs);
    await this.ended;
    clearTimeout(timer);
  }

  kill(): void {
    this.#isAsked = true;
    this.#signal("SIGKILL");
  }

  /** To the whole group. */
  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#isEnded) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // It has ended a moment ago.
    }
  }

  #watchEnd(): Promise<string> {
    return new Promise((done) => {
      let reason: string | undefined;
      const end = (how: string) => {
        if (this.#isEnded) return;
        // What it has started ends too, and must not hold its output open.
        this.#signal("SIGKILL");
        this.#isEnded = true;
        this.#api.close();
        setTimeout(() => {
          this.#child.stdout?.destroy();
          this.#child.stderr?.destroy();
        }, lastOutputMs).unref();
        if (this.#child.pid !== undefined) this.#options.guard.remove(this.#child.pid);
        if (!this.#isAsked) this.#say(`the process has ended: ${how}`);
        for (const onEnd of this.#watchers) onEnd(how);
        done(how);
      };
      this.#child.on("error", (error: NodeJS.ErrnoException) => {
        reason ??= error.code === "ENOENT" ? missingOf(this.#child, this.#options) : (error.code ?? error.message);
        if (this.#child.pid === undefined) end(reason);
      });
      this.#child.on("exit", (code, signal) => end(signal === null ? `exit status ${code}` : `signal: ${signal}`));
    });
  }

  #readOutput(): void {
    for (const stream of ["stdout", "stderr"] as const) {
      const lines = new LogLines((text, isCut) => this.#log(stream, text, isCut));
      const output = this.#child[stream];
      output
        ?.on("end", () => lines.end())
        .on("data", (chunk: Uint8Array) => {
          const pauseMs = this.#options.pace.pauseMsAfter(() => lines.write(chunk));
          if (pauseMs === 0) return;
          output.pause();
          setTimeout(() => output.resume(), pauseMs).unref();
        });
    }
  }

  #log(stream: HandlerLogLine["stream"], text: string, isCut = false): void {
    const { parts, masks, wallMs } = this.#options;
    const { invocationId } = this.#api;
    const line = { atMs: wallMs(), stream, text: masks.apply(text, isCut) };
    parts.log(invocationId === undefined ? line : { ...line, invocationId });
  }

  #say(text: string): void {
    this.#log("system", text);
  }
}

function startChild({ definition, parts, url, own }: ProcessOptions, address: string): ChildProcess {
  const run = definition.run as { command?: readonly string[]; directory?: string | undefined };
  const command = commandOf(run.command ?? [], definition.name);
  const directory = directoryOf(definition);
  return spawn(command.file, command.args, {
    cwd: directory,
    env: environmentOf({ ...parts, definition, command, address, directory, url, own }),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
}

function directoryOf({ run }: HandlerDefinition): string {
  return resolve(run.kind === "command" ? (run.directory ?? ".") : ".");
}

/** Node says ENOENT of both. */
function missingOf({ spawnfile }: ChildProcess, { definition }: ProcessOptions): string {
  const directory = directoryOf(definition);
  return existsSync(directory) ? `there is no such program: ${spawnfile}` : `there is no such directory: ${directory}`;
}

function exitError(id: string, how: string): InvocationResult {
  const text =
    how === "exit status 0" ? "Runtime exited without providing a reason" : `Runtime exited with error: ${how}`;
  return failedInvocation("Runtime.ExitError", `RequestId: ${id} Error: ${text}`);
}

/** The first of `promises`, or `late` when none is there in time. */
async function within<T>(ms: number, promises: readonly Promise<T>[], late: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<T>((resolve) => {
    timer = setTimeout(resolve, ms, late);
  });
  try {
    return await Promise.race([...promises, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
