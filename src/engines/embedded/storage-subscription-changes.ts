import type { FieldReader } from "./fields.ts";
import type { NewLetter } from "./storage-dead-letters.ts";
import type { LogFields } from "./storage-subscription-logs.ts";

/** Of a delivery, and of a failure. */
const logColumns = 9;

/** The columns of a cursor, in the order in which `subscriptions` is written. */
export type CursorFields = readonly [number, string, string, number, number, string];

/** A `SubscriptionChange` as it crosses between the threads. */
export interface SavedChange {
  readonly id: number;
  readonly cursor: CursorFields | undefined;
  readonly missed: number;
  readonly deliveries: readonly LogFields[];
  readonly failures: readonly LogFields[];
  readonly dead: readonly NewLetter[];
  readonly replayed: readonly number[];
  readonly failedReplays: readonly { readonly id: number; readonly death: ReturnType<typeof readDeath> }[];
}

/** Of a delivery's fields. */
export function isReplay(fields: LogFields): boolean {
  return fields.at(-1) === 1;
}

/** Of a delivery's fields: it came, and not as a dead letter. */
export function isFirstDelivery(fields: LogFields): boolean {
  return fields[3] === "delivered" && !isReplay(fields);
}

export function readCursor(op: FieldReader): CursorFields {
  return [op.number(), op.text(), op.text(), op.number(), op.number(), op.text()];
}

function readSome<T>(op: FieldReader, read: () => T): T[] {
  return Array.from({ length: op.number() }, read);
}

function readDeath(op: FieldReader): [string, number, number, string, number | null] {
  return [op.text(), op.number(), op.number(), op.text(), op.numberOrNull()];
}

/** Reads what `putChange` wrote. */
export function readChange(op: FieldReader): SavedChange {
  return {
    id: op.number(),
    cursor: op.number() === 1 ? readCursor(op) : undefined,
    missed: op.number(),
    deliveries: readSome(op, () => op.some(logColumns)),
    failures: readSome(op, () => op.some(logColumns)),
    dead: readSome(op, () => readLetter(op)),
    replayed: readSome(op, () => op.number()),
    failedReplays: readSome(op, () => ({ id: op.number(), death: readDeath(op) })),
  };
}

function readLetter(op: FieldReader): NewLetter {
  const [reason, diedAtMs, attempts, error, status] = readDeath(op);
  return {
    reason: reason as NewLetter["reason"],
    diedAtMs,
    attempts,
    error,
    status,
    topic: op.text(),
    page: op.number(),
    sequence: op.number(),
    publishedAtMs: op.number(),
    isText: op.number(),
    tokenId: op.text(),
    attributes: op.textOrNull(),
    value: op.blob(),
  };
}
