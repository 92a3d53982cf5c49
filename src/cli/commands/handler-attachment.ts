import type { HandlerDefinition } from "../../domain/handlers/handler.ts";
import type { HandlerLogLine } from "../../domain/handlers/logs.ts";
import type { HandlerCredentials, Invocation, RunningHandler } from "../../domain/handlers/runtime.ts";
import { limits } from "../../domain/limits.ts";
import { createCommandRuntime } from "../../outbound/handlers/command-runtime.ts";
import { CallFailure, type Client } from "./client.ts";
import { HandlerLogSender } from "./handler-log-sender.ts";
import { type CommandIo, printable } from "./io.ts";

const backoffMs = { first: 250, most: 10_000 };
const hints = {
  already_exists: `if it ran here a moment ago and was killed, it is free again after ${limits.handler.silenceMs / 1000} s`,
  permission_denied: "only super users may run handlers",
};

/** What is attached, in the words of the API. */
interface AttachBody {
  readonly name: string;
  readonly timeoutSeconds: number | undefined;
  readonly concurrency: number | undefined;
  readonly secrets: Readonly<Record<string, string>>;
  readonly functionUrl: string | undefined;
}

interface AttachedJson {
  readonly id: string;
  readonly credentials: HandlerCredentials;
  readonly waitsFor: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** One `todoku handler run`: attaches the handler, again when the server was away, and lets processes here do what is asked for. */
export class AttachedRun {
  readonly #connect: () => Client;
  readonly #body: AttachBody;
  readonly #definition: HandlerDefinition;
  readonly #io: CommandIo;
  readonly #stop = new AbortController();
  #client: Client;
  #failures = 0;

  /** `connect` is called again when its credential has ended, which one made for `--env` does. */
  constructor(
    connect: () => Client,
    body: AttachBody,
    run: { readonly command: readonly string[]; readonly directory: string },
    io: CommandIo,
  ) {
    const { name, secrets, timeoutSeconds, concurrency = 1 } = body;
    const timeoutMs = timeoutSeconds === undefined ? limits.handler.timeoutMs.default : timeoutSeconds * 1000;
    this.#connect = connect;
    this.#client = connect();
    this.#body = body;
    this.#io = io;
    // What the server does with it is the server's matter: here it is a program with its variables.
    this.#definition = {
      ...{ environment: "", name, sources: [], timeoutMs, concurrency, grants: [], variables: {}, secrets },
      run: { kind: "command", ...run },
      functionUrl: undefined,
    };
  }

  /** Until Ctrl-C. @throws CallFailure: it cannot be attached; TodokuError: it cannot be started. */
  async run(): Promise<void> {
    const stopListening = this.#io.onInterrupt(() => this.#stop.abort());
    try {
      await this.#attach();
      while (!this.#stop.signal.aborted) await this.#attach().catch((error: unknown) => this.#pauseAfter(error));
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    } finally {
      stopListening();
    }
  }

  /** Resolves when the server does not know it any more, or it was stopped. */
  async #attach(): Promise<void> {
    const path = "/v1/handler-attachments";
    const made = (await this.#call("POST", path, this.#body, this.#stop.signal)) as AttachedJson;
    const ownPath = `${path}/${encodeURIComponent(made.id)}`;
    const logs = new HandlerLogSender((lines) => this.#call("POST", `${ownPath}/logs`, { lines }));
    let running: RunningHandler | undefined;
    try {
      running = await this.#start(made, logs);
      this.#failures = 0;
      const { url } = this.#client;
      this.#io.stderr.write(`handler ${printable(this.#body.name)} is attached to ${url}; Ctrl-C ends it\n`);
      if (this.#body.functionUrl !== undefined) this.#say(`its URL is ${url}/functions/${this.#body.name}`);
      for (const what of made.waitsFor) this.#say(`it waits for ${printable(what)}`);
      await this.#serve(ownPath, running);
    } finally {
      // First the key, then what has it.
      await logs.flush();
      await this.#call("DELETE", ownPath).catch(() => undefined);
      await running?.stop();
    }
  }

  /** A credential that was made for this command may have ended: then with another one, once. @throws CallFailure. */
  async #call(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<unknown> {
    try {
      return await this.#client.call(method, path, body, hints, signal);
    } catch (error) {
      if (!(error instanceof CallFailure) || error.code !== "unauthenticated") throw error;
      this.#client = this.#connect();
      return this.#client.call(method, path, body, hints, signal);
    }
  }

  #start({ credentials, env }: AttachedJson, logs: HandlerLogSender): Promise<RunningHandler> {
    const { url } = this.#client;
    const runtime = createCommandRuntime({ url: () => url, wallMs: Date.now, env: this.#io.env });
    const log = (line: HandlerLogLine) => {
      const output = line.stream === "stdout" ? this.#io.stdout : this.#io.stderr;
      output.write(line.stream === "system" ? `-- ${line.text}\n` : `${line.text}\n`);
      logs.add(line);
    };
    return runtime.start(this.#definition, { credentials, environmentVariables: env, log });
  }

  async #serve(path: string, running: RunningHandler): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const next = await this.#call("GET", `${path}/next`, undefined, this.#stop.signal);
        this.#failures = 0;
        if (next !== undefined) void this.#invoke(path, running, next as Invocation);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (error instanceof CallFailure && error.code === "not_found") return;
        await this.#pauseAfter(error);
      }
    }
  }

  /** Clocks of two machines differ: the deadline is counted here. A result that comes too late is lost. */
  async #invoke(path: string, running: RunningHandler, invocation: Invocation): Promise<void> {
    const result = await running.invoke({ ...invocation, deadlineMs: Date.now() + invocation.timeoutMs });
    const verb = result.kind === "success" ? "response" : "error";
    const body = { payload: result.payload, ...(result.kind === "error" && { isHandled: result.isHandled }) };
    try {
      await this.#call("POST", `${path}/invocations/${encodeURIComponent(invocation.id)}/${verb}`, body);
    } catch (error) {
      // It was too late, which the server has said to whoever waited for it.
      if (error instanceof CallFailure && error.code === "not_found") return;
      if (!this.#stop.signal.aborted) this.#say(`the result of ${invocation.id} is lost: ${firstLine(error)}`);
    }
  }

  /** @throws what cannot get better by waiting. */
  async #pauseAfter(error: unknown): Promise<void> {
    if (!(error instanceof CallFailure) || !isPassing(error)) throw error;
    const mostMs = Math.min(backoffMs.first * 2 ** this.#failures++, backoffMs.most);
    const waitMs = mostMs * (0.5 + Math.random() / 2);
    this.#say(`connection lost: ${firstLine(error)}; trying again in ${(waitMs / 1000).toFixed(1)} s`);
    await this.#io.pause(waitMs, this.#stop.signal);
  }

  #say(text: string): void {
    this.#io.stderr.write(`-- ${text}\n`);
  }
}

/** Its own attachment may be there for a while yet. */
function isPassing({ isTemporary, code }: CallFailure): boolean {
  return isTemporary || code === "already_exists";
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "";
}
