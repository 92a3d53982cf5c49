import type { Principal } from "../auth/principal.ts";
import type { HandlerDefinition, HandlerRun, HandlerSource, InvocationResult } from "./handler.ts";
import type { HandlerLogLine, HandlerLogs } from "./logs.ts";
import type { HandlerCredentials, Invocation } from "./runtime.ts";

/** Where a handler is in its life. `waiting`: it is ready, and something that feeds it is not there. `failing`: its last start failed; it is tried again. */
export type HandlerState = "starting" | "ready" | "waiting" | "failing";

/** Invocations since the start of the server. */
export interface HandlerCounts {
  readonly succeeded: number;
  /** The function gave an error, its process ended, or its answer was none. */
  readonly failed: number;
  readonly timedOut: number;
}

/** What is known of a handler; neither its variables nor its credentials. */
export interface HandlerInfo {
  readonly name: string;
  readonly state: HandlerState;
  /** Those that are to feed it and are not there, like `queue "tasks"`. */
  readonly waitsFor: readonly string[];
  readonly run: HandlerRun["kind"];
  readonly sources: readonly HandlerSource[];
  readonly timeoutMs: number;
  readonly concurrency: number;
  readonly functionUrl: { readonly auth: "none" | "jwt" } | undefined;
  /** Invocations that run, and that wait for one to end. */
  readonly running: number;
  readonly waiting: number;
  readonly counts: HandlerCounts;
  /** Why the last start or invocation that failed did. Wall time. */
  readonly lastError: { readonly message: string; readonly atMs: number } | undefined;
}

/** A handler that is there; it may be starting. */
export interface Handler {
  readonly definition: HandlerDefinition;
  readonly info: HandlerInfo;
}

/** What `todoku handler run` says that it runs. */
export type AttachRequest = Omit<HandlerDefinition, "environment" | "run">;

/** A handler whose runtime is somewhere else and asks for its work. */
export interface Attachment {
  readonly id: string;
  readonly environment: string;
  readonly name: string;
  readonly credentials: HandlerCredentials;
  /** As in {@link HandlerInfo}, when it was attached. */
  readonly waitsFor: readonly string[];
  /** Its variables and its secrets with their values. */
  readonly environmentVariables: Readonly<Record<string, string>>;
  /** Undefined: there was nothing until the signal was aborted. @throws TodokuError `not_found`: it was detached. */
  next(signal: AbortSignal): Promise<Invocation | undefined>;
  /** @throws TodokuError `not_found`: there is no such invocation (any more). */
  respond(invocationId: string, result: InvocationResult): void;
  log(line: HandlerLogLine): void;
  /** The handler is gone. */
  detach(): Promise<void>;
}

/** The functions of all environments. */
export interface Handlers {
  /** Once the doors are open: handlers call back. Resolves when each was tried. */
  start(): Promise<void>;
  /** Takes nothing more, gives what runs `graceMs` to end, and ends processes and keys. */
  stop(graceMs: number): Promise<void>;
  /** Starts those anew whose secrets have changed; it happens by itself each minute. */
  checkSecrets(): Promise<void>;
  /** In no time. */
  get(environment: string, name: string): Handler | undefined;
  /** Those the principal may see, by name. @throws TodokuError `permission_denied`. */
  list(principal: Principal): readonly HandlerInfo[];
  /** @throws TodokuError `permission_denied`, `not_found`. */
  read(principal: Principal, name: string): HandlerInfo;
  /**
   * By another part of the server, whose own check says that it may. `event`: JSON text. `timeoutMs`: less than the handler's own.
   * @throws TodokuError `not_found`; `limit_exceeded`: all are busy, and too many wait; `unavailable`: it is not ready, or the server stops.
   */
  invoke(
    environment: string,
    name: string,
    event: string,
    options?: { readonly timeoutMs?: number | undefined },
  ): Promise<InvocationResult>;
  /** The same for a caller: needs `handler.invoke`. @throws TodokuError also `permission_denied`; `invalid_argument`: the event is no JSON, or too large. */
  invokeAs(principal: Principal, name: string, event: string): Promise<InvocationResult>;
  /**
   * Makes the handler for as long as it is attached.
   * @throws TodokuError `permission_denied`, `invalid_argument`; `already_exists`: the environment has a handler of this name;
   * `failed_precondition`: it wants a URL, and function URLs are of another environment; `limit_exceeded`.
   */
  attach(principal: Principal, request: AttachRequest): Promise<Attachment>;
  /** One that is there, of the principal's environment. @throws TodokuError `permission_denied`, `not_found`. */
  attachment(principal: Principal, id: string): Attachment;
  readonly logs: HandlerLogs;
  /** The environment is being destroyed: its handlers are ended, and its sums go to those that are gone. */
  forgetEnvironment(environment: string): void;
  /** By environment, for metrics; under "" those that are gone, for a sum must not fall. */
  stats(): ReadonlyMap<string, HandlerStats>;
}

/** What metrics tell of the handlers of an environment. */
export interface HandlerStats {
  succeeded: number;
  failed: number;
  timedOut: number;
  /** Summed over all invocations that ended. */
  durationMs: number;
  /** Now. */
  running: number;
  waiting: number;
  /** Handlers whose last start failed. */
  failing: number;
}
