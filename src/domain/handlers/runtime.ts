import type { HandlerDefinition, InvocationResult } from "./handler.ts";
import type { HandlerLogLine } from "./logs.ts";

/** One call of a function. */
export interface Invocation {
  /** A UUID: what AWS calls the request id. */
  readonly id: string;
  /** JSON text. */
  readonly event: string;
  /** Wall time. */
  readonly deadlineMs: number;
  readonly timeoutMs: number;
  readonly functionArn: string;
}

/** What a handler calls the server with: one API key, in both its forms. */
export interface HandlerCredentials {
  readonly keyId: string;
  readonly apiKey: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A handler that can be called. */
export interface RunningHandler {
  /** Never rejects, and takes at most `timeoutMs`: past it the answer is an error, and what ran is ended. */
  invoke(invocation: Invocation): Promise<InvocationResult>;
  /** Ends all that it began. */
  stop(): Promise<void>;
}

/** What a handler is started with. */
export interface RuntimeParts {
  readonly credentials: HandlerCredentials;
  /** Its variables, and its secrets with their values. */
  readonly environmentVariables: Readonly<Record<string, string>>;
  readonly log: (line: HandlerLogLine) => void;
}

/** What `outbound` implements for commands and endpoints, and `attached.ts` for runtimes that ask for their work. */
export interface HandlerRuntime {
  /** @throws TodokuError that says why it cannot be started. */
  start(definition: HandlerDefinition, parts: RuntimeParts): Promise<RunningHandler>;
}
