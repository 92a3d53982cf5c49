// A process that publishes to one topic and saves what became of its items, for two subscriptions at once, until it is killed; a third one
// never saves. It goes on from what is stored, and writes each acknowledged cursor to stdout. Argument: the data directory.
import type { SubscriptionChange, SubscriptionKey } from "../../src/domain/subscriptions/store.ts";
import type { TopicItem, TopicKey } from "../../src/domain/topics/store.ts";
import { openEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { openAll } from "./subscription-crash.ts";

const [dataDir = ""] = process.argv.slice(2);
const engine = await openEmbeddedEngine({
  dataDir,
  wallMs: Date.now,
  history: { maxItems: 64, maxBytes: 1e9, maxAgeMs: 1e9, environmentMaxBytes: 1e9 },
});
const { topic, saving, cursor } = await openAll(engine);

function changeOf(key: SubscriptionKey, items: readonly TopicItem[]): SubscriptionChange {
  const last = items.at(-1);
  const [dead, delivered] = [items.filter(isDead), items.filter((item) => !isDead(item))];
  const entry = { topic: topic.topic, atMs: 1, attempts: 1, latencyMs: 1, isReplay: false };
  return {
    key,
    ...(last && { cursor: { key: topic, position: last, pending: [] } }),
    deliveries: [
      ...delivered.map((item) => ({ ...entry, ...item, outcome: "delivered" as const, status: 200 })),
      ...dead.map((item) => ({ ...entry, ...item, outcome: "dead" as const, status: 404 })),
    ],
    failures: dead.map((item) => ({ ...entry, ...item, attempt: 1, status: 404, error: "no", answer: undefined })),
    dead: dead.map((item) => ({
      topic: topic.topic,
      item,
      reason: "refused",
      diedAtMs: 1,
      attempts: 1,
      error: "no",
      status: 404,
    })),
  };
}

function isDead({ sequence }: TopicItem): boolean {
  return sequence % 3 === 0;
}

async function publish(key: TopicKey): Promise<void> {
  const value = { isText: true, bytes: new TextEncoder().encode("x".repeat(200)) };
  const item = { key, value, attributes: undefined, tokenId: "", publishedAtMs: 1, messageId: undefined };
  await engine.topics.disk.append(Array.from({ length: 7 }, () => item));
}

let position = cursor.position;
for (;;) {
  await publish(topic);
  const { items } = await engine.topics.disk.read(topic, position, { maxItems: 100, maxBytes: 1e6 });
  const publishing = publish(topic);
  await engine.subscriptions.save(saving.map((key) => changeOf(key, items)));
  position = items.at(-1) ?? position;
  process.stdout.write(`${position.sequence}\n`);
  await publishing;
}
