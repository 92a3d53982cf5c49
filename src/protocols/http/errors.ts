import { STATUS_CODES } from "node:http";
import { z } from "zod";
import { type ErrorCode, errorCodes, TodokuError } from "../../domain/errors.ts";

/** HTTP status by our codes. A code that stands for several statuses is told apart by the error's subject. */
export const httpStatus = {
  invalid_argument: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  already_exists: 409,
  failed_precondition: 409,
  limit_exceeded: 429,
  unimplemented: 501,
  unavailable: 503,
  internal: 500,
} as const satisfies Record<ErrorCode, number>;

const subjectStatus: Readonly<Record<string, number>> = {
  message_size: 413,
  request_size: 413,
  method: 405,
  accept: 406,
  media_type: 415,
};

/** RFC 9457 problem details, with our stable `code`. */
export const problemSchema = z
  .object({
    type: z.literal("about:blank"),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(errorCodes),
    instance: z.string().optional().meta({ description: "`urn:uuid:...` of the log line; on internal errors only" }),
  })
  .meta({ id: "Problem" });

export type Problem = Readonly<z.output<typeof problemSchema>>;

export function statusOf(error: TodokuError): number {
  return subjectStatus[error.subject ?? ""] ?? httpStatus[error.code];
}

export function toProblem(error: TodokuError, instance?: string): Problem {
  const status = statusOf(error);
  const problem = {
    type: "about:blank",
    title: STATUS_CODES[status] ?? "Error",
    status,
    detail: error.message,
    code: error.code,
  } as const;
  return instance === undefined ? problem : { ...problem, instance };
}

/** Headers that go with an error: RFC 9110 wants `WWW-Authenticate` on each 401, and counts `Retry-After` in whole seconds. */
export function headersOf(error: TodokuError): Readonly<Record<string, string>> {
  const status = statusOf(error);
  if (status === 401) return { "www-authenticate": "Bearer" };
  if (error.retryAfterMs !== undefined) return { "retry-after": String(Math.ceil(error.retryAfterMs / 1000)) };
  if (status === 503) return { "retry-after": "1" };
  return {};
}

/** A body past the bound. */
export function bodyTooLarge(maxBytes: number): TodokuError {
  return new TodokuError("limit_exceeded", `request limit: the body must have <= ${maxBytes} bytes`, {
    subject: "request_size",
  });
}

/** 404 for a path that leads nowhere. */
export function noSuchRoute(): TodokuError {
  return new TodokuError("not_found", "there is nothing at this path; docs/reference/http.md lists the calls", {
    subject: "route",
  });
}

/** 405; the caller sets `Allow`. */
export function methodNotAllowed(method: string, allowed: string): TodokuError {
  return new TodokuError("unimplemented", `method ${method} is not allowed here; allowed: ${allowed}`, {
    subject: "method",
  });
}
