import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { QueueSettings } from "./queue.ts";

/** Settings as a caller gives them: what is left out stays, or gets its default. `deadLetter: null` takes the rule away. */
export interface QueueChanges {
  readonly visibilityMs?: number | undefined;
  readonly delayMs?: number | undefined;
  readonly retentionMs?: number | undefined;
  readonly deadLetter?: { readonly queue: string; readonly maxReceives: number } | null | undefined;
}

/** What a queue has that was made without a word. */
export const defaultSettings: QueueSettings = {
  visibilityMs: limits.queue.visibilityMs.default,
  delayMs: limits.queue.delayMs.default,
  retentionMs: limits.queue.retentionMs.default,
  deadLetter: undefined,
};

/** `settings` with the changes. @throws TodokuError `invalid_argument` that names the field, its value and the bound. */
export function changeSettings(settings: QueueSettings, changes: QueueChanges): QueueSettings {
  const { visibilityMs, delayMs, retentionMs, deadLetter } = changes;
  if (visibilityMs !== undefined) checkVisibility(visibilityMs);
  if (delayMs !== undefined) checkDelay(delayMs);
  if (retentionMs !== undefined) {
    checkWhole("retentionMs", retentionMs, limits.queue.retentionMs.min, limits.queue.retentionMs.max);
  }
  if (deadLetter) checkWhole("deadLetter.maxReceives", deadLetter.maxReceives, 1, limits.queue.maxReceives);
  return {
    visibilityMs: visibilityMs ?? settings.visibilityMs,
    delayMs: delayMs ?? settings.delayMs,
    retentionMs: retentionMs ?? settings.retentionMs,
    deadLetter: deadLetter === undefined ? settings.deadLetter : (deadLetter ?? undefined),
  };
}

/** @throws TodokuError `invalid_argument`. */
export function checkVisibility(visibilityMs: number): void {
  checkWhole("visibilityMs", visibilityMs, 0, limits.queue.visibilityMs.max);
}

/** @throws TodokuError `invalid_argument`. */
export function checkDelay(delayMs: number): void {
  checkWhole("delayMs", delayMs, 0, limits.queue.delayMs.max);
}

/** @throws TodokuError `invalid_argument` unless `value` is a whole number within the bounds. */
export function checkWhole(what: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new TodokuError("invalid_argument", `${what} ${value} must be a whole number that is >= ${min} and <= ${max}`);
}

/** @throws TodokuError `invalid_argument` unless it is 1..`limits.queue.nameMaxLength` of A-Z, a-z, 0-9, - and _. */
export function checkQueueName(name: string): void {
  if (name.length > limits.queue.nameMaxLength) {
    throw new TodokuError(
      "invalid_argument",
      `queue name has ${name.length} characters; must be <= ${limits.queue.nameMaxLength}`,
    );
  }
  if (!/^[A-Za-z0-9_-]+$/.test(name)) {
    throw new TodokuError(
      "invalid_argument",
      `queue name "${name}" must be of the characters A-Z, a-z, 0-9, - and _, at least one`,
    );
  }
}
