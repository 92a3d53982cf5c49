import { setImmediate as nextTick } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { MemoryTopics } from "../../engines/embedded/memory-topics.ts";
import { TimerWheel } from "../../lib/timer-wheel.ts";
import { openPrincipal } from "../auth/open-access.ts";
import { silentBus } from "../bus.ts";
import type { Cache } from "../cache/cache.ts";
import type { CacheChange, Caches } from "../cache/caches.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { FollowedTopic } from "./followed-topic.ts";
import { createTopics, type Topics } from "./topics.ts";

let store: MemoryTopics;
let topics: Topics;
let cache: Cache;
let nowMs: number;
let wheel: TimerWheel;
let tell: (change: CacheChange) => void;
let reads: number;

beforeEach(() => {
  store = new MemoryTopics({ ...limits.memoryHistory, maxItems: 100 }, 1);
  cache = { environment: "dev", cache: "c", cacheId: 1, durability: "memory", createdAtMs: 0 };
  nowMs = 1_000_000;
  reads = 0;
  const counted = Object.assign(Object.create(store) as MemoryTopics, {
    append: store.append.bind(store),
    head: store.head.bind(store),
    read: (...args: Parameters<MemoryTopics["read"]>) => {
      reads++;
      return store.read(...args);
    },
  });
  const caches = {
    known: () => cache,
    get: async () => cache,
    onChange: (listener) => {
      tell = listener;
    },
  } satisfies Partial<Caches> as Partial<Caches> as Caches;
  const engine = {
    topics: { memory: counted, disk: counted },
    bus: silentBus,
    isSingleNode: true,
  } as Partial<Engine> as Engine;
  const clock = { monotonicMs: () => nowMs, steadyMs: () => nowMs, wallMs: () => nowMs };
  wheel = new TimerWheel(clock);
  topics = createTopics({ engine, caches, clock, wheel, messageMaxBytes: limits.messageMaxBytes });
});

async function publish(...texts: string[]): Promise<void> {
  await Promise.all(
    texts.map((text) => topics.publish(openPrincipal, "c", "t", { value: { isText: true, bytes: Buffer.from(text) } })),
  );
}

/** What comes behind a position, as texts. */
async function textsBehind(topic: FollowedTopic, sequence: number, maxItems?: number): Promise<string[]> {
  const { items } = await topic.next({ page: topic.head.page, sequence }, maxItems);
  return items.map(({ value }) => Buffer.from(value.bytes).toString());
}

describe("a topic that is followed", () => {
  it("wakes who follows it once per turn, behind the answers to the publishers", async () => {
    const events: string[] = [];
    const topic = await topics.follow(cache, "t", () => events.push("woken"));
    await Promise.all(["a", "b", "c"].map((text) => publish(text).then(() => events.push("answered"))));
    await nextTick();
    expect(events).toEqual(["answered", "answered", "answered", "woken"]);
    expect(topic.head).toEqual({ page: 1, sequence: 3 });
  });

  it("gives what is behind a position from memory while it is there, else from the log", async () => {
    const topic = await topics.follow(cache, "t", () => {});
    await publish("a", "b", "c");
    expect(await textsBehind(topic, 0)).toEqual(["a", "b", "c"]);
    expect(await textsBehind(topic, 1, 1)).toEqual(["b"]);
    expect(await textsBehind(topic, 3)).toEqual([]);
    expect(reads).toBe(0);
    nowMs += 2 * limits.tailMinMs;
    wheel.runOnce();
    expect(await textsBehind(topic, 1)).toEqual(["b", "c"]);
    expect(reads).toBe(1);
  });

  it("counts nobody who follows it for the server among its subscribers, and stays followed while somebody does", async () => {
    const topic = await topics.follow(cache, "t", () => {});
    nowMs += 10 * limits.tailMinMs;
    wheel.runOnce();
    expect(topics.stats().get("dev")).toMatchObject({ topics: 1, subscriptions: 0 });
    await topics.drain(0);
    expect(topic.isOpen).toBe(true);
    topic.close();
    nowMs += 2 * limits.tailMinMs;
    wheel.runOnce();
    expect(topics.stats().get("dev")).toMatchObject({ topics: 0 });
  });

  it("wakes the others when one throws", async () => {
    let woken = 0;
    await topics.follow(cache, "t", () => {
      throw new Error("broken");
    });
    await topics.follow(cache, "t", () => woken++);
    await publish("a");
    await nextTick();
    expect(woken).toBe(1);
  });

  it("wakes nobody who has left", async () => {
    let woken = 0;
    const topic = await topics.follow(cache, "t", () => woken++);
    await publish("a");
    topic.close();
    await nextTick();
    await publish("b");
    await nextTick();
    expect(woken).toBe(0);
  });

  it("has another key when its cache was flushed, and begins again", async () => {
    let woken = 0;
    const topic = await topics.follow(cache, "t", () => woken++);
    await publish("a");
    const { key } = topic;
    const was = cache;
    cache = { ...cache, cacheId: 7 };
    tell({ kind: "flushed", was, now: cache });
    await nextTick();
    await nextTick();
    expect(woken).toBeGreaterThan(0);
    expect(topic.key).not.toBe(key);
    expect(topic.head).toEqual({ page: 7, sequence: 0 });
    await publish("b");
    expect(await textsBehind(topic, 0)).toEqual(["b"]);
  });

  it("is over when its cache is deleted, or the engine has failed", async () => {
    const first = await topics.follow(cache, "t", () => {});
    tell({ kind: "deleted", was: cache });
    await nextTick();
    expect(first.isOpen).toBe(false);
    const second = await topics.follow(cache, "t", () => {});
    topics.closeAll(new TodokuError("unavailable", "the disk is broken"));
    expect(second.isOpen).toBe(false);
  });
});
