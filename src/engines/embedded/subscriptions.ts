import { TodokuError } from "../../domain/errors.ts";
import type { SubscriptionAlarm, SubscriptionKey, SubscriptionStore } from "../../domain/subscriptions/store.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { EmbeddedRecords } from "./records.ts";
import type { Storage } from "./storage.ts";
import {
  changeSize,
  putChange,
  putCursor,
  readDeadLetters,
  readDeliveries,
  readFailures,
  readState,
  readTopics,
} from "./subscription-codec.ts";

/** The durable subscriptions of a data directory. */
export function createDiskSubscriptions(storage: Storage, records: EmbeddedRecords): SubscriptionStore {
  function write<T>(name: string, encode: (op: FieldWriter) => void, decode: (answer: FieldReader) => T, size = one) {
    return storage.writes.submit<T>({ name: `subscriptions.${name}`, ...size, encode, decode });
  }

  async function read<T>(
    key: SubscriptionKey,
    name: "subscription" | "deliveries" | "failures" | "deadLetters" | "deadTopics",
    fields: readonly number[],
    decode: (answer: FieldReader) => T,
  ): Promise<T> {
    requireLive(key);
    return storage.reads.submit({ name, encode: (op) => putAll(op, [key.id, ...fields]), decode });
  }

  function requireLive({ id }: SubscriptionKey): void {
    if (!records.isLive(id, "cursors")) throw notFound(id);
  }

  /** One step after the other, so that no commit is long. */
  async function inSteps(name: "replay" | "drop", key: SubscriptionKey, id: number | "all"): Promise<number> {
    requireLive(key);
    const uptoId = id === "all" ? Number.MAX_SAFE_INTEGER : id;
    let afterId = id === "all" ? 0 : id - 1;
    let total = 0;
    do {
      const step = await write(
        name,
        (op) => putAll(op, [key.id, afterId, uptoId]),
        (answer) => ({ lastId: answer.number(), count: answer.number() }),
      );
      total += step.count;
      afterId = step.lastId;
    } while (afterId > 0);
    return total;
  }

  return {
    open(key, start) {
      return write(
        "open",
        (op) => {
          op.put(key.environment);
          op.put(key.id);
          putCursor(op, start);
        },
        (answer) => readState(answer, key) ?? fail(key.id),
      );
    },
    async state(key) {
      return (await read(key, "subscription", [], (answer) => readState(answer, key))) ?? fail(key.id);
    },
    async save(changes) {
      if (changes.length === 0) return;
      const size = { items: 0, bytes: 0 };
      for (const { items, bytes } of changes.map(changeSize)) {
        size.items += items;
        size.bytes += bytes;
      }
      const encode = (op: FieldWriter) => {
        op.put(changes.length);
        for (const change of changes) putChange(op, change);
      };
      await write("save", encode, () => undefined, size);
    },
    deliveries: (key, maxItems, before = Number.MAX_SAFE_INTEGER) =>
      read(key, "deliveries", [before, maxItems], readDeliveries),
    failures: (key, maxItems, before = Number.MAX_SAFE_INTEGER) =>
      read(key, "failures", [before, maxItems], readFailures),
    deadLetters: (key, { maxItems, maxBytes, isReplaying }, afterId = 0) =>
      read(key, "deadLetters", [afterId, maxItems, maxBytes, Number(isReplaying === true)], readDeadLetters),
    deadTopics: (key) => read(key, "deadTopics", [], readTopics),
    replay: (key, id) => inSteps("replay", key, id),
    drop: (key, id) => inSteps("drop", key, id),
    trim(nowMs) {
      return write(
        "trim",
        (op) => op.put(nowMs),
        (answer) => ({ alarms: readAlarms(answer), hasMore: answer.number() === 1 }),
      );
    },
  };
}

const one = { items: 1, bytes: 0 };

function putAll(op: FieldWriter, fields: readonly number[]): void {
  for (const field of fields) op.put(field);
}

function readAlarms(answer: FieldReader): SubscriptionAlarm[] {
  const alarms: SubscriptionAlarm[] = [];
  while (answer.number() === 1) {
    const [id, environment] = [answer.number(), answer.text()];
    alarms.push({ key: { environment, id }, history: answer.number(), dropped: answer.number() });
  }
  return alarms;
}

function notFound(id: number): TodokuError {
  return new TodokuError("not_found", `subscription ${id} does not exist`, { subject: "webhook" });
}

function fail(id: number): never {
  throw notFound(id);
}
