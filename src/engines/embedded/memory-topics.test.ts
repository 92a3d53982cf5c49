import { describe, expect, it } from "vitest";
import { MemoryTopics } from "./memory-topics.ts";

const itemBytes = 100_000;
/** Room for ten items, with what is counted for each, and with what goes at once when there is no more. */
const totalMaxBytes = 10 * (itemBytes + 2000);
const history = { maxItems: 1000, maxBytes: 1e9, maxAgeMs: 1e9, environmentMaxBytes: 1e9, totalMaxBytes };

const topicOf = (environment: string, cacheId: number) => ({ cache: { environment, cache: "c", cacheId }, topic: "t" });
const [small, large, next] = [topicOf("small", 1), topicOf("large", 2), topicOf("large", 3)];
const item = (key: typeof small, messageId?: string, bytes = itemBytes) => ({
  ...{ key, value: { isText: false, bytes: new Uint8Array(bytes) }, publishedAtMs: 1000 },
  ...{ attributes: undefined, tokenId: "", messageId },
});
const publish = (topics: MemoryTopics, key: typeof small, count: number) =>
  topics.append(Array.from({ length: count }, () => item(key)));
async function sequencesOf(topics: MemoryTopics, key: typeof small) {
  const { items } = await topics.read(key, { page: 0, sequence: 0 }, { maxItems: 100, maxBytes: 1e9 });
  return items.map(({ sequence }) => sequence);
}

describe("history of memory topics, past the total", () => {
  it("loses the oldest items of the environment that has most", async () => {
    const topics = new MemoryTopics(history);
    await publish(topics, small, 3);
    await publish(topics, large, 7);
    expect(topics.bytes).toBeGreaterThan(10 * itemBytes);
    await publish(topics, small, 1);
    expect(await sequencesOf(topics, small)).toEqual([1, 2, 3, 4]);
    expect(await sequencesOf(topics, large)).toEqual([2, 3, 4, 5, 6, 7]);
    expect(topics.bytes).toBeLessThanOrEqual(totalMaxBytes);
  });

  it("loses what is forgotten before anything else", async () => {
    const topics = new MemoryTopics(history);
    await publish(topics, small, 6);
    await publish(topics, large, 4);
    await topics.forget(large.cache);
    await publish(topics, next, 4);
    expect(await sequencesOf(topics, small)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await sequencesOf(topics, next)).toEqual([1, 2, 3, 4]);
    while (await topics.trim(1000));
    await topics.forgetEnvironment("small", [small.cache.cacheId]);
    await topics.forgetEnvironment("large", [next.cache.cacheId]);
    while (await topics.trim(1000));
    expect(topics.bytes).toBe(0);
  });

  it("remembers fewer messageIds, the latest ones", async () => {
    const topics = new MemoryTopics({ ...history, totalMaxBytes: 512 * 3 });
    for (const messageId of ["a", "b", "c", "d"]) await topics.append([item(small, messageId, 1)]);
    const repeated = async (messageId: string) => {
      const [result] = await topics.append([item(small, messageId, 1)]);
      return result && "isRepeat" in result && result.isRepeat;
    };
    expect([await repeated("d"), await repeated("b"), await repeated("a")]).toEqual([true, true, false]);
  });
});
