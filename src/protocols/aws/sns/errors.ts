import type { TodokuError } from "../../../domain/errors.ts";
import { AwsError, toCommonAwsError } from "../errors.ts";

/** In the words of SNS. */
export function toSnsError(error: TodokuError): AwsError {
  const { code, subject, message } = error;
  switch (code) {
    case "permission_denied":
      return new AwsError("AuthorizationError", message, { status: 403 });
    case "not_found":
      // A queue or a cache stands in a parameter; what SNS itself keeps is what it calls not found.
      if (subject === "topic" || subject === "subscription") return new AwsError("NotFound", message, { status: 404 });
      return invalidParameter(message);
    case "limit_exceeded":
      return limitExceeded(error);
    case "internal":
      return new AwsError("InternalError", message, { status: 500 });
    case "unauthenticated":
    case "unavailable":
      return toCommonAwsError(error);
    case "invalid_argument":
    case "already_exists":
    case "failed_precondition":
    case "unimplemented":
      return invalidParameter(subject === "filter_policy" ? `FilterPolicy: ${message}` : message);
  }
}

function limitExceeded({ subject, message, retryAfterMs }: TodokuError): AwsError {
  if (subject === "filter_policy") return new AwsError("FilterPolicyLimitExceeded", message, { status: 403 });
  if (subject === "subscriptions") return new AwsError("SubscriptionLimitExceeded", message, { status: 403 });
  if (subject === "topics") return new AwsError("TopicLimitExceeded", message, { status: 403 });
  if (subject === "message_size") return invalidParameter(`Message too long: ${message}`);
  return new AwsError("Throttled", message, { status: 429, retryAfterMs });
}

/** What SNS says of all parameters that are wrong. */
export function invalidParameter(problem: string): AwsError {
  return new AwsError("InvalidParameter", `Invalid parameter: ${problem}`);
}
