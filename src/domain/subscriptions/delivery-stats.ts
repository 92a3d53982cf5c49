/** Of one environment; what only grows is since the start of the process. */
export interface DeliveryStats {
  delivered: number;
  /** Attempts that failed. */
  failures: number;
  /** Items that became dead letters here, replays that failed among them. */
  dead: number;
  /** Items that were passed over: they did not match the subscription's filter. */
  filtered: number;
  /** Subscriptions now whose circuit is open, and that are paused. */
  openCircuits: number;
  paused: number;
  /** Attempts under way. */
  inFlight: number;
  /** Items behind the cursors, and pending. */
  waiting: number;
}

export type DeliveryTotals = Pick<DeliveryStats, "delivered" | "failures" | "dead" | "filtered">;

export function noDeliveries(): DeliveryStats {
  return { delivered: 0, failures: 0, dead: 0, filtered: 0, openCircuits: 0, paused: 0, inFlight: 0, waiting: 0 };
}
