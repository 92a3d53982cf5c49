import { Buffer } from "node:buffer";
import { BoundedMap } from "../../lib/bounded-map.ts";
import { logWith } from "../../lib/log.ts";
import { authorize, isAllowed } from "../auth/authorize.ts";
import type { Keys } from "../auth/keys.ts";
import type { Principal } from "../auth/principal.ts";
import { TodokuError, toTodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { RecordStore } from "../records/store.ts";
import { type AttachedHandler, AttachedRuntime } from "./attached.ts";
import { checkDefinition } from "./check-definition.ts";
import { type HandlerDefinition, handlerNotFound, type InvocationResult } from "./handler.ts";
import { HandlerKeys } from "./handler-keys.ts";
import { HandlerStatsByEnvironment } from "./handler-stats.ts";
import type { Attachment, AttachRequest, Handler, HandlerInfo, Handlers } from "./handlers.ts";
import { HostedHandler, type HostedParts } from "./hosted-handler.ts";
import { WaitingBytes } from "./invocation-line.ts";
import { createHandlerLogs, type HandlerLogs } from "./logs.ts";
import { QueueSource, type QueueSourceParts } from "./queue-source.ts";
import type { HandlerRuntime } from "./runtime.ts";
import { removeFormerSources, TopicSource, type TopicSourceParts } from "./topic-source.ts";

/** What handlers are made of. */
export interface HandlersOptions
  extends Pick<HostedParts, "secrets" | "wheel" | "log">,
    Pick<QueueSourceParts, "queues" | "queueMessages">,
    Pick<TopicSourceParts, "registry" | "caches"> {
  readonly clock: HostedParts["clock"];
  readonly keys: Pick<Keys, "create" | "delete">;
  readonly records: Pick<RecordStore, "list">;
  /** Those of the configuration; {@link checkDefinition} has found them right. */
  readonly definitions: readonly HandlerDefinition[];
  /** Are the handlers of `/functions/` those of this environment? Default: they are. */
  readonly hasFunctionUrls?: (environment: string) => boolean;
  /** By the kind of what runs. */
  readonly runtimes: Readonly<Record<"command" | "endpoint", HandlerRuntime>>;
}

export function createHandlers(options: HandlersOptions): Handlers {
  return new HandlerService(options);
}

/** A handler with what feeds it. */
interface Fed {
  readonly handler: HostedHandler;
  readonly sources: readonly (QueueSource | TopicSource)[];
}

class HandlerService implements Handlers {
  readonly logs: HandlerLogs;
  readonly #options: HandlersOptions;
  readonly #keys: HandlerKeys;
  readonly #parts: HostedParts;
  readonly #sourceParts: QueueSourceParts & TopicSourceParts;
  readonly #attachedRuntime: AttachedRuntime;
  readonly #stats = new HandlerStatsByEnvironment();
  readonly #handlers = new Map<string, Map<string, Fed>>();
  readonly #missing = new BoundedMap<string, true>(limits.handler.logsMax);
  readonly #attachments = new Map<string, Attachment>();
  #isStopping = false;

  constructor(options: HandlersOptions) {
    const { clock, wheel, secrets } = options;
    const log = logWith(options.log, { area: "handlers" });
    this.#options = options;
    this.logs = createHandlerLogs(clock);
    this.#keys = new HandlerKeys({ ...options, log });
    const onInvoked = this.#stats.count.bind(this.#stats);
    const waitingBytes = new WaitingBytes();
    this.#parts = { keys: this.#keys, secrets, clock, wheel, log, logs: this.logs, waitingBytes, onInvoked };
    this.#sourceParts = { ...options, log, wallMs: clock.wallMs };
    this.#attachedRuntime = new AttachedRuntime(wheel);
    for (const definition of options.definitions) {
      const { run } = definition;
      if (run.kind === "attached") continue;
      this.#add({ handler: new HostedHandler(definition, options.runtimes[run.kind], this.#parts), sources: [] });
    }
  }

  async start(): Promise<void> {
    const { definitions } = this.#options;
    // Neither is a reason not to start: what is left is void with the next start, or delivers nothing.
    await this.#keys
      .endLeftOver()
      .catch((err: unknown) => this.#warn(err, "keys of handlers of the last run may be left"));
    // The port is open: some may be attached already.
    const present = [...definitions, ...this.#all().map(({ handler }) => handler.definition)];
    await removeFormerSources(present, this.#options).catch((err: unknown) =>
      this.#warn(err, "subscriptions of handlers of the last run may be left"),
    );
    if (this.#isStopping) return;
    const configured = this.#all().filter(({ handler }) => handler.definition.run.kind !== "attached");
    const started = configured.map(async ({ handler }) => {
      this.#add({ handler, sources: this.#feed(handler) });
      await handler.start();
    });
    if (started.length > 0) this.#checkSecretsLater();
    await Promise.all(started);
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    const all = this.#all();
    for (const { sources } of all) for (const source of sources) source.end();
    this.logs.close();
    await Promise.all(all.map((fed) => this.#stop(fed, graceMs)));
  }

  get(environment: string, name: string): Handler | undefined {
    return this.#handlers.get(environment)?.get(name)?.handler;
  }

  list(principal: Principal): readonly HandlerInfo[] {
    if (!principal.isSuperUser && !principal.grants.some(({ resource }) => resource === "handler")) {
      authorize(principal, "handler.read");
    }
    return [...(this.#handlers.get(principal.environment)?.values() ?? [])]
      .map(({ handler }) => handler.info)
      .filter(({ name }) => isAllowed(principal, "handler.read", "", name))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  read(principal: Principal, name: string): HandlerInfo {
    authorize(principal, "handler.read", "", name);
    return this.#find(principal.environment, name).info;
  }

  async invoke(
    environment: string,
    name: string,
    event: string,
    { timeoutMs }: { readonly timeoutMs?: number | undefined } = {},
  ): Promise<InvocationResult> {
    if (!this.get(environment, name)) this.#missed(environment, name);
    return this.#find(environment, name).invoke(event, timeoutMs);
  }

  async invokeAs(principal: Principal, name: string, event: string): Promise<InvocationResult> {
    authorize(principal, "handler.invoke", "", name);
    checkEvent(event);
    return this.#find(principal.environment, name).invoke(event);
  }

  async attach(principal: Principal, request: AttachRequest): Promise<Attachment> {
    authorize(principal, "handler.run", "", request.name);
    checkDefinition(request);
    const { environment } = principal;
    this.#checkRoom(environment, request.name);
    if (request.functionUrl) this.#checkFunctionUrls(environment);
    const definition: HandlerDefinition = { ...request, environment, run: { kind: "attached" } };
    const handler = new HostedHandler(definition, this.#attachedRuntime, this.#parts);
    this.#add({ handler, sources: [] });
    try {
      const running = (await handler.startOnce()) as AttachedHandler;
      return await this.#attached(handler, running);
    } catch (error) {
      await this.#remove(handler);
      throw error;
    }
  }

  attachment(principal: Principal, id: string): Attachment {
    authorize(principal, "handler.run");
    const attachment = this.#attachments.get(id);
    if (attachment?.environment === principal.environment) return attachment;
    throw new TodokuError("not_found", "there is no such attachment: it may have ended", { subject: "attachment" });
  }

  forgetEnvironment(environment: string): void {
    for (const { handler } of [...(this.#handlers.get(environment)?.values() ?? [])]) {
      const gone = handler.definition.run.kind === "attached" ? this.#remove(handler) : handler.lose();
      gone.catch((err: unknown) => this.#warn(err, "a handler of an environment that is gone could not be ended"));
    }
    this.#stats.forgetEnvironment(environment);
  }

  stats() {
    return this.#stats.all(this.#all().map(({ handler }) => handler));
  }

  async checkSecrets(): Promise<void> {
    await Promise.all(this.#all().map(({ handler }) => handler.checkSecrets()));
  }

  async #attached(handler: HostedHandler, running: AttachedHandler): Promise<Attachment> {
    const { environment, name } = handler.definition;
    const { credentials, environmentVariables, log } = running.parts;
    const sources = this.#feed(handler);
    this.#add({ handler, sources });
    await Promise.all(sources.map(({ tried }) => tried));
    const { waitsFor } = handler.info;
    const attachment: Attachment = {
      ...{ id: running.id, environment, name, credentials, waitsFor, environmentVariables, log },
      next: (signal) => running.next(signal),
      respond: (invocationId, result) => running.respond(invocationId, result),
      detach: () => this.#remove(handler),
    };
    this.#attachments.set(running.id, attachment);
    const remove = () => {
      this.#attachments.delete(running.id);
      this.#remove(handler).catch((err: unknown) => this.#warn(err, "a handler that was detached could not be ended"));
    };
    running.ended.addEventListener("abort", remove, { once: true });
    // Its environment may have gone while it was made.
    if (this.#isStopping || running.ended.aborted) remove();
    return attachment;
  }

  /** Of an attached one; another of its name may come then. */
  async #remove(handler: HostedHandler): Promise<void> {
    const { environment, name } = handler.definition;
    const fed = this.#handlers.get(environment)?.get(name);
    if (fed?.handler !== handler) return;
    this.#handlers.get(environment)?.delete(name);
    for (const source of fed.sources) source.end();
    await this.#stop(fed, 0);
    for (const source of fed.sources) if (source instanceof TopicSource) await source.remove();
  }

  /** What took messages gives them back before this resolves. */
  async #stop({ handler, sources }: Fed, graceMs: number): Promise<void> {
    await handler.stop(graceMs);
    await Promise.all(sources.map(({ ended }) => ended));
  }

  #feed(handler: HostedHandler): Fed["sources"] {
    return handler.definition.sources.map((source) =>
      source.kind === "queue"
        ? new QueueSource(handler, source, this.#sourceParts)
        : new TopicSource(handler, source, this.#sourceParts),
    );
  }

  #checkSecretsLater(): void {
    this.#options.wheel.schedule(limits.handler.secretsCheckMs, () => {
      if (this.#isStopping) return;
      void this.checkSecrets().then(() => this.#checkSecretsLater());
    });
  }

  #checkFunctionUrls(environment: string): void {
    const { hasFunctionUrls = () => true } = this.#options;
    if (hasFunctionUrls(environment)) return;
    const text = `function URLs are not those of environment "${environment}": configure functions.environment: ${environment}`;
    throw new TodokuError("failed_precondition", text);
  }

  #checkRoom(environment: string, name: string): void {
    if (this.#isStopping) throw new TodokuError("unavailable", "the server is being stopped");
    const ofEnvironment = this.#handlers.get(environment);
    if (ofEnvironment?.has(name)) {
      throw new TodokuError("already_exists", `handler "${name}" is there already`, { subject: "handler" });
    }
    if ((ofEnvironment?.size ?? 0) < limits.handler.perEnvironment) return;
    const text = `environment "${environment}" has ${limits.handler.perEnvironment} handlers, the most it may have`;
    throw new TodokuError("limit_exceeded", text);
  }

  /** Routes and subscriptions may name a handler that is attached later: told once, until it has come. */
  #missed(environment: string, name: string): void {
    const key = JSON.stringify([environment, name]);
    if (this.#missing.get(key)) return;
    this.#missing.set(key, true);
    const hint = `configure it, or attach it: todoku handler run ${name}`;
    this.#parts.log.warn({ environment, handler: name, hint }, "a handler is called that does not exist");
  }

  #add(fed: Fed): void {
    const { environment, name } = fed.handler.definition;
    this.#missing.delete(JSON.stringify([environment, name]));
    let ofEnvironment = this.#handlers.get(environment);
    if (!ofEnvironment) {
      ofEnvironment = new Map();
      this.#handlers.set(environment, ofEnvironment);
    }
    ofEnvironment.set(name, fed);
  }

  #all(): readonly Fed[] {
    return [...this.#handlers.values()].flatMap((ofEnvironment) => [...ofEnvironment.values()]);
  }

  /** @throws TodokuError `not_found`. */
  #find(environment: string, name: string): HostedHandler {
    const fed = this.#handlers.get(environment)?.get(name);
    if (!fed) throw handlerNotFound(name);
    return fed.handler;
  }

  #warn(err: unknown, message: string): void {
    this.#parts.log.warn({ err: toTodokuError(err) }, message);
  }
}

/** @throws TodokuError `invalid_argument`, `limit_exceeded`. */
function checkEvent(event: string): void {
  const [bytes, max] = [Buffer.byteLength(event), limits.handler.eventMaxBytes];
  if (bytes > max) {
    const text = `request limit: the event has ${bytes} bytes; must be <= ${max}`;
    throw new TodokuError("limit_exceeded", text, { subject: "request_size" });
  }
  try {
    JSON.parse(event);
  } catch {
    throw new TodokuError("invalid_argument", "the event must be JSON");
  }
}
