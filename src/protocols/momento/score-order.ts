import type { ScoreOrder } from "../../domain/cache/sorted-set-store.ts";
import { TodokuError } from "../../domain/errors.ts";

/** The numbers are those of Momento's enumerations, which are the same for sorted sets and leaderboards. */
const orders: readonly ScoreOrder[] = ["ascending", "descending"];

/** @throws TodokuError `invalid_argument`: an order of some other protocol. */
export function orderOf(order: number): ScoreOrder {
  const known = orders[order];
  if (known === undefined) throw new TodokuError("invalid_argument", `order ${order}; must be 0 or 1`);
  return known;
}
