import { Buffer } from "node:buffer";
import type { Audience } from "../connections/connections.ts";
import { TodokuError, toTodokuError } from "../errors.ts";
import { limits } from "../limits.ts";

/** Who gets which frame. */
export interface NotificationRequest {
  readonly audience: Audience;
  /** What each connection gets, as JSON: `data`, with `id` in it if there is one. */
  readonly text: string;
  /** `data` alone, as JSON. */
  readonly data: string;
  /** By which clients tell a repeat. */
  readonly id: string | undefined;
}

/** A request as its sender writes it; nothing of it is checked. In each field `null` is as if it were missing, but for `data`. */
export interface SentRequest {
  readonly users?: unknown;
  readonly exclude_users?: unknown;
  readonly data?: unknown;
  readonly id?: unknown;
}

/** How requests are understood. */
export interface RequestOptions {
  /** An empty list of users is an error; else it means everybody, as a missing one does. */
  readonly strictAudience: boolean;
}

/** Reads the text of a topic or queue. Fields of other names are passed over. @throws TodokuError as {@link toRequest}. */
export function readRequest(text: string, options: RequestOptions): NotificationRequest {
  let sent: unknown;
  try {
    sent = JSON.parse(text);
  } catch {
    // The parser's own text quotes the request.
    throw new TodokuError("invalid_argument", "the request is not JSON");
  }
  if (typeof sent !== "object" || sent === null || Array.isArray(sent)) {
    throw new TodokuError("invalid_argument", "the request must be a JSON object");
  }
  return toRequest(sent, options);
}

/**
 * `users` that are not empty go before `exclude_users`. An `id` is put into `data` if that has none.
 * @throws TodokuError `invalid_argument` that names the field; `limit_exceeded` (subject "message_size"): no socket would take it.
 */
export function toRequest(sent: SentRequest, { strictAudience }: RequestOptions): NotificationRequest {
  // What JSON calls __proto__ or toString is no field of the request.
  const field = (name: keyof SentRequest) => (Object.hasOwn(sent, name) ? (sent[name] ?? undefined) : undefined);
  const users = toUsers("users", field("users"));
  const except = toUsers("exclude_users", field("exclude_users")) ?? new Set();
  if (strictAudience && users?.size === 0) {
    throw new TodokuError("invalid_argument", "users is an empty list; leave it out to reach everybody");
  }
  const audience = users && users.size > 0 ? { users } : { except };
  if (sent.data === undefined) throw new TodokuError("invalid_argument", "data is missing");
  const id = toId(field("id"));
  const data = toJson(sent.data);
  const text = id === undefined ? data : withId(sent.data, data, id);
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.gateway.messageMaxBytes) {
    throw new TodokuError(
      "limit_exceeded",
      `request limit: data has ${bytes} bytes as a frame; must be <= ${limits.gateway.messageMaxBytes}`,
      { subject: "message_size" },
    );
  }
  return { audience, text, data, id };
}

function toUsers(field: string, value: unknown): ReadonlySet<string> | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new TodokuError("invalid_argument", `${field} must be a list of user ids`);
  const { usersMax } = limits.notification;
  if (value.length > usersMax) {
    throw new TodokuError("invalid_argument", `${field} has ${value.length} user ids; must be <= ${usersMax}`);
  }
  for (const [n, user] of value.entries()) {
    if (typeof user === "string" && user !== "" && user.length <= limits.userIdMaxLength && user.isWellFormed())
      continue;
    throw new TodokuError(
      "invalid_argument",
      `${field}.${n} must be a user id: a text of 1 to ${limits.userIdMaxLength} characters`,
    );
  }
  return new Set(value as readonly string[]);
}

function toId(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const { idMaxLength } = limits.notification;
  if (typeof value === "string" && value !== "" && value.length <= idMaxLength && value.isWellFormed()) return value;
  throw new TodokuError("invalid_argument", `id must be a text of 1 to ${idMaxLength} characters`);
}

/** What can be read can be nested too deeply to be written. */
function toJson(data: unknown): string {
  try {
    return JSON.stringify(data);
  } catch (error) {
    if (!(error instanceof RangeError)) throw toTodokuError(error);
    throw new TodokuError("invalid_argument", "data is nested too deeply");
  }
}

function withId(data: unknown, json: string, id: string): string {
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    throw new TodokuError("invalid_argument", "id needs data that is an object, for that is what it is put into");
  }
  if (Object.hasOwn(data, "id")) return json;
  const rest = json.slice(1);
  return `{"id":${JSON.stringify(id)}${rest === "}" ? "" : ","}${rest}`;
}
