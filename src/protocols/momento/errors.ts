import { type ErrorCode, TodokuError } from "../../domain/errors.ts";

/** gRPC status numbers by our codes (https://grpc.io/docs/guides/status-codes/, read November 2026). */
export const grpcStatus = {
  invalid_argument: 3,
  unauthenticated: 16,
  permission_denied: 7,
  not_found: 5,
  already_exists: 6,
  failed_precondition: 9,
  limit_exceeded: 8,
  unimplemented: 12,
  unavailable: 14,
  internal: 13,
} as const satisfies Record<ErrorCode, number>;

/** What a failed call sends in its trailers. */
export interface WireStatus {
  readonly status: number;
  /** Percent-encoded, as the gRPC protocol wants it. */
  readonly message: string;
  /** Momento's own `err` trailer (reference 7); undefined when it adds nothing. */
  readonly err: string | undefined;
}

/** The deadline the client set has passed. It is no error of the domain. */
export const deadlineStatus: WireStatus = { status: 4, message: "the deadline of the call has passed", err: undefined };

/** A status that a fault header asks for. No rule of ours said no, so what other errors lead to (a log line, a closed line) must not follow. */
export class FaultError extends TodokuError {
  readonly status: number;

  constructor(status: number, message: string) {
    super("failed_precondition", message);
    this.name = "FaultError";
    this.status = status;
  }
}

// Messages quote names, and a name that is refused may have ten million characters. Clients end the whole HTTP/2 session over a
// header list that is too long (64 KiB in node:http2), and each character may become nine.
const messageMaxLength = 512;

export function toWire(error: TodokuError): WireStatus {
  const { message } = error;
  const text = message.length <= messageMaxLength ? message : `${message.slice(0, messageMaxLength)}...`;
  if (error instanceof FaultError) return { status: error.status, message: encodeMessage(text), err: undefined };
  return { status: grpcStatus[error.code], message: encodeMessage(text), err: errTrailer(error) };
}

// The SDKs read the limit from the message's words, other languages from `err` (reference 7): both are given.
const limitErr: Record<string, string> = {
  message_size: "request_size_limit_exceeded",
  request_size: "request_size_limit_exceeded",
  item_size: "item_size_limit_exceeded",
  element_size: "element_size_limit_exceeded",
  operations: "operations_rate_limit_exceeded",
  subscribers: "topic_subscriptions_limit_exceeded",
};

function errTrailer({ code, subject }: TodokuError): string | undefined {
  if (code === "limit_exceeded" && subject) return limitErr[subject];
  // Without this the SDKs call everything that is not found a cache.
  if (code === "not_found" && subject !== "cache") return "item_not_found";
  return undefined;
}

/** Percent-encodes everything but printable ASCII, and `%` itself. */
export function encodeMessage(text: string): string {
  return text.replace(/[^ -$&-~]+/g, (run) =>
    [...Buffer.from(run)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
}

/** `limit_exceeded` for a request message past the bound. */
export function requestTooLarge(bytes: number, maxBytes: number): TodokuError {
  return new TodokuError("limit_exceeded", `request limit: the request has ${bytes} bytes; must be <= ${maxBytes}`, {
    subject: "request_size",
  });
}
