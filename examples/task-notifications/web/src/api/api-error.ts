/** What went wrong, as far as a user can do something about it. */
export type ApiProblem =
  | "invalid"
  | "signed-out"
  | "too-large"
  | "too-many"
  | "unavailable"
  | "unreachable"
  | "unexpected";

/** A call of the API that did not succeed. Its message is for developers; `problem` decides what the user reads. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly problem: ApiProblem;
  /** How long the API asks to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(problem: ApiProblem, message: string, retryAfterMs?: number) {
    super(message);
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The error of an answer that is not a success. */
export function toApiError(status: number, retryAfter: string | null, nowMs: number = Date.now()): ApiError {
  return new ApiError(problemOf(status), `the API answered ${status}`, retryAfterMs(retryAfter, nowMs));
}

function problemOf(status: number): ApiProblem {
  if (status === 400 || status === 422) return "invalid";
  if (status === 401 || status === 403) return "signed-out";
  if (status === 413) return "too-large";
  if (status === 429) return "too-many";
  return status >= 500 ? "unavailable" : "unexpected";
}

/** `Retry-After` is a number of seconds or a date (RFC 9110, 10.2.3). */
function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null || header.trim() === "") return undefined;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
