import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { comparePositions, type Position } from "../../domain/topics/position.ts";
import type {
  AppendResult,
  HistoryBounds,
  NewItem,
  TopicItem,
  TopicKey,
  TopicStore,
} from "../../domain/topics/store.ts";
import { Deque } from "./deque.ts";
import { ForgottenCaches } from "./forgotten-caches.ts";
import { LinkedList, type ListNode } from "./linked-list.ts";

interface KeptItem extends ListNode {
  readonly topic: MemoryTopic;
  readonly item: TopicItem;
  readonly bytes: number;
}

interface MemoryTopic {
  readonly usage: Usage;
  readonly page: number;
  sequence: number;
  readonly items: Deque<KeptItem>;
  bytes: number;
  /** Only while there are any: an empty map was a third of what an idle topic costs (184 of 541 bytes), and topics are many. */
  messageIds: Map<string, { readonly position: Position; readonly atMs: number }> | undefined;
}

/** An environment's items, oldest first. */
interface Usage {
  readonly items: LinkedList<KeptItem>;
  bytes: number;
}

/** Bounds of history in memory. */
export interface MemoryHistoryBounds extends HistoryBounds {
  /** Of the process, with {@link itemOverheadBytes} for each item; default: no bound. */
  readonly totalMaxBytes?: number;
}

/** What is kept for an item beside its bytes: 450 in V8's heap, as measured (six objects, of which the array alone is 200), and some outside of it. */
const itemOverheadBytes = 512;
/** Remembered messageIds, 256 bytes each: the full window at 3,300 a second; past that the oldest are forgotten early. */
const maxMessageIds = 1_000_000;
/** Together they take half as much as all items may, at most. */
const bytesPerMessageId = 2 * 256;
/** How much more than it must goes when the total is passed, so that few publishes look for the largest environment: of 512 MiB, 1,000 items. */
const totalSlack = 1 / 1024;
/** Items freed in one step of `trim`: about 2 ms. */
const trimItems = 10_000;

/** Topics of caches with durability `memory`: all in this process, gone with it. Keeps the values it is given: copied ones, no views into more. */
export class MemoryTopics implements TopicStore {
  readonly #history: MemoryHistoryBounds;
  readonly #totalMaxBytes: number;
  readonly #maxMessageIds: number;
  readonly #startId: number;
  readonly #caches = new Map<number, Map<string, MemoryTopic>>();
  readonly #environments = new Map<string, Usage>();
  readonly #forgotten = new ForgottenCaches();
  readonly #toFree: MemoryTopic[] = [];
  readonly #messageIds = new Deque<{ topic: MemoryTopic; messageId: string; atMs: number }>();
  #bytes = 0;

  /** `startId`: an id that no earlier start knew; pages do not begin below it, for numbers begin again with each start. */
  constructor(history: MemoryHistoryBounds, startId = 0) {
    this.#history = history;
    this.#totalMaxBytes = history.totalMaxBytes ?? Number.POSITIVE_INFINITY;
    this.#maxMessageIds = Math.min(maxMessageIds, this.#totalMaxBytes / bytesPerMessageId);
    this.#startId = startId;
  }

  /** Of all items, with {@link itemOverheadBytes} for each, and with what waits to be freed. */
  get bytes(): number {
    return this.#bytes;
  }

  async append(batch: readonly NewItem[]): Promise<readonly AppendResult[]> {
    return batch.map((item) => this.#appendOne(item));
  }

  async read(key: TopicKey, after: Position, bounds: { readonly maxItems: number; readonly maxBytes: number }) {
    const topic = this.#find(key);
    const items: TopicItem[] = [];
    let bytes = 0;
    // Kept items are consecutive, so the place of the first wanted one can be computed.
    const oldest = topic?.items.at(0)?.item;
    let index = oldest === undefined || comparePositions(after, oldest) < 0 ? 0 : skipTo(after, oldest);
    while (items.length < bounds.maxItems && (items.length === 0 || bytes < bounds.maxBytes)) {
      const kept = topic?.items.at(index++);
      if (kept === undefined) break;
      items.push(kept.item);
      bytes += kept.item.value.bytes.byteLength;
    }
    return { items, head: this.#headOf(key, topic) };
  }

  async head(key: TopicKey): Promise<Position> {
    return this.#headOf(key, this.#find(key));
  }

  async forget({ cacheId }: TopicKey["cache"]): Promise<void> {
    this.#forgetCache(cacheId);
  }

  /** Forgets these caches of it, and what it uses. */
  forgetEnvironment(environment: string, cacheIds: readonly number[]): void {
    for (const cacheId of cacheIds) this.#forgetCache(cacheId);
    this.#environments.delete(environment);
  }

  async trim(nowMs: number): Promise<boolean> {
    let left = trimItems;
    for (const usage of this.#environments.values()) {
      while (left > 0 && this.#isOld(usage.items.first, nowMs)) {
        this.#dropOldest((usage.items.first as KeptItem).topic);
        left--;
      }
    }
    while (left > 0 && (this.#messageIds.at(0)?.atMs ?? Infinity) <= nowMs - limits.messageIdWindowMs) {
      this.#forgetOldestMessageId();
      left--;
    }
    while (left > 0 && this.#freeOne()) left--;
    return left === 0;
  }

  /** An item of a forgotten cache, or the last of a topic; false when there is none. */
  #freeOne(): boolean {
    const topic = this.#toFree.at(-1);
    if (topic === undefined) return false;
    if (topic.items.length === 0) this.#toFree.pop();
    else this.#dropOldest(topic);
    return true;
  }

  #forgetCache(cacheId: number): void {
    this.#forgotten.add(cacheId);
    for (const topic of this.#caches.get(cacheId)?.values() ?? []) this.#toFree.push(topic);
    this.#caches.delete(cacheId);
  }

  #appendOne({ key, value, attributes, tokenId, publishedAtMs, messageId }: NewItem): AppendResult {
    if (this.#forgotten.has(key.cache.cacheId)) {
      return new TodokuError("not_found", `cache ${key.cache.cache} does not exist`, { subject: "cache" });
    }
    const topic = this.#find(key) ?? this.#create(key);
    const first = messageId === undefined ? undefined : topic.messageIds?.get(messageId);
    if (first !== undefined && first.atMs > publishedAtMs - limits.messageIdWindowMs) {
      return { position: first.position, isRepeat: true };
    }
    const { page } = topic;
    const sequence = ++topic.sequence;
    const position = { page, sequence };
    this.#keep(topic, { page, sequence, value, attributes, tokenId, publishedAtMs });
    if (messageId !== undefined) {
      topic.messageIds ??= new Map();
      topic.messageIds.set(messageId, { position, atMs: publishedAtMs });
      this.#messageIds.push({ topic, messageId, atMs: publishedAtMs });
      if (this.#messageIds.length > this.#maxMessageIds) this.#forgetOldestMessageId();
    }
    return { position, isRepeat: false };
  }

  #keep(topic: MemoryTopic, item: TopicItem): void {
    const bytes =
      item.value.bytes.byteLength + (item.attributes === undefined ? 0 : JSON.stringify(item.attributes).length);
    const kept: KeptItem = { topic, item, bytes, previous: undefined, next: undefined };
    topic.items.push(kept);
    topic.bytes += bytes;
    topic.usage.items.push(kept);
    this.#count(topic.usage, bytes + itemOverheadBytes);
    while (topic.items.length > this.#history.maxItems || topic.bytes > this.#history.maxBytes) this.#dropOldest(topic);
    while (topic.usage.bytes > this.#history.environmentMaxBytes && topic.usage.items.first !== undefined) {
      this.#dropOldest(topic.usage.items.first.topic);
    }
    if (this.#bytes > this.#totalMaxBytes) this.#makeRoom();
  }

  /** What is forgotten goes first, then the oldest of the environment that has most. */
  #makeRoom(): void {
    const targetBytes = this.#totalMaxBytes * (1 - totalSlack);
    while (this.#bytes > targetBytes && this.#freeOne());
    if (this.#bytes <= targetBytes) return;
    let largest: Usage | undefined;
    for (const usage of this.#environments.values()) {
      if (usage.bytes > (largest?.bytes ?? 0)) largest = usage;
    }
    while (this.#bytes > targetBytes && largest?.items.first !== undefined) this.#dropOldest(largest.items.first.topic);
  }

  #count(usage: Usage, bytes: number): void {
    usage.bytes += bytes;
    this.#bytes += bytes;
  }

  // An environment's list is in the order of appends, so its first item is the first of its topic too.
  #dropOldest(topic: MemoryTopic): void {
    const kept = topic.items.shift();
    if (kept === undefined) return;
    topic.bytes -= kept.bytes;
    topic.usage.items.remove(kept);
    this.#count(topic.usage, -kept.bytes - itemOverheadBytes);
  }

  #forgetOldestMessageId(): void {
    const old = this.#messageIds.shift();
    // Used again after its window: then the later use is remembered under the same id.
    const ids = old?.topic.messageIds;
    if (old === undefined || ids?.get(old.messageId)?.atMs !== old.atMs) return;
    ids.delete(old.messageId);
    if (ids.size === 0) old.topic.messageIds = undefined;
  }

  #isOld(kept: KeptItem | undefined, nowMs: number): boolean {
    return kept !== undefined && kept.item.publishedAtMs <= nowMs - this.#history.maxAgeMs;
  }

  #headOf(key: TopicKey, topic: MemoryTopic | undefined): Position {
    if (topic !== undefined) return { page: topic.page, sequence: topic.sequence };
    return { page: Math.max(key.cache.cacheId, this.#startId), sequence: 0 };
  }

  #find(key: TopicKey): MemoryTopic | undefined {
    return this.#caches.get(key.cache.cacheId)?.get(key.topic);
  }

  #create({ cache, topic: name }: TopicKey): MemoryTopic {
    const usage = this.#environments.get(cache.environment) ?? { items: new LinkedList<KeptItem>(), bytes: 0 };
    this.#environments.set(cache.environment, usage);
    const topics = this.#caches.get(cache.cacheId) ?? new Map<string, MemoryTopic>();
    this.#caches.set(cache.cacheId, topics);
    const topic: MemoryTopic = {
      usage,
      page: Math.max(cache.cacheId, this.#startId),
      sequence: 0,
      items: new Deque(),
      bytes: 0,
      messageIds: undefined,
    };
    topics.set(name, topic);
    return topic;
  }
}

function skipTo(after: Position, oldest: Position): number {
  return after.page > oldest.page ? Number.POSITIVE_INFINITY : after.sequence - oldest.sequence + 1;
}
