import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { DeadRequests } from "./dead-requests.ts";
import type { Notifier } from "./notifier.ts";
import type { RequestOptions } from "./request.ts";

/** What refused is asked again so soon. */
export const askAgainMs = 1000;
/** Longer than that the handing over keeps nobody else waiting. */
export const turnMaxMs = 5;

/** What readers of queues and topics work with. */
export interface ReaderParts extends RequestOptions {
  readonly notifier: Pick<Notifier, "handOver" | "forgetEnvironment">;
  readonly dead: DeadRequests;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly wheel: Pick<TimerWheel, "wait">;
  readonly log: Log;
}
