import type { InvocationResult } from "./handler.ts";

/** Which messages of a batch are to come back. `error`: why, when it is all of them. */
export interface BatchResult {
  readonly failed: ReadonlySet<string>;
  readonly error: string | undefined;
}

/**
 * What a function's result says of its batch. An error means that all failed; so does a `batchItemFailures` that cannot be understood: to take
 * such messages for done would lose them. Null, none and anything else mean that all are done, as Lambda has it.
 */
export function readBatchResult(messageIds: readonly string[], result: InvocationResult): BatchResult {
  const all = (error: string): BatchResult => ({ failed: new Set(messageIds), error });
  if (result.kind === "error") return all(errorOf(result.payload));
  let payload: unknown;
  try {
    payload = JSON.parse(result.payload);
  } catch {
    return all("the result is no JSON");
  }
  const failures = isObject(payload) ? payload.batchItemFailures : undefined;
  if (failures === undefined || failures === null) return { failed: new Set(), error: undefined };
  if (!Array.isArray(failures)) return all("batchItemFailures of the result must be a list");
  const failed = new Set<string>();
  for (const failure of failures) {
    const id = isObject(failure) ? failure.itemIdentifier : undefined;
    if (typeof id !== "string" || !messageIds.includes(id)) {
      return all("each of batchItemFailures must have the messageId of one of the batch as its itemIdentifier");
    }
    failed.add(id);
  }
  return { failed, error: undefined };
}

/** Its type and message, as a line of a log has them. */
export function errorOf(payload: string): string {
  try {
    const error: unknown = JSON.parse(payload);
    if (isObject(error)) {
      const parts = [error.errorType, error.errorMessage].filter((part) => typeof part === "string" && part !== "");
      if (parts.length > 0) return parts.join(": ").slice(0, errorMaxLength);
    }
  } catch {
    // as if it said nothing
  }
  return "the function failed";
}

/** What is kept of an error's text: the log has all of it. */
const errorMaxLength = 300;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
