import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CacheKey, Durability } from "../cache/cache.ts";
import { limits } from "../limits.ts";
import { type EngineSubject, type OpenSubject, oneReopen } from "../records/store.contract.ts";
import { comparePositions, type Position } from "./position.ts";
import type { AppendResult, HistoryBounds, NewItem, TopicItem, TopicKey } from "./store.ts";

const start: Position = { page: 0, sequence: 0 };
const all = { maxItems: 100_000, maxBytes: 2 ** 30 };
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** A valid item; `more` overrides. */
function anItem(key: TopicKey, text: string, more: Partial<NewItem> = {}): NewItem {
  const value = { isText: true, bytes: bytesOf(text) };
  return { key, value, attributes: undefined, tokenId: "", publishedAtMs: 1_000_000, messageId: undefined, ...more };
}

function textsOf(items: readonly TopicItem[]): string[] {
  return items.map((item) => new TextDecoder().decode(item.value.bytes));
}

function positionsOf(results: readonly AppendResult[]): Position[] {
  return results.map((result) => {
    if (result instanceof Error) throw result;
    return result.position;
  });
}

const small: HistoryBounds = { maxItems: 160, maxBytes: 16_000, maxAgeMs: 60_000, environmentMaxBytes: 1_000_000 };

/** The laws of `TopicStore`; those over restarts hold for `disk` only. */
export function topicStoreContract(name: string, durability: Durability, open: OpenSubject): void {
  const isDurable = durability === "disk";

  describe(`topics of ${name}`, () => {
    let subject: EngineSubject;
    let caches = 0;
    beforeAll(async () => {
      subject = await open();
    });
    afterAll(() => subject.close());
    const one = () => subject.handles[0].topics[durability];
    const two = () => subject.handles[1].topics[durability];

    async function newCache(environment = "dev", on = subject): Promise<CacheKey> {
      const cache = `cache ${caches++}`;
      const record = await on.handles[0].records.create({ kind: "cache", environment, name: cache }, { durability });
      return { environment, cache, cacheId: record.id };
    }
    async function renew(cache: CacheKey): Promise<CacheKey> {
      const key = { kind: "cache", environment: cache.environment, name: cache.cache };
      return { ...cache, cacheId: (await subject.handles[1].records.renew(key)).id };
    }
    const newTopic = async (topic = "t"): Promise<TopicKey> => ({ cache: await newCache(), topic });

    it("gives numbers from 1 without gaps to both handles at once, in one order for all", async () => {
      const key = await newTopic();
      const appends = Array.from({ length: 60 }, (_, n) =>
        (n % 2 ? one() : two()).append([anItem(key, `${n} a`), anItem(key, `${n} b`)]),
      );
      const results = (await Promise.all(appends)).map(positionsOf);
      const sequences = results.flat().map((position) => position.sequence);
      expect([...sequences].sort((a, b) => a - b)).toEqual(Array.from({ length: 120 }, (_, n) => n + 1));
      const { items, head } = await two().read(key, start, all);
      expect(head).toEqual({ page: items[0]?.page, sequence: 120 });
      for (const [n, [a, b]] of results.entries()) {
        expect(b?.sequence).toBe((a?.sequence ?? 0) + 1);
        expect(textsOf(items)[(a?.sequence ?? 0) - 1]).toBe(`${n} a`);
      }
    });

    it("a topic's first page is its cache's id or greater, and its head says so before the first item", async () => {
      const key = await newTopic();
      const before = await one().head(key);
      expect(before.page).toBeGreaterThanOrEqual(key.cache.cacheId);
      expect(before.sequence).toBe(0);
      expect(await one().read(key, start, all)).toEqual({ items: [], head: before });
      const [first] = positionsOf(await two().append([anItem(key, "x")]));
      expect(first).toEqual({ page: before.page, sequence: 1 });
      expect(await one().head(key)).toEqual(first);
    });

    it("an empty batch has no results", async () => {
      expect(await one().append([])).toEqual([]);
    });

    it("keeps values, attributes, token ids and times", async () => {
      const key = await newTopic("ünïcode \u0000 topic");
      const attributes = { kind: { type: "String", value: "ü" } };
      const value = { isText: false, bytes: new Uint8Array([0, 255, 128]) };
      await one().append([
        anItem(key, "text ü", { attributes, tokenId: "token", publishedAtMs: 1_234_567_890_123 }),
        anItem(key, "", { value }),
        anItem(key, "", { value: { isText: false, bytes: new Uint8Array(0) } }),
      ]);
      const { items } = await two().read(key, start, all);
      expect(items[0]).toMatchObject({ attributes, tokenId: "token", publishedAtMs: 1_234_567_890_123 });
      expect(items[0]?.value.isText).toBe(true);
      expect(textsOf(items)[0]).toBe("text ü");
      expect(items[1]?.value.isText).toBe(false);
      expect([...(items[1]?.value.bytes ?? [])]).toEqual([0, 255, 128]);
      expect(items[1]?.attributes).toBeUndefined();
      expect(items[2]?.value.bytes).toHaveLength(0);
    });

    it("reads after a position, at most maxItems, and stops once maxBytes are reached but gives one at least", async () => {
      const key = await newTopic();
      const positions = positionsOf(await one().append(["a", "bb", "ccc", "dddd"].map((text) => anItem(key, text))));
      const read = async (after: Position, maxItems: number, maxBytes: number) =>
        textsOf((await two().read(key, after, { maxItems, maxBytes })).items);
      expect(await read(start, 2, 100)).toEqual(["a", "bb"]);
      expect(await read(positions[1] ?? start, 9, 100)).toEqual(["ccc", "dddd"]);
      expect(await read(start, 9, 3)).toEqual(["a", "bb"]);
      expect(await read(start, 9, 1)).toEqual(["a"]);
      expect(await read(start, 9, 0)).toEqual(["a"]);
      expect(await read(positions[3] ?? start, 9, 100)).toEqual([]);
      expect(await read({ page: 2 ** 52, sequence: 0 }, 9, 100)).toEqual([]);
    });

    it("answers a known messageId with the first position, for the window and the topic only", async () => {
      const key = await newTopic();
      const other = { ...key, topic: "other" };
      const item = (text: string, publishedAtMs: number, topic = key) =>
        anItem(topic, text, { messageId: "m", publishedAtMs });
      const t0 = 1_000_000;
      const first = await one().append([item("a", t0), item("b", t0), item("c", t0, other)]);
      expect(positionsOf(first).map(({ sequence }) => sequence)).toEqual([1, 1, 1]);
      expect(first.map((result) => "isRepeat" in result && result.isRepeat)).toEqual([false, true, false]);
      if (isDurable) await subject.reopen();
      const inWindow = await two().append([item("d", t0 + limits.messageIdWindowMs - 1)]);
      expect(inWindow).toEqual([{ position: positionsOf(first)[0], isRepeat: true }]);
      await drain(one(), t0 + limits.messageIdWindowMs - 1);
      expect(await two().append([item("d", t0 + limits.messageIdWindowMs - 1)])).toEqual(inWindow);
      const later = await two().append([item("e", t0 + limits.messageIdWindowMs)]);
      expect(later).toMatchObject([{ position: { sequence: 2 }, isRepeat: false }]);
      expect(textsOf((await one().read(key, start, all)).items)).toEqual(["a", "e"]);
    });

    it("a forgotten cache takes and gives nothing more; others in the same batch are not touched", async () => {
      const [gone, kept] = [await newTopic(), await newTopic()];
      await one().append([anItem(gone, "a"), anItem(kept, "a")]);
      await two().forget(gone.cache);
      const check = async () => {
        const [lost, stored] = await one().append([anItem(gone, "b"), anItem(kept, "b")]);
        expect(lost).toMatchObject({ code: "not_found" });
        expect(stored).toMatchObject({ isRepeat: false });
        expect((await two().read(gone, start, all)).items).toEqual([]);
      };
      await check();
      await drain(one(), 0);
      await check();
      if (isDurable) {
        await subject.reopen();
        await check();
      }
      expect(new Set(textsOf((await two().read(kept, start, all)).items))).toEqual(new Set(["a", "b"]));
    });

    it("a topic of a renewed cache begins a greater page at 1", async () => {
      const key = await newTopic();
      const [old] = positionsOf(await one().append([anItem(key, "old")]));
      const renewed = { ...key, cache: await renew(key.cache) };
      await one().forget(key.cache);
      const [first] = positionsOf(await two().append([anItem(renewed, "new")]));
      expect(first?.page).toBeGreaterThan(old?.page ?? 0);
      expect(first?.sequence).toBe(1);
      expect(textsOf((await two().read(renewed, old ?? start, all)).items)).toEqual(["new"]);
    });

    if (isDurable)
      it("goes on in the same page after a restart", async () => {
        const key = await newTopic();
        const [first] = positionsOf(await one().append([anItem(key, "a")]));
        await subject.reopen();
        expect(await one().head(key)).toEqual(first);
        const [second] = positionsOf(await two().append([anItem(key, "b")]));
        expect(second).toEqual({ page: first?.page, sequence: 2 });
        expect(textsOf((await one().read(key, start, all)).items)).toEqual(["a", "b"]);
      });

    if (isDurable)
      it("after a restored backup topics go on in a greater page, and what was kept stays readable", async () => {
        const key = await newTopic();
        const unused = { ...key, topic: "not used before" };
        const [kept] = positionsOf(await one().append([anItem(key, "kept")]));
        let lost: Position[] = [];
        await subject.restore(async () => {
          lost = positionsOf(await one().append([anItem(key, "lost"), anItem(unused, "lost")]));
        });
        const head = await one().head(key);
        expect(head.page).toBeGreaterThan(kept?.page ?? 0);
        expect(head.sequence).toBe(0);
        expect((await one().read(key, start, all)).head).toEqual(head);
        const positions = positionsOf(await two().append([anItem(key, "new"), anItem(unused, "new")]));
        expect(positions[0]).toEqual({ page: head.page, sequence: 1 });
        for (const [n, position] of positions.entries()) {
          expect(comparePositions(position, lost[n] ?? start)).toBeGreaterThan(0);
          expect(position.sequence).toBe(1);
        }
        expect(textsOf((await one().read(key, start, all)).items)).toEqual(["kept", "new"]);
        expect(textsOf((await one().read(key, kept ?? start, all)).items)).toEqual(["new"]);
        await subject.reopen();
        expect(await one().head(key)).toEqual(positions[0]);
      });

    it("agrees with a plain list per topic, whatever the order of calls", async () => {
      await fc.assert(
        fc.asyncProperty(oneReopen(fc.array(topicStep, { maxLength: 30 })), async (steps) => {
          let cache = await newCache(`model ${caches}`);
          const model = new Map<string, { texts: string[]; page: number | undefined }>();
          const entry = (topic: string) => model.get(topic) ?? { texts: [], page: undefined };
          let lastPage = 0;
          for (const [n, step] of steps.entries()) {
            const store = subject.handles[step.handle].topics[durability];
            const key: TopicKey = { cache, topic: step.topic };
            if (step.act === "reopen" && isDurable) await subject.reopen();
            if (step.act === "trim") await store.trim(1_000_000);
            if (step.act === "renew") {
              const old = cache;
              cache = await renew(cache);
              await store.forget(old);
              for (const { page } of model.values()) lastPage = Math.max(lastPage, page ?? 0);
              model.clear();
            }
            if (step.act === "append") {
              const texts = Array.from({ length: step.count }, (_, i) => `${n}.${i}`);
              const positions = positionsOf(await store.append(texts.map((text) => anItem(key, text))));
              const known = entry(step.topic);
              const page = positions[0]?.page ?? 0;
              expect(known.page === undefined ? page > lastPage : page === known.page).toBe(true);
              expect(positions).toEqual(texts.map((_, i) => ({ page, sequence: known.texts.length + i + 1 })));
              model.set(step.topic, { texts: [...known.texts, ...texts], page });
            }
            const { texts, page } = entry(step.topic);
            const after = { page: page ?? 0, sequence: Math.min(step.count, texts.length) };
            const read = await subject.handles[0].topics[durability].read({ cache, topic: step.topic }, after, all);
            expect(textsOf(read.items)).toEqual(texts.slice(after.sequence));
            expect(read.head.sequence).toBe(texts.length);
          }
        }),
        { numRuns: 20 },
      );
    });
  });

  describe(`history of ${name}`, () => {
    let subject: EngineSubject;
    let key: TopicKey;
    const store = () => subject.handles[0].topics[durability];
    beforeAll(async () => {
      subject = await open({ history: small });
    });
    afterAll(() => subject.close());
    const newTopic = async (cache: string, environment = "dev"): Promise<TopicKey> => {
      const record = await subject.handles[0].records.create(
        { kind: "cache", environment, name: cache },
        { durability },
      );
      return { cache: { environment, cache, cacheId: record.id }, topic: "t" };
    };

    it("keeps the newest maxItems, a sixteenth more at most, without holes, and the head stays", async () => {
      key = await newTopic("count");
      for (let n = 0; n < 1000; n += 5) {
        await store().append(Array.from({ length: 5 }, (_, i) => anItem(key, `${n + i}`)));
      }
      const { items, head } = await store().read(key, start, all);
      expect(items.length).toBeGreaterThanOrEqual(small.maxItems);
      expect(items.length).toBeLessThanOrEqual(small.maxItems + small.maxItems / 16);
      expect(textsOf(items)).toEqual(Array.from({ length: items.length }, (_, n) => `${1000 - items.length + n}`));
      expect(head.sequence).toBe(1000);
    });

    it("keeps the newest maxBytes of values, a sixteenth more at most", async () => {
      key = await newTopic("bytes");
      for (let n = 0; n < 60; n++) await store().append([anItem(key, `${n}`.padEnd(1000, "."))]);
      const { items } = await store().read(key, start, all);
      expect(items.length).toBeGreaterThanOrEqual(15);
      expect(items.length).toBeLessThanOrEqual(17);
      expect(items.at(-1)?.sequence).toBe(60);
    });

    it("drops what is older than maxAgeMs with trim, and never gives a dropped number again", async () => {
      key = await newTopic("age");
      const t0 = 50_000_000;
      await store().append([anItem(key, "old", { publishedAtMs: t0 }), anItem(key, "new", { publishedAtMs: t0 + 10 })]);
      await drain(store(), t0 + small.maxAgeMs + 5);
      const before = await store().read(key, start, all);
      expect(textsOf(before.items)).toEqual(["new"]);
      await drain(store(), t0 + small.maxAgeMs + 10);
      expect(await store().read(key, start, all)).toEqual({ items: [], head: before.head });
      if (isDurable) await subject.reopen();
      expect(positionsOf(await store().append([anItem(key, "next")]))).toEqual([
        { page: before.head.page, sequence: 3 },
      ]);
    });

    it("past the environment's budget the oldest history of all its topics goes first; other environments keep theirs", async () => {
      const [a, b, other] = [await newTopic("a", "full"), await newTopic("b", "full"), await newTopic("other", "else")];
      await store().append([anItem(other, "x")]);
      const text = ".".repeat(15_000);
      const rounds = 80;
      for (let n = 0; n < rounds; n++) {
        const topic = { ...(n % 2 ? a : b), topic: `t${n}` };
        await store().append([anItem(topic, text, { publishedAtMs: 90_000_000 + n })]);
      }
      await drain(store(), 90_000_000);
      const kept: number[] = [];
      for (let n = 0; n < rounds; n++) {
        const { items } = await store().read({ ...(n % 2 ? a : b), topic: `t${n}` }, start, all);
        if (items.length > 0) kept.push(n);
      }
      expect(kept.length).toBeGreaterThan(55);
      expect(kept.length).toBeLessThan(67);
      expect(kept).toEqual(Array.from({ length: kept.length }, (_, n) => rounds - kept.length + n));
    });
  });
}

/** Upkeep until there is nothing left to do. */
async function drain(store: { trim(nowMs: number): Promise<boolean> }, nowMs: number): Promise<void> {
  while (await store.trim(nowMs));
}

const topicStep = fc.record({
  handle: fc.constantFrom(0 as const, 1 as const),
  topic: fc.constantFrom("a", "b", "c"),
  count: fc.integer({ min: 1, max: 5 }),
  act: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom("append", "append", "read", "trim") },
    { weight: 2, arbitrary: fc.constant("renew") },
    { weight: 1, arbitrary: fc.constant("reopen") },
  ),
});
