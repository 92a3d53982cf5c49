import type { Bus } from "./bus.ts";
import type { Durability } from "./cache/cache.ts";
import type { DictionaryStore } from "./cache/dictionary-store.ts";
import type { ListStore } from "./cache/list-store.ts";
import type { SetStore } from "./cache/set-store.ts";
import type { SortedSetStore } from "./cache/sorted-set-store.ts";
import type { ItemStore } from "./cache/store.ts";
import type { PresenceStore } from "./connections/store.ts";
import type { EnvironmentStore } from "./environments/store.ts";
import type { QueueStore } from "./queues/store.ts";
import type { RecordStore } from "./records/store.ts";
import type { SubscriptionStore } from "./subscriptions/store.ts";
import type { TopicStore } from "./topics/store.ts";

/**
 * `open`: all is well. `refusing`: the disk is full or read-only: writes get `unavailable`, reads go on, a probe a second reopens it.
 * `failed`: an I/O error, a corrupt file, a dead thread: never writes again; the server tells its clients and exits with 70.
 */
export interface EngineHealth {
  readonly status: "open" | "refusing" | "failed";
  /** Why it is not open: a sentence for the log and `/health/ready`. */
  readonly reason: string | undefined;
}

/** The bundle of ports: where state lives. */
export interface Engine {
  readonly records: RecordStore;
  readonly environments: EnvironmentStore;
  readonly topics: Readonly<Record<Durability, TopicStore>>;
  readonly items: Readonly<Record<Durability, ItemStore>>;
  readonly dictionaries: Readonly<Record<Durability, DictionaryStore>>;
  readonly lists: Readonly<Record<Durability, ListStore>>;
  readonly sortedSets: Readonly<Record<Durability, SortedSetStore>>;
  /** With keys of their own in their caches, and bounds of their own. */
  readonly leaderboards: Readonly<Record<Durability, SortedSetStore>>;
  readonly sets: Readonly<Record<Durability, SetStore>>;
  readonly queues: QueueStore;
  readonly subscriptions: SubscriptionStore;
  readonly presence: PresenceStore;
  readonly bus: Bus;
  /** False when other nodes may write to the same store: then followed topics and caches are compared with it each second. */
  readonly isSingleNode: boolean;
  health(): EngineHealth;
  /** Called on each change of `health()`. */
  onHealth(listener: (health: EngineHealth) => void): void;
  /** Lets what was accepted commit, then frees files and threads. */
  close(): Promise<void>;
}
