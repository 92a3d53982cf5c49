import type { IncomingMessage } from "node:http";
import type { Auth } from "../../domain/auth/auth.ts";
import type { Keys } from "../../domain/auth/keys.ts";
import type { Revocations } from "../../domain/auth/revocations.ts";
import type { SigningKeys } from "../../domain/auth/signing-keys.ts";
import type { Tickets } from "../../domain/auth/tickets.ts";
import type { Tokens } from "../../domain/auth/tokens.ts";
import type { Caches } from "../../domain/cache/caches.ts";
import type { Connections } from "../../domain/connections/connections.ts";
import type { Presence } from "../../domain/connections/presence.ts";
import type { EngineHealth } from "../../domain/engine.ts";
import type { Environments } from "../../domain/environments/environments.ts";
import type { TodokuError } from "../../domain/errors.ts";
import type { Handlers } from "../../domain/handlers/handlers.ts";
import type { ConnectionGuard } from "../../domain/limiting/connection-guard.ts";
import type { Notifier } from "../../domain/notifications/notifier.ts";
import type { QueueMessages } from "../../domain/queues/messages.ts";
import type { Queues } from "../../domain/queues/queues.ts";
import type { KeyRotation } from "../../domain/secrets/key-rotation.ts";
import type { Secrets } from "../../domain/secrets/secrets.ts";
import type { Webhooks } from "../../domain/subscriptions/webhooks.ts";
import type { Topics } from "../../domain/topics/topics.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Heartbeats } from "../../lib/heartbeats.ts";
import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { TrustedProxies } from "../../lib/trusted-proxies.ts";

/** What the HTTP door needs of the server. */
export interface HttpOptions {
  readonly auth: Auth;
  readonly environments: Environments;
  readonly keys: Keys;
  readonly tokens: Tokens;
  /** Of all doors: one that is made here may let in elsewhere. */
  readonly tickets: Tickets;
  readonly revocations: Revocations;
  readonly signingKeys: SigningKeys;
  readonly secrets: Secrets;
  readonly keyRotation: KeyRotation;
  readonly caches: Caches;
  readonly topics: Topics;
  readonly queues: Queues;
  readonly queueMessages: QueueMessages;
  readonly webhooks: Webhooks;
  readonly handlers: Handlers;
  readonly connections: Connections;
  readonly presence: Pick<Presence, "of">;
  readonly notifier: Pick<Notifier, "notify">;
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
  /** The text of `GET /metrics`. Aggregate numbers only: no credential is asked for it. Only operators see names of environments. */
  readonly metrics: (namesEnvironments: boolean) => Promise<{ readonly contentType: string; readonly text: string }>;
  /** Says whose connection is to be closed for going on when it is refused; default: nobody's. */
  readonly connectionGuard?: Pick<ConnectionGuard, "refused">;
  /** Whose word on the client's address counts; default: nobody's. */
  readonly proxies?: TrustedProxies;
  /** Shown on `GET /`. */
  readonly version: string;
  /** Gets internal errors, with the request's method and redacted URL, never its headers or body. */
  readonly log: Log;
}

/** What the operations are given: what the server gave, and what the door made of it. */
export interface HttpParts extends HttpOptions {
  readonly heartbeats: Heartbeats;
  /** The OpenAPI document as JSON; made when it is first asked for. */
  readonly openApi: () => string;
  /** Logs an internal error and returns the log line's id. */
  readonly onInternalError: (error: TodokuError, request: IncomingMessage) => string;
}
