import type { CacheKey } from "../../src/domain/cache/cache.ts";
import type { Engine } from "../../src/domain/engine.ts";
import type { QueueMessage } from "../../src/domain/queues/store.ts";
import { openEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import type { Acknowledgement } from "./power-cut-child.ts";

/** For how long the child hides what it receives. */
export const hiddenMs = 100;

type Of<K extends Acknowledgement["kind"]> = Extract<Acknowledgement, { kind: K }>;

/** Opens a data directory after a crash and says what of the acknowledged is missing or wrong; nothing when all is well. A restored one has a new page. */
export async function findLosses(
  dataDir: string,
  acks: readonly Acknowledgement[],
  { isRestored = false } = {},
): Promise<string[]> {
  const of = <K extends Acknowledgement["kind"]>(kind: K) => acks.filter((ack): ack is Of<K> => ack.kind === kind);
  const engine = await openEmbeddedEngine({ dataDir, wallMs: Date.now }).catch((error: Error) => error);
  if (engine instanceof Error) return [`it does not open: ${engine.message}`];
  try {
    const [created] = of("cache");
    if (created === undefined) return [];
    const cache = { environment: "dev", cache: "c", cacheId: created.cacheId };
    const record = await engine.records.read({ kind: "cache", environment: "dev", name: "c" });
    const losses = record?.id === created.cacheId ? [] : ["the cache's record is lost"];
    for (const [topic, appended] of Map.groupBy(of("append"), (ack) => ack.topic)) {
      losses.push(...(await findLostMessages(engine, { cache, topic }, appended, isRestored)));
    }
    losses.push(...(await findLostItems(engine, cache, of("item"))));
    for (const { name, id } of of("record")) {
      const found = await engine.records.read({ kind: "key", environment: "dev", name });
      if (found?.id !== id) losses.push(`record ${name} is lost`);
    }
    losses.push(...(await findLostQueueMessages(engine, acks)));
    return losses;
  } finally {
    await engine.close();
  }
}

async function findLostMessages(
  engine: Engine,
  key: { readonly cache: CacheKey; readonly topic: string },
  appended: readonly Of<"append">[],
  isRestored: boolean,
): Promise<string[]> {
  const bounds = { maxItems: 1e6, maxBytes: 1e9 };
  const { items, head } = await engine.topics.disk.read(key, { page: 0, sequence: 0 }, bounds);
  const texts = items.map((item) => new TextDecoder().decode(item.value.bytes).slice(0, 20));
  const lost: string[] = [];
  if (new Set(texts).size !== texts.length) lost.push(`${key.topic}: a message is there twice`);
  if (items.some((item, n) => item.sequence !== n + 1)) lost.push(`${key.topic}: the numbers have gaps`);
  const expected = { page: items.at(-1)?.page, sequence: items.length };
  const isRight = isRestored
    ? head.page > (expected.page ?? 0)
    : head.page === expected.page && head.sequence === expected.sequence;
  if (!isRight) lost.push(`${key.topic}: the head is ${head.page}-${head.sequence}, kept are ${items.length}`);
  for (const { page, sequence, text } of appended) {
    const at = sequence - 1;
    if (items[at]?.page !== page || texts[at] !== text) lost.push(`${key.topic}: ${page}-${sequence} is lost`);
  }
  return lost;
}

async function findLostItems(engine: Engine, cache: CacheKey, set: readonly Of<"item">[]): Promise<string[]> {
  const lost: string[] = [];
  for (const [key, count] of new Map(set.map((ack) => [ack.key, ack.count]))) {
    const found = await engine.items.disk.get(cache, new TextEncoder().encode(key), 0);
    const kept = found === undefined ? -1 : Number(new TextDecoder().decode(found.value));
    if (kept < count) lost.push(`item ${key} is ${kept}, acknowledged was ${count}`);
  }
  return lost;
}

/** In a queue or in its dead-letter queue lies each message that was sent and not deleted, once, as often received as was acknowledged. */
async function findLostQueueMessages(engine: Engine, acks: readonly Acknowledgement[]): Promise<string[]> {
  const created = acks.find((ack) => ack.kind === "queue");
  if (created === undefined) return [];
  const found: QueueMessage[] = [];
  const lost: string[] = [];
  for (const [queue, queueId] of [
    ["q", created.queueId],
    ["dead", created.deadId],
  ] as const) {
    const key = { environment: "dev", queue, queueId };
    const all = await engine.queues.peek(key, 0, { maxMessages: 1e6, maxBytes: 1e9 });
    found.push(...all);
    const nowMs = Date.now() + hiddenMs;
    const request = { maxMessages: 1e5, nowMs, hiddenUntilMs: nowMs, deadLetter: undefined };
    const { messages } = await engine.queues.receive(key, request);
    if (messages.length !== all.length)
      lost.push(`${queue}: ${all.length} are kept, ${messages.length} can be received`);
    const { ready, bytes } = await engine.queues.counts(key, nowMs);
    if (ready !== all.length || bytes > 0 !== all.length > 0)
      lost.push(`${queue}: ${ready} are counted, of ${all.length}`);
  }
  const byId = new Map(found.map((message) => [Number(message.messageId), message]));
  if (byId.size !== found.length) lost.push("a queue message is there twice");
  for (const ack of acks) {
    if (ack.kind === "sent" && ack.message % 2 === 1 && !byId.has(ack.message)) lost.push(`${ack.message} is lost`);
    if (ack.kind === "deleted" && byId.has(ack.message)) lost.push(`${ack.message} came back after it was deleted`);
    if (ack.kind === "received" && receivesOf(byId.get(ack.message)) < ack.receiveCount) {
      lost.push(`${ack.message} forgot that it was received ${ack.receiveCount} times`);
    }
  }
  return lost;
}

// What is not there was deleted, or is told as lost.
function receivesOf(message: QueueMessage | undefined): number {
  return message === undefined
    ? Number.POSITIVE_INFINITY
    : message.receiveCount + (message.deadLetter?.receiveCount ?? 0);
}
