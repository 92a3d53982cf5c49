import type { ErrorCode, TodokuError } from "../../domain/errors.ts";

/** What API Gateway says instead of a function: a status, a sentence, and a name in the header x-amzn-ErrorType. */
export class Refusal extends Error {
  readonly status: number;
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, type: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.headers = headers;
  }
}

export const notFound = () => new Refusal(404, "Not Found", "NotFoundException");
export const tooLong = () => new Refusal(413, "Request Too Long", "RequestTooLargeException");
/** The function failed, or answered what is no answer. */
export const badGateway = () => new Refusal(502, "Internal server error", "InternalServerErrorException");
export const timedOutRefusal = () => new Refusal(504, "Endpoint request timed out", "IntegrationTimeoutException");

const unauthorized: readonly [number, string, string] = [401, "Unauthorized", "UnauthorizedException"];
const badRequest: readonly [number, string, string] = [400, "Bad Request", "BadRequestException"];
const refusals: Readonly<Record<ErrorCode, readonly [status: number, message: string, type: string]>> = {
  invalid_argument: badRequest,
  unauthenticated: unauthorized,
  permission_denied: [403, "Forbidden", "AccessDeniedException"],
  not_found: [404, "Not Found", "NotFoundException"],
  already_exists: badRequest,
  failed_precondition: badRequest,
  limit_exceeded: [429, "Too Many Requests", "TooManyRequestsException"],
  unimplemented: badRequest,
  unavailable: [503, "Service Unavailable", "ServiceUnavailableException"],
  internal: [500, "Internal server error", "InternalServerErrorException"],
};

/** Nothing of the error's own text: strangers are told no more than API Gateway tells them, but that a token has expired. */
export function toRefusal({ code, subject, message, retryAfterMs }: TodokuError): Refusal {
  if (subject === "request_size") return tooLong();
  const [status, text, type] = refusals[code];
  // Whoever checks the credential says so in sentences of their own.
  if (code === "unauthenticated" && message.includes("has expired")) {
    return new Refusal(status, "The incoming token has expired", type);
  }
  const headers = retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1000)) };
  return new Refusal(status, text, type, headers);
}
