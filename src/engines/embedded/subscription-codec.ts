import type {
  Cursor,
  DeadLetter,
  DeliveryEntry,
  FailureEntry,
  Numbered,
  SubscriptionChange,
  SubscriptionKey,
  SubscriptionState,
} from "../../domain/subscriptions/store.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import { formatPending, parsePending } from "./pending.ts";
import { bytesOf } from "./topics.ts";

type Row = Readonly<Record<string, unknown>>;

/** A row of `subscriptions`, as {@link readState} reads it; null where there is none. Both threads write it. */
export function putState(row: Row | undefined, answer: FieldWriter): void {
  if (row === undefined) {
    answer.put(null);
    return;
  }
  for (const column of ["cache", "topic", "pending"]) answer.put(String(row[column]));
  for (const column of ["cache_id", "page", "sequence"]) answer.put(Number(row[column]));
  for (const column of ["delivered", "failures", "dead", "replayed", "dropped", "missed"])
    answer.put(Number(row[column]));
  for (const column of ["dead_letters", "dead_letter_bytes", "replaying"]) answer.put(Number(row[column]));
}

export function readState(answer: FieldReader, { environment }: SubscriptionKey): SubscriptionState | undefined {
  const cache = answer.textOrNull();
  if (cache === null) return undefined;
  const [topic, pending] = [answer.text(), parsePending(answer.text())];
  const key = { cache: { environment, cache, cacheId: answer.number() }, topic };
  return {
    cursor: { key, position: { page: answer.number(), sequence: answer.number() }, pending },
    counters: {
      delivered: answer.number(),
      failures: answer.number(),
      dead: answer.number(),
      replayed: answer.number(),
      dropped: answer.number(),
      missed: answer.number(),
    },
    deadLetters: { count: answer.number(), bytes: answer.number(), replaying: answer.number() },
  };
}

export function putCursor(op: FieldWriter, { key, position, pending }: Cursor): void {
  op.put(key.cache.cacheId);
  op.put(key.cache.cache);
  op.put(key.topic);
  op.put(position.page);
  op.put(position.sequence);
  op.put(formatPending(pending));
}

/** In the order in which the storage thread reads it. */
export function putChange(op: FieldWriter, change: SubscriptionChange): void {
  op.put(change.key.id);
  op.put(Number(change.cursor !== undefined));
  if (change.cursor !== undefined) putCursor(op, change.cursor);
  op.put(change.missed ?? 0);
  putAll(op, change.deliveries, (one) => {
    putPlace(op, one);
    for (const field of [one.outcome, one.atMs, one.attempts, one.status ?? null]) op.put(field);
    op.put(one.latencyMs);
    op.put(Number(one.isReplay));
  });
  putAll(op, change.failures, (one) => {
    putPlace(op, one);
    for (const field of [one.atMs, one.attempt, one.status ?? null, one.latencyMs]) op.put(field);
    op.put(one.error);
    op.put(one.answer ?? null);
  });
  putAll(op, change.dead, (one) => putDead(op, one));
  putAll(op, change.replayed, (id) => op.put(id));
  putAll(op, change.failedReplays, (one) => {
    op.put(one.id);
    putDeath(op, one);
  });
}

/** What of a change the bounds on waiting writes count. */
export function changeSize(change: SubscriptionChange): { readonly items: number; readonly bytes: number } {
  const { deliveries = [], failures = [], dead = [], replayed = [], failedReplays = [] } = change;
  const items = 1 + deliveries.length + failures.length + dead.length + replayed.length + failedReplays.length;
  let bytes = 0;
  for (const { item } of dead) bytes += bytesOf(item);
  for (const { error, answer = "" } of failures) bytes += error.length + answer.length;
  return { items, bytes };
}

function putAll<T>(op: FieldWriter, all: readonly T[] | undefined, put: (one: T) => void): void {
  op.put(all?.length ?? 0);
  for (const one of all ?? []) put(one);
}

function putPlace(op: FieldWriter, place: { topic: string; page: number; sequence: number }): void {
  op.put(place.topic);
  op.put(place.page);
  op.put(place.sequence);
}

function putDeath(
  op: FieldWriter,
  death: Pick<DeadLetter, "reason" | "diedAtMs" | "attempts" | "error" | "status">,
): void {
  for (const field of [death.reason, death.diedAtMs, death.attempts, death.error, death.status ?? null]) op.put(field);
}

function putDead(op: FieldWriter, letter: Omit<DeadLetter, "id" | "isReplaying">): void {
  const { topic, item } = letter;
  putDeath(op, letter);
  putPlace(op, { topic, page: item.page, sequence: item.sequence });
  op.put(item.publishedAtMs);
  op.put(Number(item.value.isText));
  op.put(item.tokenId);
  op.put(item.attributes === undefined ? null : JSON.stringify(item.attributes));
  op.putBlob(item.value.bytes);
}

/** Reads what follows a 1 each, until a 0. */
function readAll<T>(answer: FieldReader, read: () => T): T[] {
  const all: T[] = [];
  while (answer.number() === 1) all.push(read());
  return all;
}

export function readDeliveries(answer: FieldReader): Numbered<DeliveryEntry>[] {
  return readAll(answer, () => ({
    number: answer.number(),
    topic: answer.text(),
    page: answer.number(),
    sequence: answer.number(),
    outcome: answer.text() as DeliveryEntry["outcome"],
    atMs: answer.number(),
    attempts: answer.number(),
    status: answer.numberOrNull() ?? undefined,
    latencyMs: answer.number(),
    isReplay: answer.number() === 1,
  }));
}

export function readFailures(answer: FieldReader): Numbered<FailureEntry>[] {
  return readAll(answer, () => ({
    number: answer.number(),
    topic: answer.text(),
    page: answer.number(),
    sequence: answer.number(),
    atMs: answer.number(),
    attempt: answer.number(),
    status: answer.numberOrNull() ?? undefined,
    latencyMs: answer.number(),
    error: answer.text(),
    answer: answer.textOrNull() ?? undefined,
  }));
}

export function readTopics(answer: FieldReader): string[] {
  return readAll(answer, () => answer.text());
}

export function readDeadLetters(answer: FieldReader): DeadLetter[] {
  return readAll(answer, () => {
    const letter = {
      id: answer.number(),
      isReplaying: answer.number() === 1,
      reason: answer.text() as DeadLetter["reason"],
      diedAtMs: answer.number(),
      attempts: answer.number(),
      error: answer.text(),
      status: answer.numberOrNull() ?? undefined,
      topic: answer.text(),
    };
    const place = { page: answer.number(), sequence: answer.number(), publishedAtMs: answer.number() };
    const [isText, tokenId, attributes] = [answer.number() === 1, answer.text(), answer.textOrNull()];
    return {
      ...letter,
      item: {
        ...place,
        value: { isText, bytes: answer.blob() },
        attributes: attributes === null ? undefined : JSON.parse(attributes),
        tokenId,
      },
    };
  });
}
