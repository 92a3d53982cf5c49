import { failedInvocation, type InvocationResult } from "./handler.ts";
import type { Invocation } from "./runtime.ts";

const errorType = "Sandbox.Timedout";

/** What became of an invocation whose time was over, in Lambda's words. */
export function timedOut({ id, timeoutMs }: Pick<Invocation, "id" | "timeoutMs">): InvocationResult {
  const seconds = (timeoutMs / 1000).toFixed(2);
  return failedInvocation(errorType, `RequestId: ${id} Error: Task timed out after ${seconds} seconds`);
}

/** Is it that? */
export function isTimedOut(result: InvocationResult): boolean {
  return result.kind === "error" && !result.isHandled && result.payload.endsWith(`"errorType":"${errorType}"}`);
}
