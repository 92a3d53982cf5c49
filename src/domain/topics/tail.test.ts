import { expect, it } from "vitest";
import { MemoryTopics } from "../../engines/embedded/memory-topics.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { Wakes } from "./followed-topic.ts";
import { LiveTopic } from "./live-topic.ts";
import type { TopicItem } from "./store.ts";
import { Tail } from "./tail.ts";

const nowMs = 1_800_000_000_000;
const bounds = { maxItems: 1000, maxBytes: 1e9 };

function someItems(count: number, bytes: number, more: Partial<TopicItem> = {}): TopicItem[] {
  const value = { isText: true, bytes: Buffer.alloc(bytes, "x") };
  return Array.from({ length: count }, (_, i) => ({
    ...{ page: 1, sequence: i + 1, value, attributes: undefined, tokenId: "", publishedAtMs: nowMs },
    ...more,
  }));
}

const kept = (tail: Tail) => tail.after({ page: 1, sequence: 0 }, bounds)?.length ?? 0;

it("stays within the budget of all tails, however many there are", () => {
  const budget = { usedBytes: 0, maxBytes: 1_000_000 };
  for (let i = 0; i < 100; i++) new Tail(budget).push(someItems(10, 100_000), nowMs);
  expect(budget.usedBytes).toBeLessThanOrEqual(budget.maxBytes);
});

it("counts attributes too", () => {
  const budget = { usedBytes: 0, maxBytes: 1_000_000 };
  const attributes = { a: { type: "String", value: "x".repeat(10_000) } };
  new Tail(budget).push(someItems(50, 1, { attributes }), nowMs);
  expect(budget.usedBytes).toBeGreaterThan(500_000);
});

it("gives its room back when nobody publishes any more", () => {
  const budget = { usedBytes: 0, maxBytes: 1_000_000 };
  const quiet = new Tail(budget);
  quiet.push(someItems(3, 100), nowMs);
  quiet.trim(nowMs + limits.tailMinMs);
  expect(kept(quiet)).toBe(3);
  quiet.trim(nowMs + limits.tailMinMs + 1);
  expect(budget.usedBytes).toBe(0);
});

it("gives its room back when its cache is deleted", () => {
  const budget = { usedBytes: 0, maxBytes: 1_000_000 };
  const key = { cache: { environment: "dev", cache: "c", cacheId: 1 }, topic: "t" };
  const store = new MemoryTopics(limits.memoryHistory, 1);
  const topic = new LiveTopic(key, store, { page: 1, sequence: 0 }, { budget, wakes: new Wakes() }, () => {});
  topic.committed(someItems(3, 100), nowMs);
  expect(budget.usedBytes).toBeGreaterThan(300);
  topic.fail(new TodokuError("not_found", "deleted"));
  expect(budget.usedBytes).toBe(0);
});
