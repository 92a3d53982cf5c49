import type { GatewayOptions, GatewaySettings } from "./options.ts";
import type { SocketSession } from "./socket-session.ts";
import type { GatewayCounters } from "./stats.ts";
import type { Throttle } from "./throttle.ts";

/** What all sessions of the door share. */
export interface SessionParts
  extends Pick<GatewayOptions, "auth" | "connections" | "connectionGuard" | "clock" | "wheel" | "log"> {
  /** As they are now: a running server may get others. */
  readonly settings: GatewaySettings;
  readonly throttle: Throttle;
  readonly counters: GatewayCounters;
  readonly sessions: Set<SocketSession>;
  /**
   * Monotonic time of the next sweep, which is when everything until then counts as done: nothing is over too early, and nobody reads the clock for
   * each frame.
   */
  readonly tick: { readonly nextMs: number };
  readonly isStopping: () => boolean;
}
