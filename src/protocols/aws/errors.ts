import type { TodokuError } from "../../domain/errors.ts";
import type { AwsServiceName } from "./call.ts";

interface AwsErrorOptions {
  /** HTTP; default 400. */
  readonly status?: number;
  /** What the query protocol calls it; default: `code`. */
  readonly queryCode?: string;
  /** Whose fault it is; default: the receiver's from status 500 on. */
  readonly fault?: "Sender" | "Receiver";
  /** When it is worth trying again. */
  readonly retryAfterMs?: number | undefined;
  /** Default false. */
  readonly isUnknownAction?: boolean;
}

/** What an AWS client is told. The message names the thing, the value and the bound, and never carries a credential. */
export class AwsError extends Error {
  /** The shape's name, as JSON and REST give it: `QueueDoesNotExist`. */
  readonly code: string;
  /** `AWS.SimpleQueueService.NonExistentQueue`. */
  readonly queryCode: string;
  readonly status: number;
  readonly fault: "Sender" | "Receiver";
  readonly retryAfterMs: number | undefined;
  /** The service has no such action: its name is the client's invention. */
  readonly isUnknownAction: boolean;

  constructor(code: string, message: string, options: AwsErrorOptions = {}) {
    super(message);
    const { status = 400, queryCode = code, fault = status >= 500 ? "Receiver" : "Sender", retryAfterMs } = options;
    const { isUnknownAction = false } = options;
    this.name = "AwsError";
    this.code = code;
    this.queryCode = queryCode;
    this.status = status;
    this.fault = fault;
    this.retryAfterMs = retryAfterMs;
    this.isUnknownAction = isUnknownAction;
  }
}

/** What services call a body that is too large, where they have a name of their own for it. */
const tooLargeNames: Partial<Record<AwsServiceName, string>> = {
  "execute-api": "PayloadTooLargeException",
  lambda: "RequestTooLargeException",
};

/** What services call alike: for whatever a service has no name of its own for. */
export function toCommonAwsError(
  { code, subject, message, retryAfterMs }: TodokuError,
  service?: AwsServiceName,
): AwsError {
  const say = (name: string, status: number, queryCode = name) =>
    new AwsError(name, message, { status, queryCode, retryAfterMs });
  if (subject === "request_size") {
    const name = (service && tooLargeNames[service]) ?? "RequestEntityTooLargeException";
    return say(name, 413, "RequestEntityTooLarge");
  }
  switch (code) {
    case "unauthenticated":
      return say("UnrecognizedClientException", 403, "InvalidClientTokenId");
    case "permission_denied":
      return say("AccessDeniedException", 403, "AccessDenied");
    case "limit_exceeded":
      return retryAfterMs === undefined
        ? say("LimitExceededException", 400, "LimitExceeded")
        : say("ThrottlingException", 429, "Throttling");
    case "unavailable":
      return say("ServiceUnavailableException", 503, "ServiceUnavailable");
    case "internal":
      return say("InternalFailure", 500);
    case "unimplemented":
      return say("UnsupportedOperation", 400);
    case "not_found":
      return say("ResourceNotFoundException", 400, "NotFound");
    case "already_exists":
      return say("ResourceExistsException", 400, "AlreadyExists");
    case "failed_precondition":
      return say("InvalidRequestException", 400, "InvalidRequest");
    case "invalid_argument":
      return say("ValidationException", 400, "InvalidParameterValue");
  }
}

/** The action is none of the service. */
export function unknownAction(action: string, service: string): AwsError {
  const text = action === "" ? "no action is named" : `the action ${action.slice(0, 100)} is not offered`;
  return new AwsError("UnknownOperationException", `${text}; docs/reference/aws.md lists those of ${service}`, {
    queryCode: "InvalidAction",
    isUnknownAction: true,
  });
}
