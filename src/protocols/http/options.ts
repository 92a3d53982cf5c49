import type { Auth } from "../../domain/auth/auth.ts";
import type { Tokens } from "../../domain/auth/tokens.ts";
import type { Caches } from "../../domain/cache/caches.ts";
import type { EngineHealth } from "../../domain/engine.ts";
import type { Topics } from "../../domain/topics/topics.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";

/** What the HTTP door needs of the server. */
export interface HttpOptions {
  readonly auth: Auth;
  readonly tokens: Tokens;
  readonly caches: Caches;
  readonly topics: Topics;
  readonly clock: Clock;
  /** Heartbeats of event streams run on it. */
  readonly wheel: TimerWheel;
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
  /** Gets internal errors, with the request's method and path, never its query, headers or body. */
  readonly log: Log;
}
