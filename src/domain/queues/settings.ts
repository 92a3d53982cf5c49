import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { QueueSettings } from "./queue.ts";
import { changeTags, type TagChanges } from "./tags.ts";

/** Settings as a caller gives them: what is left out stays, or gets its default; null takes a rule away. */
export interface QueueChanges {
  readonly visibilityMs?: number | undefined;
  readonly delayMs?: number | undefined;
  readonly retentionMs?: number | undefined;
  readonly deadLetter?: { readonly queue: string; readonly maxReceives: number } | null | undefined;
  readonly waitMs?: number | undefined;
  readonly messageMaxBytes?: number | undefined;
  readonly deadLetterSources?: readonly string[] | null | undefined;
  readonly tags?: TagChanges | undefined;
}

/** What a queue has that was made without a word. */
export const defaultSettings: QueueSettings = {
  visibilityMs: limits.queue.visibilityMs.default,
  delayMs: limits.queue.delayMs.default,
  retentionMs: limits.queue.retentionMs.default,
  deadLetter: undefined,
  waitMs: 0,
  messageMaxBytes: limits.queue.messageMaxBytes.default,
  deadLetterSources: undefined,
  tags: {},
};

/** `settings` with the changes. @throws TodokuError `invalid_argument` that names the field, its value and the bound. */
export function changeSettings(settings: QueueSettings, changes: QueueChanges): QueueSettings {
  const { visibilityMs, delayMs, retentionMs, deadLetter, waitMs, messageMaxBytes, deadLetterSources, tags } = changes;
  const { queue: bounds } = limits;
  if (visibilityMs !== undefined) checkVisibility(visibilityMs);
  if (delayMs !== undefined) checkDelay(delayMs);
  if (retentionMs !== undefined) checkWithin("retentionMs", retentionMs, bounds.retentionMs);
  if (deadLetter) checkWhole("deadLetter.maxReceives", deadLetter.maxReceives, 1, bounds.maxReceives);
  if (waitMs !== undefined) checkWait(waitMs);
  if (messageMaxBytes !== undefined) checkWithin("messageMaxBytes", messageMaxBytes, bounds.messageMaxBytes);
  if (deadLetterSources) checkDeadLetterSources(deadLetterSources);
  return {
    visibilityMs: visibilityMs ?? settings.visibilityMs,
    delayMs: delayMs ?? settings.delayMs,
    retentionMs: retentionMs ?? settings.retentionMs,
    deadLetter: deadLetter === undefined ? settings.deadLetter : (deadLetter ?? undefined),
    waitMs: waitMs ?? settings.waitMs,
    messageMaxBytes: messageMaxBytes ?? settings.messageMaxBytes,
    deadLetterSources: deadLetterSources === undefined ? settings.deadLetterSources : (deadLetterSources ?? undefined),
    tags: tags === undefined ? settings.tags : changeTags(settings.tags, tags),
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

/** @throws TodokuError `invalid_argument`. */
export function checkWait(waitMs: number): void {
  checkWhole("waitMs", waitMs, 0, limits.queue.waitMaxMs);
}

function checkDeadLetterSources(queues: readonly string[]): void {
  const max = limits.queue.deadLetterSourcesMax;
  if (queues.length > max) {
    throw new TodokuError("invalid_argument", `deadLetterSources has ${queues.length} queues; must be <= ${max}`);
  }
  for (const queue of queues) checkQueueName(queue);
}

function checkWithin(what: string, value: number, { min, max }: { readonly min: number; readonly max: number }): void {
  checkWhole(what, value, min, max);
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
