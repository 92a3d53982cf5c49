import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { TopicItem } from "../topics/store.ts";
import type { Tries } from "./retry.ts";
import type { FailedReplay, Unsaved } from "./unsaved.ts";

/** What a lane asks its pump to try. */
export interface Attempt {
  /** Tells the item from others of the subscription. */
  readonly name: string;
  readonly topic: string;
  readonly item: TopicItem;
  readonly tries: Tries;
  readonly isReplay: boolean;
}

/** What is to be done with the item. `held`: nothing; it was not tried, or may be tried again when the pump goes on. */
export type Attempted =
  | { readonly kind: "delivered" }
  | { readonly kind: "dead"; readonly death: Omit<FailedReplay, "id"> }
  | { readonly kind: "again"; readonly waitMs: number }
  | { readonly kind: "held" };

/** What a lane sees of its pump. */
export interface LaneOwner {
  readonly wheel: Pick<TimerWheel, "schedule">;
  readonly log: Log;
  readonly unsaved: Unsaved;
  readonly isOrdered: boolean;
  readonly isCircuitOpen: boolean;
  /** There is a filter. */
  readonly isFiltering: boolean;
  /** Attempts under way, where there is no order. */
  readonly maxInFlight: number;
  /** Is the item wanted, or to be passed over? */
  wants(item: TopicItem): boolean;
  /** So many items of the log were passed over. */
  passed(items: number): void;
  /** May an attempt begin now? When it may again, `run` of the lanes is called. */
  mayBegin(): boolean;
  /** Makes an attempt, when there is room for the call. Then `done`; then `run` of all lanes. */
  attempt(attempt: Attempt, done: (attempted: Attempted) => void): void;
  /** So many items were lost that nobody has made dead letters of. */
  missed(items: number): void;
  /** Lets all lanes begin what they may. */
  run(): void;
}
