import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { QueueKey } from "../../domain/queues/queue.ts";
import type { DeadLetterRule, QueueRule, QueueStore } from "../../domain/queues/store.ts";
import type { FieldWriter } from "./fields.ts";
import { encodeMessages, messageBytes, readOutcomes, readPeeked, readReceived, readSent } from "./queue-codec.ts";
import type { EmbeddedRecords } from "./records.ts";
import type { Storage } from "./storage.ts";
import { moveRows } from "./storage-queue-move.ts";
import type { WriteOperation } from "./write-queue.ts";

/** Rules that one operation of `trim` looks at: a look costs about 10 us. */
const rulesPerStep = 64;

/** The queues of a data directory. `environmentMaxBytes` is what the storage thread refuses past. */
export function createDiskQueues(storage: Storage, records: EmbeddedRecords, environmentMaxBytes: number): QueueStore {
  // Where the next step of `trim` begins among its rules.
  let nextRule = 0;

  function submit<T>(
    name: string,
    items: number,
    bytes: number,
    encode: WriteOperation<T>["encode"],
    decode: WriteOperation<T>["decode"],
  ): Promise<T> {
    return storage.writes.submit<T>({ name: `queues.${name}`, items, bytes, encode, decode });
  }

  async function moveSome(key: QueueKey, targets: readonly QueueKey[], isByOrigin: boolean, step: MoveStep) {
    return submit(
      "move",
      Math.min(step.maxMessages, moveRows),
      0,
      (op) => {
        putAll(op, [key.environment, key.queueId, step.after, step.maxMessages, step.nowMs]);
        putAll(op, [Number(isByOrigin), targets.length]);
        for (const target of targets) putAll(op, [target.queueId, target.queue]);
      },
      (answer) => ({ next: answer.numberOrNull(), moved: targets.map(() => answer.number()) }),
    );
  }

  function trimRules(nowMs: number, rules: readonly QueueRule[]) {
    return submit(
      "trim",
      1,
      0,
      (op) => {
        putAll(op, [nowMs, rules.length]);
        for (const { key, retentionMs, deadLetter } of rules) {
          putAll(op, [key.environment, key.queue, key.queueId, retentionMs]);
          putDeadLetterRule(op, deadLetter);
        }
      },
      (answer) => {
        const counts = rules.map(() => ({ expired: answer.number(), deadLetters: answer.number() }));
        return { counts, hasMore: answer.number() === 1 };
      },
    );
  }

  return {
    async send(key, messages) {
      if (messages.length === 0) return [];
      const bytes = messages.map(messageBytes);
      return submit(
        "send",
        messages.length,
        bytes.reduce((sum, one) => sum + one, 0),
        (op) => encodeMessages(op, key, messages, bytes),
        (answer) => messages.map((message) => readSent(answer, key, message, environmentMaxBytes)),
      );
    },
    receive(key, { maxMessages, nowMs, hiddenUntilMs, deadLetter }) {
      return submit(
        "receive",
        maxMessages,
        0,
        (op) => {
          putAll(op, [key.environment, key.queue, key.queueId, maxMessages, nowMs, hiddenUntilMs]);
          putDeadLetterRule(op, deadLetter);
        },
        (answer) => {
          if (answer.number() === 1) throw tooManyInFlight(key);
          const messages = readReceived(answer, hiddenUntilMs);
          return { messages, deadLettered: answer.number(), nextReadyAtMs: answer.numberOrNull() ?? undefined };
        },
      );
    },
    giveBack(key, messages) {
      return submit(
        "giveBack",
        messages.length,
        0,
        (op) => {
          putAll(op, [key.queueId, messages.length]);
          for (const { receipt, wasReadyAtMs } of messages) putAll(op, [receipt.sequence, receipt.token, wasReadyAtMs]);
        },
        () => undefined,
      );
    },
    delete(key, receipts) {
      return submit(
        "delete",
        receipts.length,
        0,
        (op) => {
          putAll(op, [key.queueId, receipts.length]);
          for (const { sequence, token } of receipts) putAll(op, [sequence, token]);
        },
        (answer) => readOutcomes(answer, receipts.length),
      );
    },
    changeVisibility(key, changes, nowMs) {
      return submit(
        "changeVisibility",
        changes.length,
        0,
        (op) => {
          putAll(op, [key.queueId, nowMs, changes.length]);
          for (const { receipt, readyAtMs } of changes) putAll(op, [receipt.sequence, receipt.token, readyAtMs]);
        },
        (answer) => readOutcomes(answer, changes.length),
      );
    },
    async peek(key, afterSequence, { maxMessages, maxBytes }) {
      if (!records.isLive(key.queueId, "messages")) return [];
      return storage.reads.submit({
        name: "peek",
        encode: (op) => putAll(op, [key.queueId, afterSequence, maxMessages, maxBytes]),
        decode: readPeeked,
      });
    },
    async move(key, to, { maxMessages, nowMs }) {
      const isByOrigin = "targets" in to;
      const targets = isByOrigin ? to.targets : [to.target];
      const moved = new Map<QueueKey, number>();
      let left = maxMessages;
      for (let after: number | null = 0; after !== null && left > 0; ) {
        const step = await moveSome(key, targets, isByOrigin, { after, maxMessages: left, nowMs });
        for (const [n, target] of targets.entries()) {
          const count = step.moved[n] ?? 0;
          if (count > 0) moved.set(target, (moved.get(target) ?? 0) + count);
          left -= count;
        }
        after = step.next;
      }
      return moved;
    },
    async counts(key, nowMs) {
      if (!records.isLive(key.queueId, "messages"))
        return { ready: 0, delayed: 0, inFlight: 0, bytes: 0, oldestAtMs: undefined };
      return storage.reads.submit({
        name: "counts",
        encode: (op) => putAll(op, [key.queueId, nowMs]),
        decode: (answer) => {
          const [messages, hidden, inFlight] = [answer.number(), answer.number(), answer.number()];
          const [bytes, oldestAtMs] = [answer.number(), answer.numberOrNull() ?? undefined];
          return { ready: messages - hidden, delayed: hidden - inFlight, inFlight, bytes, oldestAtMs };
        },
      });
    },
    forget({ queueId }) {
      return storage.writes.submit<void>({
        name: "queues.forget",
        items: 1,
        bytes: 0,
        encode: (op) => op.put(queueId),
        decode: () => undefined,
        apply: () => records.forgotten(queueId, "messages"),
      });
    },
    async trim(nowMs, rules) {
      const from = nextRule < rules.length ? nextRule : 0;
      const some = rules.slice(from, from + rulesPerStep);
      const [hasMoreToSweep, trimmed] = await Promise.all([
        submit(
          "sweep",
          1,
          0,
          (op) => op.put(nowMs),
          (answer) => answer.number() === 1,
        ),
        trimRules(nowMs, some),
      ]);
      const next = trimmed.hasMore ? from : from + some.length;
      nextRule = next < rules.length ? next : 0;
      const expired = new Map<QueueKey, number>();
      const targets = new Map<number, { readonly key: QueueKey; messages: number }>();
      for (const [n, { key, deadLetter }] of some.entries()) {
        const counts = trimmed.counts[n];
        if (counts?.expired) expired.set(key, counts.expired);
        if (!counts?.deadLetters || deadLetter === undefined) continue;
        const target = targets.get(deadLetter.key.queueId) ?? { key: deadLetter.key, messages: 0 };
        target.messages += counts.deadLetters;
        targets.set(deadLetter.key.queueId, target);
      }
      const deadLettered = new Map([...targets.values()].map(({ key, messages }) => [key, messages]));
      return { hasMore: hasMoreToSweep || next < rules.length, deadLettered, expired };
    },
  };
}

interface MoveStep {
  readonly after: number;
  readonly maxMessages: number;
  readonly nowMs: number;
}

function putAll(op: FieldWriter, fields: readonly (string | number)[]): void {
  for (const field of fields) op.put(field);
}

function putDeadLetterRule(op: FieldWriter, rule: DeadLetterRule | undefined): void {
  op.put(rule?.key.queueId ?? 0);
  op.put(rule?.maxReceives ?? 0);
}

function tooManyInFlight(key: QueueKey): TodokuError {
  return new TodokuError(
    "limit_exceeded",
    `${limits.queue.inFlightMax} messages of queue ${key.queue} are received and not deleted, the most there may be`,
    { subject: "in_flight" },
  );
}
