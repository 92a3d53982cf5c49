import type { Grant } from "../auth/grants.ts";
import { TodokuError } from "../errors.ts";
import { defaultRegion, handlerArnOf } from "../event-topics/arns.ts";
import { limits } from "../limits.ts";
import type { StoredFilter } from "../subscriptions/filter.ts";

/** What feeds a handler besides direct calls. */
export type HandlerSource =
  | {
      readonly kind: "queue";
      readonly queue: string;
      /** Messages of one invocation: 1..`limits.queue.batchMaxMessages`. */
      readonly batchSize: number;
      /** How long a batch that is not full waits for more: 0..`limits.handler.windowMaxMs`. */
      readonly windowMs: number;
    }
  | {
      readonly kind: "topic";
      readonly cache: string;
      readonly topic: string;
      /** What does not match is passed over. */
      readonly filter?: StoredFilter | undefined;
    };

/** How a handler is reached. */
export type HandlerRun =
  | { readonly kind: "command"; readonly command: readonly string[]; readonly directory?: string | undefined }
  /** `secret`: `whsec_` and base64, signs each call as webhooks are signed. */
  | { readonly kind: "endpoint"; readonly url: string; readonly secret?: string | undefined }
  /** A runtime somewhere else asks for its work. */
  | { readonly kind: "attached" };

/** A function of the user's own: what calls it, how it is run, and what it may do. */
export interface HandlerDefinition {
  readonly environment: string;
  /** 1..`limits.handler.nameMaxLength` of A-Z, a-z, 0-9, - and _. */
  readonly name: string;
  readonly run: HandlerRun;
  readonly sources: readonly HandlerSource[];
  /** Of one invocation: `limits.handler.timeoutMs`. */
  readonly timeoutMs: number;
  /** Processes, or calls at once: 1..`limits.handler.concurrencyMax`. */
  readonly concurrency: number;
  /** All that its key may do; none is allowed. */
  readonly grants: readonly Grant[];
  /** Of its environment, by name. */
  readonly variables: Readonly<Record<string, string>>;
  /** Variable -> name of a secret of its environment. */
  readonly secrets: Readonly<Record<string, string>>;
  /** It has a URL of its own; who may call it. */
  readonly functionUrl: { readonly auth: "none" | "jwt" } | undefined;
}

/** What became of an invocation. `payload` is JSON text. */
export type InvocationResult =
  | { readonly kind: "success"; readonly payload: string }
  /** `isHandled`: the function said so itself. `{"errorMessage","errorType","stackTrace"?}`. */
  | { readonly kind: "error"; readonly isHandled: boolean; readonly payload: string };

/** An error that the function did not give itself: its process ended, its time was over, its answer was none. */
export function failedInvocation(errorType: string, errorMessage: string): InvocationResult {
  return { kind: "error", isHandled: false, payload: JSON.stringify({ errorMessage, errorType }) };
}

/** @throws TodokuError `invalid_argument`. */
export function checkHandlerName(name: string): void {
  if (name.length > limits.handler.nameMaxLength) {
    throw new TodokuError(
      "invalid_argument",
      `handler name has ${name.length} characters; must be <= ${limits.handler.nameMaxLength}`,
    );
  }
  if (/^[A-Za-z0-9_-]+$/.test(name)) return;
  throw new TodokuError("invalid_argument", `handler name "${name}" must be of A-Z, a-z, 0-9, - and _, and not empty`);
}

/** The error that every call about a missing handler gives. */
export function handlerNotFound(name: string): TodokuError {
  return new TodokuError("not_found", `handler "${name}" does not exist`, { subject: "handler" });
}

/** Todoku has no regions and no accounts: these stand where AWS's tools want some. */
export { accountId as awsAccount, defaultRegion as awsRegion } from "../event-topics/arns.ts";

/** What AWS's tools call it. */
export function functionArn(name: string): string {
  return handlerArnOf(defaultRegion, name);
}
