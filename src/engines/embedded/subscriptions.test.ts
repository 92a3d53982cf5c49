// What only this engine promises of durable subscriptions: what its file looks like after crashes, rollbacks and migrations.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import { limits } from "../../domain/limits.ts";
import type { SubscriptionChange, SubscriptionKey } from "../../domain/subscriptions/store.ts";
import type { TopicKey } from "../../domain/topics/store.ts";
import { prepareDataDirectory } from "./data-directory.ts";
import { type EmbeddedEngine, openEmbeddedEngine } from "./index.ts";
import { migrations, schemaVersion } from "./schema.ts";

const all = { maxItems: 1e6, maxBytes: 1e9 };
let dataDir: string;
let opened: EmbeddedEngine | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "todoku-subscriptions-"));
});
afterEach(async () => {
  await opened?.close();
  rmSync(dataDir, { recursive: true });
});

async function open(): Promise<EmbeddedEngine> {
  await opened?.close();
  const history = { maxItems: 16, maxBytes: 1e7, maxAgeMs: 1e9, environmentMaxBytes: 1e7 };
  opened = await openEmbeddedEngine({ dataDir, wallMs: Date.now, history });
  return opened;
}

async function aTopic(engine: EmbeddedEngine): Promise<TopicKey> {
  const { id } = await engine.records.create({ kind: "cache", environment: "dev", name: "c" }, {});
  return { cache: { environment: "dev", cache: "c", cacheId: id }, topic: "t" };
}

const cursorAt = (key: TopicKey, sequence: number) => ({
  key,
  position: { page: key.cache.cacheId, sequence },
  pending: [],
});

/** Follows the topic from its beginning. */
async function aSubscription(engine: EmbeddedEngine, topic: TopicKey, name: string): Promise<SubscriptionKey> {
  const { id } = await engine.records.create({ kind: "subscription", environment: "dev", name }, {});
  await engine.subscriptions.open({ environment: "dev", id }, cursorAt(topic, 0));
  return { environment: "dev", id };
}

async function publish(engine: EmbeddedEngine, key: TopicKey, count: number, text = "x"): Promise<void> {
  const value = { isText: true, bytes: new TextEncoder().encode(text) };
  const item = { key, value, attributes: undefined, tokenId: "", publishedAtMs: 1, messageId: undefined };
  await engine.topics.disk.append(Array.from({ length: count }, () => item));
}

/** Each item, delivered after a failure, or dead. */
function changeOf(
  key: SubscriptionKey,
  topic: TopicKey,
  sequences: readonly number[],
  isDead: boolean,
): SubscriptionChange {
  const places = sequences.map((sequence) => ({ page: topic.cache.cacheId, sequence }));
  const entry = { topic: "t", atMs: 1, status: 200, latencyMs: 1 };
  const outcome = isDead ? ("dead" as const) : ("delivered" as const);
  return {
    key,
    cursor: cursorAt(topic, Math.max(...sequences)),
    deliveries: places.map((place) => ({ ...entry, ...place, outcome, attempts: 1, isReplay: false })),
    failures: places.map((place) => ({ ...entry, ...place, attempt: 1, error: "no", answer: undefined })),
    dead: places
      .filter(() => isDead)
      .map((place) => ({
        topic: "t",
        item: {
          ...place,
          value: { isText: false, bytes: new Uint8Array(9) },
          attributes: undefined,
          tokenId: "",
          publishedAtMs: 1,
        },
        reason: "refused",
        diedAtMs: 1,
        attempts: 1,
        error: "no",
        status: 404,
      })),
  };
}

const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, n) => first + n);

async function sweep(engine: EmbeddedEngine): Promise<void> {
  while ((await engine.subscriptions.trim(1)).hasMore);
}

/** Closes the engine and looks into, or changes, its file. */
async function inFile<T>(work: (db: DatabaseSync) => T): Promise<T> {
  await opened?.close();
  const db = new DatabaseSync(join(dataDir, "todoku.db"));
  try {
    return work(db);
  } finally {
    db.close();
  }
}

const tables = ["subscriptions", "subscription_deliveries", "subscription_failures", "dead_letters", "forgotten"];

function rowCounts(db: DatabaseSync): Record<string, unknown> {
  const counts = tables.map((table) => [table, db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n]);
  const bytes = db.prepare("SELECT sum(dead_letter_bytes) AS n FROM environments").get()?.n;
  return { ...Object.fromEntries(counts), bytes };
}

/** Subscriptions and environments whose sums differ from what lies in the table. */
function wrongSums(db: DatabaseSync): unknown[] {
  const bySubscription = `SELECT id FROM subscriptions WHERE (dead_letters, dead_letter_bytes, replaying) IS NOT
    (SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(is_replaying), 0) FROM dead_letters WHERE subscription = subscriptions.id)`;
  const byEnvironment = `SELECT name FROM environments WHERE dead_letter_bytes IS NOT
    (SELECT coalesce(sum(bytes), 0) FROM dead_letters WHERE environment = environments.id)`;
  return [...db.prepare(bySubscription).all(), ...db.prepare(byEnvironment).all()];
}

it("frees every row of a subscription that is removed, and of one whose record went without a sweep", async () => {
  const engine = await open();
  const topic = await aTopic(engine);
  const [gone, crashed] = [await aSubscription(engine, topic, "gone"), await aSubscription(engine, topic, "crashed")];
  for (const key of [gone, crashed]) await engine.subscriptions.save([changeOf(key, topic, upTo(700), true)]);
  await engine.records.remove({ kind: "subscription", environment: "dev", name: "gone" });
  await sweep(engine);
  const left = await inFile((db) => {
    db.exec("DELETE FROM records WHERE kind = 'subscription'");
    return rowCounts(db);
  });
  expect(left).toMatchObject({ subscriptions: 1, subscription_deliveries: 700, dead_letters: 700, forgotten: 0 });
  await sweep(await open());
  expect(await inFile(rowCounts)).toEqual({ ...Object.fromEntries(tables.map((table) => [table, 0])), bytes: 0 });
});

it("counts the attributes of dead letters, too, among the bytes that wait for the disk", async () => {
  const engine = await open();
  const topic = await aTopic(engine);
  const key = await aSubscription(engine, topic, "w");
  const [letter] = changeOf(key, topic, [1], true).dead ?? [];
  if (letter === undefined) throw new Error("there is no letter");
  const attributes = { a: { type: "String", value: "a".repeat(16_000) } };
  const saved = engine.subscriptions.save([{ key, dead: [{ ...letter, item: { ...letter.item, attributes } }] }]);
  expect(engine.stats().pendingBytes).toBeGreaterThan(16_000);
  await saved;
  expect(engine.stats().pendingBytes).toBe(0);
});

it("a batch that is rolled back leaves cursors, logs and dead letters as they were", async () => {
  const engine = await open();
  const topic = await aTopic(engine);
  const [key, idle] = [await aSubscription(engine, topic, "w"), await aSubscription(engine, topic, "idle")];
  await publish(engine, topic, 16);
  await engine.subscriptions.save([changeOf(key, topic, upTo(3), true), changeOf(key, topic, [4], false)]);
  const look = async () => ({
    state: await engine.subscriptions.state(key),
    letters: await engine.subscriptions.deadLetters(key, all),
    deliveries: await engine.subscriptions.deliveries(key, 100),
    failures: await engine.subscriptions.failures(key, 100),
    idle: await engine.subscriptions.state(idle),
  });
  const before = await look();
  engine.limitFileBytes(500_000);
  const batch = [
    publish(engine, topic, 8),
    engine.subscriptions.save([changeOf(key, topic, upTo(9, 5), true), changeOf(key, topic, [10], false)]),
    engine.subscriptions.replay(key, "all"),
    engine.subscriptions.drop(key, before.letters[0]?.id ?? 0),
    engine.subscriptions.trim(1e15),
    engine.records.remove({ kind: "subscription", environment: "dev", name: "idle" }),
    publish(engine, { ...topic, topic: "other" }, 1, "x".repeat(1_000_000)),
  ];
  for (const outcome of await Promise.allSettled(batch))
    expect(outcome).toMatchObject({ reason: { code: "unavailable" } });
  const isOpen = new Promise<void>((resolve) => engine.onHealth(({ status }) => status === "open" && resolve()));
  engine.limitFileBytes(100_000_000);
  await isOpen;
  expect(await look()).toEqual(before);
  await engine.subscriptions.save([changeOf(idle, topic, [1], false)]);
  await publish(engine, topic, 8);
  const lost = (await engine.subscriptions.deadLetters(idle, all)).map(({ item }) => item.sequence);
  expect(lost).toEqual(upTo(8, 2));
  expect(await inFile(wrongSums)).toEqual([]);
});

it("makes the dead letters of many that follow a topic in steps, and the topic keeps no more than it may in the end", async () => {
  const engine = await open();
  const topic = await aTopic(engine);
  const keys = await Promise.all(upTo(30).map((n) => aSubscription(engine, topic, `w${n}`)));
  await publish(engine, topic, 200);
  const log = async () => (await engine.topics.disk.read(topic, { page: 0, sequence: 0 }, all)).items;
  expect((await log()).length).toBeGreaterThan(100);
  while (await engine.topics.disk.trim(1));
  const [oldest] = await log();
  expect(oldest?.sequence).toBeGreaterThanOrEqual(200 - 16);
  for (const key of keys) {
    const letters = await engine.subscriptions.deadLetters(key, all);
    expect(letters.map(({ item }) => item.sequence)).toEqual(upTo((oldest?.sequence ?? 0) - 1));
  }
  expect(await inFile(wrongSums)).toEqual([]);
});

it("makes dead letters of large items in steps of some megabytes, so that no commit is long", async () => {
  const engine = await open();
  const topic = await aTopic(engine);
  const keys = await Promise.all(upTo(50).map((n) => aSubscription(engine, topic, `w${n}`)));
  await publish(engine, topic, 15, "x".repeat(250_000));
  await publish(engine, topic, 15, "x".repeat(250_000));
  const states = await Promise.all(keys.map((key) => engine.subscriptions.state(key)));
  const bytes = states.reduce((sum, { deadLetters }) => sum + deadLetters.bytes, 0);
  // The last item of a step may go past its bound: one dead letter for each that follows.
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThan(limits.batchMaxBytes + 50 * 251_000);
});

it("a topic that is published faster than the dead letters of those behind are made grows to twice its bounds, not without end", async () => {
  const engine = await open();
  const topic = await aTopic(engine);
  const keys = await Promise.all(["w1", "w2"].map((name) => aSubscription(engine, topic, name)));
  const count = 6 * limits.batchMaxItems;
  for (const _ of upTo(6)) await publish(engine, topic, limits.batchMaxItems);
  const { items } = await engine.topics.disk.read(topic, { page: 0, sequence: 0 }, all);
  expect(items.length).toBeLessThanOrEqual(2 * 16 + limits.batchMaxItems);
  const { alarms } = await engine.subscriptions.trim(1);
  for (const key of keys) {
    const { counters, deadLetters } = await engine.subscriptions.state(key);
    expect(counters.dead + items.length).toBe(count);
    expect(deadLetters.count + counters.dropped).toBe(counters.dead);
    // Each commit makes as many as there is time for.
    expect(deadLetters.count).toBeGreaterThanOrEqual(6 * 1024);
    expect(alarms).toContainEqual({ key, history: deadLetters.count, dropped: counters.dropped });
  }
  expect(await inFile(wrongSums)).toEqual([]);
});

it("drops no item of one topic for the follower of another with the same numbers", async () => {
  const engine = await open();
  const topic = await aTopic(engine);
  const other = { ...topic, topic: "other" };
  const key = await aSubscription(engine, topic, "w");
  await publish(engine, topic, 20);
  await engine.subscriptions.save([{ key, cursor: cursorAt(other, 0) }]);
  const entry = { topic: "other", page: topic.cache.cacheId, atMs: 1, status: 200, latencyMs: 1, attempts: 1 };
  const deliveries = upTo(4).map((sequence) => ({
    ...entry,
    sequence,
    outcome: "delivered" as const,
    isReplay: false,
  }));
  await engine.subscriptions.save([{ key, deliveries }]);
  const letters = await engine.subscriptions.deadLetters(key, all);
  expect(letters.map((letter) => [letter.topic, letter.item.sequence])).toEqual(upTo(4).map((n) => ["t", n]));
});

it("opens a file of the version before, with room for subscriptions", async () => {
  prepareDataDirectory(dataDir);
  const index = migrations.findIndex((text) => text.includes("CREATE TABLE subscriptions"));
  await inFile((db) => {
    db.exec("PRAGMA auto_vacuum = INCREMENTAL");
    for (const text of migrations.slice(0, index)) db.exec(text);
    db.exec(`PRAGMA user_version = ${index}`);
    db.exec("INSERT INTO environments (name, topic_bytes, item_bytes) VALUES ('dev', 0, 0)");
    db.exec("INSERT INTO records VALUES ('subscription', 'dev', 'w', 7, 1, '{}')");
  });
  const engine = await open();
  const topic = await aTopic(engine);
  const key = { environment: "dev", id: 7 };
  await engine.subscriptions.open(key, cursorAt(topic, 0));
  await engine.subscriptions.save([changeOf(key, topic, [1], true)]);
  expect(await engine.subscriptions.deadLetters(key, all)).toHaveLength(1);
  expect(await inFile((db) => db.prepare("PRAGMA user_version").get())).toEqual({ user_version: schemaVersion });
});
