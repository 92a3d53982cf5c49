import type { IncomingMessage } from "node:http";
import type { Auth } from "../../domain/auth/auth.ts";
import type { Keys } from "../../domain/auth/keys.ts";
import type { Tickets } from "../../domain/auth/tickets.ts";
import type { Tokens } from "../../domain/auth/tokens.ts";
import type { Caches } from "../../domain/cache/caches.ts";
import type { EngineHealth } from "../../domain/engine.ts";
import type { TodokuError } from "../../domain/errors.ts";
import type { QueueMessages } from "../../domain/queues/messages.ts";
import type { Queues } from "../../domain/queues/queues.ts";
import type { Topics } from "../../domain/topics/topics.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { Heartbeats } from "./heartbeats.ts";

/** What the HTTP door needs of the server. */
export interface HttpOptions {
  readonly auth: Auth;
  readonly keys: Keys;
  readonly tokens: Tokens;
  readonly caches: Caches;
  readonly topics: Topics;
  readonly queues: Queues;
  readonly queueMessages: QueueMessages;
  readonly clock: Clock;
  /** Heartbeats of event streams run on it. */
  readonly wheel: TimerWheel;
  /** `host:port` that clients of an API key dial. */
  readonly endpoint: () => string;
  readonly health: () => EngineHealth;
  /** False while the server starts, and again once it drains. */
  readonly isReady: () => boolean;
  /** Tells "draining" from "starting" while `isReady` is false; default: it is starting. */
  readonly isDraining?: () => boolean;
  /** The text of `GET /metrics`. Aggregate numbers only: no credential is asked for it. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly messageMaxBytes: number;
  /** Shown on `GET /`. */
  readonly version: string;
  /** Gets internal errors, with the request's method and redacted URL, never its headers or body. */
  readonly log: Log;
}

/** What the operations are given: what the server gave, and what the door made of it. */
export interface HttpParts extends HttpOptions {
  readonly heartbeats: Heartbeats;
  readonly tickets: Tickets;
  /** The OpenAPI document as JSON; made when it is first asked for. */
  readonly openApi: () => string;
  /** Logs an internal error and returns the log line's id. */
  readonly onInternalError: (error: TodokuError, request: IncomingMessage) => string;
}
