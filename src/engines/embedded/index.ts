// The embedded engine: everything in this process and in one SQLite file. `memory` topics and items live in maps; `disk` ones, all queues,
// all cursors, who is ONLINE, and all records go through a storage thread that commits what arrives together, and are read by a second thread. One process per data
// directory. Nothing outside this folder imports anything but this file.
import { type Bus, silentBus } from "../../domain/bus.ts";
import { leaderboardBounds } from "../../domain/cache/score-order.ts";
import type { Engine } from "../../domain/engine.ts";
import { limits } from "../../domain/limits.ts";
import type { DeadLetterBounds } from "../../domain/subscriptions/store.ts";
import type { HistoryBounds } from "../../domain/topics/store.ts";
import { createDiskDictionaries } from "./dictionaries.ts";
import { createDiskCollections } from "./disk-collections.ts";
import { createEnvironmentStore } from "./environments.ts";
import { createDiskItems } from "./items.ts";
import { createLeaderboards } from "./leaderboards.ts";
import { createDiskLists } from "./lists.ts";
import type { Evictions } from "./memory-budget.ts";
import { createMemoryDictionaries } from "./memory-dictionaries.ts";
import { createMemoryItems } from "./memory-items.ts";
import { MemoryKeys } from "./memory-keys.ts";
import { createMemoryLists } from "./memory-lists.ts";
import { createMemorySets } from "./memory-sets.ts";
import { memoryHistoryBounds, memoryItemBounds } from "./memory-share.ts";
import { createMemorySortedSets } from "./memory-sorted-sets.ts";
import { type MemoryHistoryBounds, MemoryTopics } from "./memory-topics.ts";
import { createDiskPresence } from "./presence.ts";
import { createDiskQueues } from "./queues.ts";
import { createRecords } from "./records.ts";
import { createDiskSets } from "./sets.ts";
import { createDiskSortedSets } from "./sorted-sets.ts";
import { Storage } from "./storage.ts";
import { createDiskSubscriptions } from "./subscriptions.ts";
import { createDiskTopics } from "./topics.ts";

export { backupDataDirectory } from "./backup.ts";

/** How to open the embedded engine. */
export interface EmbeddedEngineOptions {
  /** Made with mode 0700 when missing. */
  readonly dataDir: string;
  readonly wallMs: () => number;
  /** What stored deadlines and ages are compared with. Default: `wallMs`. */
  readonly steadyMs?: () => number;
  /** Of `disk` topics; default `limits.history`. */
  readonly history?: HistoryBounds;
  /** Of `memory` topics; default `limits.memoryHistory`, or less in total (memory-share.ts). */
  readonly memoryHistory?: MemoryHistoryBounds;
  /** Default `limits.itemsEnvironmentMaxBytes`. */
  readonly itemsEnvironmentMaxBytes?: number;
  /** Default `limits.memoryItems`, or less in total (memory-share.ts). */
  readonly memoryItems?: Parameters<typeof memoryItemBounds>[0];
  /** Default `limits.queue.environmentMaxBytes`. */
  readonly queuesEnvironmentMaxBytes?: number;
  /** Default `limits.deadLetter`. */
  readonly deadLetters?: DeadLetterBounds;
  /** With a bus the engine says that it is not the only node. */
  readonly bus?: Bus;
  /** `OFF` only in the test that shows what a power cut does to it. Default `FULL`. */
  readonly synchronous?: "FULL" | "OFF";
  /** What an operator should read. */
  readonly log?: (message: string) => void;
}

/** Figures for metrics. */
export interface EmbeddedStats {
  readonly commits: number;
  /** Operations committed; divided by `commits`: how well they group. */
  readonly operations: number;
  readonly lastCommitMs: number;
  readonly pendingItems: number;
  readonly pendingBytes: number;
  readonly walBytes: number;
  /** Bytes of `disk` items that lie in memory. */
  readonly cachedItemBytes: number;
  /** `memory` items that were evicted for room since the start, by whose room it was. */
  readonly memoryItemEvictions: Readonly<Evictions>;
  /** Bytes of `memory` items, as their bounds count them. */
  readonly memoryItemBytes: number;
  /** The same for what `memory` topics keep. */
  readonly memoryTopicBytes: number;
}

/** The engine, and what only this one has. */
export interface EmbeddedEngine extends Engine {
  /** The steady time of the last commits before this start; 0: none is known. */
  readonly lastSteadyMs: number;
  stats(): EmbeddedStats;
  /** Another handle over the same state, as a second node would have it. Closing it does nothing. */
  secondHandle(bus: Bus): Engine;
  /** The data file may not grow past this; then writes are refused as on a full disk. Tests fill the disk with it. */
  limitFileBytes(maxFileBytes: number): void;
  /** @internal For tests that break it. */
  readonly storage: Storage;
}

/** Opens a data directory, or makes a new one. @throws TodokuError `failed_precondition`: in use, or written by a newer program; `unavailable`. */
export async function openEmbeddedEngine(options: EmbeddedEngineOptions): Promise<EmbeddedEngine> {
  const itemBounds = memoryItemBounds(options.memoryItems);
  const queuesEnvironmentMaxBytes = options.queuesEnvironmentMaxBytes ?? limits.queue.environmentMaxBytes;
  const storage = await Storage.open({
    dataDir: options.dataDir,
    wallMs: options.wallMs,
    steadyMs: options.steadyMs ?? options.wallMs,
    history: options.history ?? limits.history,
    itemsEnvironmentMaxBytes: options.itemsEnvironmentMaxBytes ?? limits.itemsEnvironmentMaxBytes,
    queuesEnvironmentMaxBytes,
    deadLetters: options.deadLetters ?? limits.deadLetter,
    synchronous: options.synchronous ?? "FULL",
    log: options.log ?? (() => {}),
  });
  const records = createRecords(storage);
  const diskItems = createDiskItems(storage, records, limits.itemCacheMaxBytes);
  const memoryKeys = new MemoryKeys(itemBounds);
  const memoryTopics = new MemoryTopics(options.memoryHistory ?? memoryHistoryBounds(), storage.startId);
  const disk = { storage, records, items: diskItems };
  const diskSortedSets = createDiskSortedSets(createDiskCollections(disk, "sorted set"));
  const shared = {
    records,
    environments: createEnvironmentStore(storage, records, { topics: memoryTopics, keys: memoryKeys }),
    topics: { disk: createDiskTopics(storage, records), memory: memoryTopics },
    items: { disk: diskItems, memory: createMemoryItems(memoryKeys) },
    dictionaries: {
      disk: createDiskDictionaries(createDiskCollections(disk, "dictionary")),
      memory: createMemoryDictionaries(memoryKeys),
    },
    lists: { disk: createDiskLists(createDiskCollections(disk, "list")), memory: createMemoryLists(memoryKeys) },
    sets: { disk: createDiskSets(createDiskCollections(disk, "set")), memory: createMemorySets(memoryKeys) },
    sortedSets: { disk: diskSortedSets, memory: createMemorySortedSets(memoryKeys) },
    leaderboards: {
      disk: createLeaderboards(diskSortedSets),
      memory: createLeaderboards(createMemorySortedSets(memoryKeys, leaderboardBounds)),
    },
    queues: createDiskQueues(storage, records, queuesEnvironmentMaxBytes),
    subscriptions: createDiskSubscriptions(storage, records),
    presence: createDiskPresence(storage),
    health: () => storage.health.current,
    onHealth: (listener: Parameters<Engine["onHealth"]>[0]) => storage.health.listen(listener),
  };
  return {
    ...shared,
    bus: options.bus ?? silentBus,
    isSingleNode: options.bus === undefined,
    close: () => storage.close(),
    secondHandle: (bus) => ({ ...shared, bus, isSingleNode: false, close: async () => {} }),
    limitFileBytes: (maxFileBytes) => storage.limitFileBytes(maxFileBytes),
    storage,
    lastSteadyMs: storage.lastSteadyMs,
    stats: () => ({
      commits: storage.writes.commits,
      operations: storage.writes.operations,
      lastCommitMs: storage.writes.lastCommitMs,
      pendingItems: storage.writes.pendingItems,
      pendingBytes: storage.writes.pendingBytes,
      walBytes: storage.walBytes(),
      cachedItemBytes: diskItems.cachedBytes(),
      memoryItemEvictions: memoryKeys.evictions,
      memoryItemBytes: memoryKeys.bytes,
      memoryTopicBytes: memoryTopics.bytes,
    }),
  };
}
