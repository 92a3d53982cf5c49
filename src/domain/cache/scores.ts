import { TodokuError } from "../errors.ts";
import type { ScoreRange } from "./sorted-set-store.ts";

/** Infinities are numbers. `what` it is, for the text. @throws TodokuError `invalid_argument`. */
export function checkNumber(what: string, value: number): void {
  if (Number.isNaN(value)) throw new TodokuError("invalid_argument", `${what} NaN must be a number`);
}

/** @throws TodokuError `invalid_argument`. */
export function checkScoreRange({ min, max }: ScoreRange): void {
  if (min) checkNumber("lowest score", min.score);
  if (max) checkNumber("highest score", max.score);
}
