import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";

const heapMb = 48;
/** Of so much old space, as memory-share.ts has it. */
const totalMaxBytes = heapMb * 2 ** 20 * 0.4;

/** Fills the bound, evicts, and ends with what is counted. */
const fill = `
  const module = (name) => import("${new URL("./", import.meta.url)}" + name + ".ts");
  const { MemoryKeys } = await module("memory-keys");
  const bounds = { cacheMaxBytes: 1e12, environmentMaxBytes: 1e12, totalMaxBytes: ${totalMaxBytes} };
  const keys = new MemoryKeys(bounds);
  const lists = (await module("memory-lists")).createMemoryLists(keys);
  const sets = (await module("memory-sets")).createMemorySets(keys);
  const dictionaries = (await module("memory-dictionaries")).createMemoryDictionaries(keys);
  const sortedSets = (await module("memory-sorted-sets")).createMemorySortedSets(keys);
  const { parentPort, workerData: { kind, elements } } = await import("node:worker_threads");
  const cache = { environment: "e", cache: "c", cacheId: 1 };
  const expiry = { expiresAtMs: 1e9, isRefreshed: false };
  const bytes = (text) => new TextEncoder().encode(text);
  const add = {
    list: (key, values) => lists.push(cache, key, { end: "back", values, truncateTo: undefined, expiry }, 0),
    set: (key, values) => sets.union(cache, key, values, expiry, 0),
    dictionary: (key, values) => dictionaries.set(cache, key, values.map((field) => ({ field, value: field })), expiry, 0),
    "sorted set": (key, values) => sortedSets.put(cache, key, values.map((element, score) => ({ element, score: score + 0.5 })), expiry, 0),
  }[kind];
  for (let n = 0; keys.evictions.total < 2000; n++) {
    await add(bytes("key " + n), Array.from({ length: elements }, (_, element) => bytes("e" + element)));
  }
  parentPort.postMessage(keys.bytes);
`;

it.each([
  ["set", 1],
  ["sorted set", 3],
])(`a process with ${heapMb} MB of heap never runs out of memory: each %s has %i elements`, async (kind, elements) => {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(fill)}`), {
    workerData: { kind, elements },
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
  });
  const [counted] = await once(worker, "message");
  expect(counted).toBeGreaterThan(totalMaxBytes * 0.95);
  await worker.terminate();
});
