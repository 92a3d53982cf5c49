/** Every way in which Todoku says no. A protocol that does not map each of them does not compile. */
export const errorCodes = [
  "invalid_argument",
  "unauthenticated",
  "permission_denied",
  "not_found",
  "already_exists",
  "failed_precondition",
  "limit_exceeded",
  "unimplemented",
  "unavailable",
  "internal",
] as const;

/** One of {@link errorCodes}. */
export type ErrorCode = (typeof errorCodes)[number];

/**
 * The only error that domain and engines throw. The message names the thing, the value and the bound, and is sent to
 * the caller: it never carries a credential. `cause` is for the log only.
 */
export class TodokuError extends Error {
  readonly code: ErrorCode;
  /** What is limited or missing, in one word, where a protocol tells it apart: `cache`, `message_size`, `request_size`, `item_size`, `element_size`, `operations`, `subscribers`. */
  readonly subject: string | undefined;
  /** Of `limit_exceeded` that passes by itself (a rate, a number of streams): when it is worth trying again. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; subject?: string; retryAfterMs?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "TodokuError";
    this.code = code;
    this.subject = options.subject;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** `error` as a {@link TodokuError}; whatever is not one becomes `internal`, its own text kept as the cause only. */
export function toTodokuError(error: unknown): TodokuError {
  if (error instanceof TodokuError) return error;
  return new TodokuError("internal", "internal error", { cause: error });
}
