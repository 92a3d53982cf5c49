import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CacheKey, Durability } from "../cache/cache.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import type { QueueKey } from "../queues/queue.ts";
import type { EngineSubject, OpenSubject } from "../records/store.contract.ts";
import type { EnvironmentKey } from "./store.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const nowMs = 1_000_000;

/** The laws of `EnvironmentStore`. */
export function environmentStoreContract(name: string, open: OpenSubject): void {
  describe(`environments of ${name}`, () => {
    let subject: EngineSubject;
    let count = 0;
    beforeAll(async () => {
      subject = await open();
    });
    afterAll(() => subject.close());
    const one = () => subject.handles[0];
    const two = () => subject.handles[1];
    const aName = () => `E-${++count}`;

    it("names every environment that has a record", async () => {
      const [own, older] = [aName(), aName()];
      await anEnvironment(one(), own);
      await one().records.create({ kind: "api-key", environment: older, name: "x" }, {});
      expect(await two().environments.names()).toEqual(expect.arrayContaining([own, older]));
    });

    it("forgets records, topics, items and messages of one environment and leaves its neighbours as they were", async () => {
      const [gone, stays] = [await aFullEnvironment(one(), aName()), await aFullEnvironment(two(), aName())];
      const before = await contentsOf(one(), stays);
      await forget(two(), gone.key);
      expect(await contentsOf(one(), gone)).toEqual({ records: [], texts: [] });
      expect(await one().environments.names()).not.toContain(gone.key.name);
      expect(await contentsOf(one(), stays)).toEqual(before);
      expect(before.texts).toHaveLength(5);
    });

    it("takes nothing more from the first step on, whoever began before", async () => {
      const full = await aFullEnvironment(one(), aName());
      const { name: environment } = full.key;
      await one().environments.forget(full.key);
      await expect(two().records.create({ kind: "api-key", environment, name: "late" }, {})).rejects.toMatchObject({
        code: "not_found",
      });
      await expect(writeAll(one(), full)).resolves.toEqual([
        "not_found",
        "not_found",
        "not_found",
        "not_found",
        "not_found",
      ]);
      await forget(one(), full.key);
      await expect(one().records.create({ kind: "cache", environment, name: "late" }, {})).rejects.toMatchObject({
        code: "not_found",
      });
      expect(await contentsOf(two(), full)).toEqual({ records: [], texts: [] });
    });

    it("is empty and takes everything when it is made anew, and the old one's id no longer touches it", async () => {
      const old = await aFullEnvironment(one(), aName());
      await forget(one(), old.key);
      const now = await aFullEnvironment(two(), old.key.name);
      expect(await two().environments.forget(old.key)).toBe(false);
      expect((await contentsOf(one(), now)).texts).toHaveLength(5);
      expect(
        await one().records.read({ kind: "environment", environment: now.key.name, name: now.key.name }),
      ).toBeDefined();
    });

    it("goes on after a restart, and its own record goes last", async () => {
      const full = await aFullEnvironment(one(), aName());
      const { name: environment } = full.key;
      for (let n = 0; n < 3; n++) await writeMany(one(), full);
      expect(await one().environments.forget(full.key)).toBe(true);
      await subject.reopen();
      expect(await two().records.list("environment", environment)).toHaveLength(1);
      expect(await two().records.list("cache", environment)).toEqual([]);
      await forget(two(), full.key);
      expect(await one().records.list("environment", environment)).toEqual([]);
      expect(await contentsOf(one(), full)).toEqual({ records: [], texts: [] });
    });

    it("of many that forget at once each comes to its end", async () => {
      const full = await aFullEnvironment(one(), aName());
      await Promise.all([one(), two(), one()].map((handle) => forget(handle, full.key)));
      expect(await contentsOf(one(), full)).toEqual({ records: [], texts: [] });
    });
  });
}

interface FullEnvironment {
  readonly key: EnvironmentKey;
  readonly caches: readonly (CacheKey & { readonly durability: Durability })[];
  readonly queue: QueueKey;
}

async function anEnvironment({ records }: Engine, name: string): Promise<EnvironmentKey> {
  return records.create({ kind: "environment", environment: name, name }, { state: "live" });
}

/** With a record of each kind, and a message and an item in each place that can hold one. */
async function aFullEnvironment(engine: Engine, environment: string): Promise<FullEnvironment> {
  const key = await anEnvironment(engine, environment);
  const [disk, memory, queue] = await Promise.all([
    engine.records.create({ kind: "cache", environment, name: "disk" }, { durability: "disk" }),
    engine.records.create({ kind: "cache", environment, name: "memory" }, { durability: "memory" }),
    engine.records.create({ kind: "queue", environment, name: "queue" }, {}),
    engine.records.create({ kind: "api-key", environment, name: "key" }, {}),
  ]);
  const full = {
    key,
    caches: [
      { environment, cache: "disk", cacheId: disk.id, durability: "disk" as const },
      { environment, cache: "memory", cacheId: memory.id, durability: "memory" as const },
    ],
    queue: { environment, queue: "queue", queueId: queue.id },
  };
  expect(await writeAll(engine, full)).toEqual(["ok", "ok", "ok", "ok", "ok"]);
  return full;
}

/** One message or item into each place; what each answered. */
async function writeAll(engine: Engine, { caches, queue }: FullEnvironment): Promise<string[]> {
  const publish = caches.map(async (cache) => {
    const [result] = await engine.topics[cache.durability].append([anItem({ cache, topic: "t" }, "m-1")]);
    return outcomeOf(result);
  });
  const set = caches.map((cache) => {
    const item = { value: bytes("v"), expiresAtMs: Number.MAX_SAFE_INTEGER };
    return engine.items[cache.durability].set(cache, bytes("k"), item).then(() => "ok", outcomeOf);
  });
  const [sent] = await engine.queues.send(queue, [aMessage("m-1", true)]);
  return Promise.all([...publish, ...set, outcomeOf(sent)]);
}

/** More than one step frees. */
async function writeMany(engine: Engine, { caches, queue }: FullEnvironment): Promise<void> {
  const rows = Array.from({ length: 2000 }, (_, n) => n);
  const [disk] = caches;
  if (!disk) return;
  await engine.topics.disk.append(rows.map((n) => anItem({ cache: disk, topic: `t ${n % 7}` }, `id ${n}`)));
  for (let batch = 0; batch < 10; batch++) {
    await engine.queues.send(
      queue,
      rows.slice(0, 200).map((n) => aMessage(`${batch} ${n}`, true)),
    );
  }
}

/** The records, and one text for each message and item that can still be read. */
async function contentsOf({ records, topics, items, queues }: Engine, { key, caches, queue }: FullEnvironment) {
  const listed = await Promise.all(
    ["environment", "cache", "queue", "api-key"].map((kind) => records.list(kind, key.name)),
  );
  const texts: string[] = [];
  for (const cache of caches) {
    const start = { page: 0, sequence: 0 };
    const bounds = { maxItems: 100, maxBytes: 100_000 };
    const read = await topics[cache.durability].read({ cache, topic: "t" }, start, bounds);
    texts.push(...read.items.map(({ sequence }) => `${cache.cache} ${sequence}`));
    if (await items[cache.durability].get(cache, bytes("k"), nowMs)) texts.push(`${cache.cache} k`);
  }
  const peeked = await queues.peek(queue, 0, { maxMessages: 100, maxBytes: 100_000 });
  texts.push(...peeked.map(({ messageId }) => messageId));
  return { records: listed.flat(), texts };
}

async function forget({ environments }: Engine, key: EnvironmentKey): Promise<void> {
  while (await environments.forget(key));
}

function anItem(key: { readonly cache: CacheKey; readonly topic: string }, messageId: string) {
  const value = { isText: true, bytes: bytes("x") };
  return { key, value, attributes: undefined, tokenId: "", publishedAtMs: nowMs, messageId };
}

function aMessage(messageId: string, isIdChosen: boolean) {
  const from = { sender: "", traceHeader: undefined };
  return { messageId, isIdChosen, body: "b", attributes: undefined, ...from, sentAtMs: nowMs, readyAtMs: nowMs };
}

function outcomeOf(result: unknown): string {
  return result instanceof TodokuError ? result.code : "ok";
}
