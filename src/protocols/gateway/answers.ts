import { STATUS_CODES } from "node:http";
import { type ErrorCode, TodokuError, toTodokuError } from "../../domain/errors.ts";
import { isStopping } from "../../domain/topics/stopping.ts";
import type { Session } from "./session.ts";

/** What API Gateway says, and the close code of a client that asked for our subprotocol. */
interface Refusal {
  readonly status: number;
  readonly message: string;
  /** `x-amzn-ErrorType`. */
  readonly type: string;
  readonly closeCode: number;
}

const internal: Refusal = {
  ...{ status: 500, message: "Internal server error", type: "InternalServerErrorException", closeCode: 1011 },
};
const badRequest: Refusal = { status: 400, message: "Bad Request", type: "BadRequestException", closeCode: 4400 };

/** How a handshake is refused. */
const refusals: Readonly<Record<ErrorCode, Refusal>> = {
  invalid_argument: badRequest,
  unauthenticated: { status: 401, message: "Unauthorized", type: "UnauthorizedException", closeCode: 4401 },
  permission_denied: { status: 403, message: "Forbidden", type: "ForbiddenException", closeCode: 4403 },
  not_found: { status: 404, message: "Not Found", type: "NotFoundException", closeCode: 4400 },
  already_exists: badRequest,
  failed_precondition: badRequest,
  limit_exceeded: { status: 429, message: "Too Many Requests", type: "LimitExceededException", closeCode: 4429 },
  unimplemented: badRequest,
  unavailable: { status: 503, message: "Service Unavailable", type: "ServiceUnavailableException", closeCode: 1013 },
  internal,
};
const tooManyConnections: Refusal = { ...refusals.limit_exceeded, closeCode: 4409 };
const timedOut: Refusal = {
  ...{ status: 504, message: "Endpoint request timed out", type: "IntegrationTimeoutException", closeCode: 1013 },
};

/** Subject of the error of a handshake that took too long. */
const timeoutSubject = "connect_timeout";

export function connectTimeout(seconds: number): TodokuError {
  const text = `it took longer than ${seconds} s to find out who connects; try again`;
  return new TodokuError("unavailable", text, { subject: timeoutSubject });
}

/** A handler refuses the handshake with a status of its own. */
export function refusedWith(status: number): TodokuError {
  return new RefusedStatus(status >= 400 && status <= 599 ? status : internal.status);
}

/** Its code tells clients of our subprotocol the nearest of our reasons. */
class RefusedStatus extends TodokuError {
  readonly status: number;

  constructor(status: number) {
    const code = codesByStatus.get(status) ?? (status < 500 ? "failed_precondition" : "unavailable");
    super(code, `the application refused the connection with status ${status}`);
    this.status = status;
  }
}

const codesByStatus: ReadonlyMap<number, ErrorCode> = new Map([
  [401, "unauthenticated"],
  [403, "permission_denied"],
  [404, "not_found"],
  [429, "limit_exceeded"],
  [500, "unavailable"],
]);

export function refusalOf(error: TodokuError): Refusal {
  if (error instanceof RefusedStatus) return { ...refusals[error.code], ...wordsOf(error) };
  if (error.subject === "connections") return tooManyConnections;
  if (error.subject === timeoutSubject) return timedOut;
  // A server that stops: whoever comes back finds the next one.
  if (isStopping(error)) return { ...refusals.unavailable, closeCode: 1012 };
  return refusals[error.code];
}

/** Those that a refusal of ours with this status would have; another status has the words of HTTP. */
function wordsOf({ status, code }: RefusedStatus): Pick<Refusal, "status" | "message" | "type"> {
  const { message, type } = [...Object.values(refusals), internal].find((one) => one.status === status) ?? {
    message: STATUS_CODES[status] ?? "Refused",
    type: refusals[code].type,
  };
  return { status, message, type };
}

/** What an error frame says in the words of API Gateway. */
function messageOf(error: TodokuError): string {
  switch (error.code) {
    case "permission_denied":
    case "unauthenticated":
      return "Forbidden";
    case "limit_exceeded":
      if (error.subject === "message_size") return "Bad request body";
      return error.retryAfterMs === undefined ? internal.message : "Too Many Requests";
    case "invalid_argument":
      return "Bad request body";
    default:
      return internal.message;
  }
}

/** Our part of every error: `retryAfterMs` when it passes by itself. */
export function toErrorJson(error: unknown): object {
  const { code, message, retryAfterMs } = toTodokuError(error);
  return retryAfterMs === undefined ? { code, message } : { code, message, retryAfterMs };
}

/** An error frame as API Gateway sends it, with our part beside it. */
export function toErrorFrame(
  { connection }: Pick<Session, "connection">,
  error: TodokuError,
  requestId: string,
  id: string | undefined,
): Record<string, unknown> {
  const frame = { message: messageOf(error), connectionId: connection.id, requestId, error: toErrorJson(error) };
  return id === undefined ? frame : { ...frame, id };
}
