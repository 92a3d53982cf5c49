import type { TodokuError } from "../../../domain/errors.ts";
import { AwsError, toCommonAwsError } from "../errors.ts";

/** What the query protocol puts before the names that it spells itself. */
const prefix = "AWS.SimpleQueueService.";

/** @param message names the parameter, its value and the bound. */
export function invalidValue(message: string): AwsError {
  return new AwsError("InvalidParameterValue", message);
}

export function missingParameter(name: string): AwsError {
  return new AwsError("MissingParameter", `The request must contain the parameter ${name}.`);
}

/** A field of another type than its name says. */
export function wrongType(name: string, expected: string): AwsError {
  return new AwsError("SerializationException", `The parameter ${name} must be ${expected}.`);
}

export function unsupported(message: string): AwsError {
  return new AwsError("UnsupportedOperation", message, { queryCode: `${prefix}UnsupportedOperation` });
}

export function unknownAttribute(name: string): AwsError {
  return new AwsError("InvalidAttributeName", `Unknown Attribute ${name.slice(0, 100)}.`);
}

export function invalidAttributeValue(message: string): AwsError {
  return new AwsError("InvalidAttributeValue", message);
}

export function invalidContents(message: string): AwsError {
  return new AwsError("InvalidMessageContents", message);
}

export function queueDoesNotExist(name: string): AwsError {
  const text = `The specified queue does not exist: queue "${name.slice(0, 100)}".`;
  return new AwsError("QueueDoesNotExist", text, { queryCode: `${prefix}NonExistentQueue` });
}

export function queueNameExists(message: string): AwsError {
  return new AwsError("QueueNameExists", message, { queryCode: "QueueAlreadyExists" });
}

export function receiptHandleIsInvalid(message: string): AwsError {
  return new AwsError("ReceiptHandleIsInvalid", message, { status: 404 });
}

export function messageNotInflight(message: string): AwsError {
  return new AwsError("MessageNotInflight", message, { queryCode: `${prefix}MessageNotInflight` });
}

export function resourceNotFound(message: string): AwsError {
  return new AwsError("ResourceNotFoundException", message, { status: 404 });
}

/** What is wrong with a batch as a whole. */
export function batchError(
  code:
    | "EmptyBatchRequest"
    | "TooManyEntriesInBatchRequest"
    | "BatchEntryIdsNotDistinct"
    | "InvalidBatchEntryId"
    | "BatchRequestTooLong",
  message: string,
): AwsError {
  return new AwsError(code, message, { queryCode: `${prefix}${code}` });
}

/** What the domain refuses, in the words of SQS. */
export function toSqsError(error: TodokuError): AwsError {
  const { code, subject, message, retryAfterMs } = error;
  switch (code) {
    case "not_found":
      return new AwsError("QueueDoesNotExist", message, { queryCode: `${prefix}NonExistentQueue` });
    case "already_exists":
      return queueNameExists(message);
    case "invalid_argument":
      return invalidValue(message);
    case "failed_precondition":
      return unsupported(message);
    case "limit_exceeded":
      if (subject === "message_size") return invalidValue(message);
      // A bound that passes by itself; the others last until somebody works something off.
      if (retryAfterMs !== undefined) return new AwsError("RequestThrottled", message, { status: 403, retryAfterMs });
      if (subject === "request_size") return toCommonAwsError(error);
      return new AwsError("OverLimit", message, { status: 403 });
    default:
      return toCommonAwsError(error);
  }
}
