import { Buffer } from "node:buffer";
import type { Clock } from "../../lib/clock.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import { checkTopicAttributes } from "../auth/reserved-attributes.ts";
import type { Cache, Durability } from "../cache/cache.ts";
import type { CacheChange, Caches } from "../cache/caches.ts";
import type { Engine } from "../engine.ts";
import type { Environments } from "../environments/environments.ts";
import { TodokuError, toTodokuError } from "../errors.ts";
import { noRates, type Rates } from "../limiting/rates.ts";
import { limits } from "../limits.ts";
import { checkName } from "../names.ts";
import { AppendQueue, type PendingAppend } from "./append-queue.ts";
import { FollowedTopic, Wakes } from "./followed-topic.ts";
import { LiveTopic } from "./live-topic.ts";
import { checkMessage, type Message } from "./message.ts";
import { Pass } from "./pass.ts";
import { comparePositions, type Position } from "./position.ts";
import { endOneByOne, stoppingError } from "./stopping.ts";
import type { AppendResult, TopicItem, TopicKey, TopicValue } from "./store.ts";
import { type Sink, Subscription } from "./subscription.ts";

/** Publish and subscribe, for every protocol. */
export interface Topics {
  /**
   * Throws at once what needs no store; resolves when the message is as durable as its cache promises and was handed to all live subscribers.
   * `isRepeat`: the messageId was known, the position is the first one's. Copies the value.
   * @throws TodokuError `permission_denied`, `not_found`, `invalid_argument`, `limit_exceeded`, `unavailable`.
   */
  publish(
    principal: Principal,
    cache: string,
    topic: string,
    message: Message,
  ): Promise<{ position: Position; isRepeat: boolean }>;
  /**
   * Follows a topic behind `after` (page 0 = the current page), or from now on. Begins paused: answer the client, then call `drained()`.
   * Ends by itself when the principal expires or the cache is deleted.
   * @throws TodokuError as `publish`; `limit_exceeded`: the principal has as many open as it may.
   */
  subscribe(
    principal: Principal,
    cache: string,
    topic: string,
    after: Position | undefined,
    sink: Sink,
  ): Promise<Subscription>;
  /** Who follows it has another credential: it goes on with that, or ends when that may not follow the topic. */
  renew(subscription: Subscription, principal: Principal): void;
  /**
   * Follows a topic for the server itself: no credential, no place among the subscribers, and `drain` does not end it. `onMoved` is called
   * behind each turn of the event loop in which the topic moved: a commit, a flush.
   * @throws TodokuError `unavailable`.
   */
  follow(cache: Cache, topic: string, onMoved: () => void): Promise<FollowedTopic>;
  /**
   * Calls `listener` when a topic of that name got items, whether it is followed or not: for the server itself, which follows nothing until
   * there is something. Within the call that published, so it must not throw.
   */
  onPublished(topic: string, listener: (key: TopicKey) => void): void;
  /** Kept items behind `after`, at most `maxItems` (1..1000). @throws TodokuError as `subscribe`. */
  history(
    principal: Principal,
    cache: string,
    topic: string,
    after: Position,
    maxItems: number,
  ): Promise<{ readonly items: readonly TopicItem[]; readonly head: Position }>;
  /** Compares followed topics with the store: for the tick each second where other nodes write too. */
  refresh(): Promise<void>;
  /** The server stops: nobody may subscribe from now on, and who has is told to reconnect, one after the other within `overMs`, but for those who end with their connection. */
  drain(overMs: number): Promise<void>;
  /** Ends every subscription at once (a failed engine). */
  closeAll(error: TodokuError): void;
  /** Greatest size of one message there: what the environment sets for itself, else the server's. */
  messageMaxBytes(environment: string): number;
  /** The environment is being destroyed: what was counted of it goes to those that are gone. Its subscriptions end with its caches. */
  forgetEnvironment(environment: string): void;
  /** By environment, for metrics; under "" those that are gone, for a sum must not fall. `delivered`: items times the subscribers of their topic at that moment. */
  stats(): ReadonlyMap<string, TopicStats>;
}

export interface TopicStats {
  published: number;
  delivered: number;
  /** Topics that are followed now, and by how many. */
  topics: number;
  subscriptions: number;
}

export interface TopicsOptions {
  readonly engine: Engine;
  readonly caches: Caches;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly messageMaxBytes: number;
  /** What an environment sets for itself goes before `messageMaxBytes`. */
  readonly environments?: Pick<Environments, "known">;
  /** Bounds how many subscriptions somebody has open; default: no bound. */
  readonly rates?: Pick<Rates, "openStream">;
}

/** A topic whose head is being read. Commits meanwhile are noted: the head that was read may be older than they are. */
interface Opening {
  readonly opened: Promise<LiveTopic>;
  committed: Position | undefined;
}

export function createTopics(options: TopicsOptions): Topics {
  return new TopicService(options);
}

class TopicService implements Topics {
  readonly #options: TopicsOptions;
  readonly #rates: Pick<Rates, "openStream">;
  readonly #queues: Record<Durability, AppendQueue>;
  /** By cache incarnation, then topic name. */
  readonly #live = new Map<number, Map<string, LiveTopic | Opening>>();
  readonly #shared = { budget: { usedBytes: 0, maxBytes: limits.tailsMaxBytes }, wakes: new Wakes() };
  readonly #stats = new Map<string, TopicStats>();
  /** By topic name. */
  readonly #published = new Map<string, (key: TopicKey) => void>();
  #isStopping = false;

  constructor(options: TopicsOptions) {
    this.#options = options;
    this.#rates = options.rates ?? noRates;
    const { engine, caches } = options;
    const queue = (durability: Durability) =>
      new AppendQueue(engine.topics[durability], (batch, results) => this.#committed(batch, results));
    this.#queues = { disk: queue("disk"), memory: queue("memory") };
    caches.onChange((change) => this.#cacheChanged(change));
    this.#trimTails();
    engine.bus.listen((hint) => {
      if (hint.kind !== "topic-moved") return;
      this.#refreshTopic(hint.key).catch(() => {}); // as if the hint were lost: the tick of each second comes anyway
    });
  }

  publish(principal: Principal, cacheName: string, topic: string, message: Message) {
    authorize(principal, "topic.publish", cacheName, topic);
    checkTopicAttributes(principal, cacheName, topic, message.attributes, message.messageId);
    checkName("cache", cacheName);
    checkName("topic", topic);
    checkMessage(message, this.messageMaxBytes(principal.environment));
    const cache = this.#options.caches.known(principal.environment, cacheName);
    // The bytes may be a view into a network chunk 500 times their size; what is kept must not hold that. Where the tail alone keeps them, for
    // seconds, they may lie in the 8 KiB of a pool, which takes a third of the time.
    const { isText, bytes } = message.value;
    const value = { isText, bytes: cache?.durability === "disk" ? Buffer.from(bytes) : new Uint8Array(bytes) };
    if (cache) return this.#append(principal, cache, topic, value, message);
    return this.#options.caches
      .get(principal.environment, cacheName)
      .then((found) => this.#append(principal, found, topic, value, message));
  }

  #append(principal: Principal, cache: Cache, topic: string, value: TopicValue, message: Message) {
    return new Promise<{ position: Position; isRepeat: boolean }>((resolve, reject) => {
      const item = {
        key: { cache, topic },
        value,
        attributes: message.attributes,
        tokenId: principal.tokenId,
        publishedAtMs: this.#options.clock.steadyMs(),
        messageId: message.messageId,
      };
      this.#queues[cache.durability].push({ item, resolve, reject });
    });
  }

  /** Numbers are given and durable: first everyone who is live sees the items, then their publishers hear of it, in order. */
  #committed(batch: readonly PendingAppend[], results: readonly AppendResult[]): number {
    let delivered = 0;
    const byTopic = new Map<LiveTopic, TopicItem[]>();
    const moved = new Map<string, { key: TopicKey; head: Position }>();
    const { isSingleNode } = this.#options.engine;
    for (let i = 0; i < batch.length; i++) {
      const { item } = batch[i] as PendingAppend;
      const result = results[i] as AppendResult;
      if (result instanceof TodokuError || result.isRepeat) continue;
      const { cache, topic } = item.key;
      const stats = this.#count(cache.environment);
      stats.published++;
      this.#published.get(topic)?.(item.key);
      if (!isSingleNode) moved.set(`${cache.cacheId}/${topic}`, { key: item.key, head: result.position });
      const live = this.#live.get(cache.cacheId)?.get(topic);
      if (!(live instanceof LiveTopic)) {
        if (live) live.committed = result.position;
        continue;
      }
      stats.delivered += live.subscribers;
      delivered += live.subscribers;
      const { value, attributes, tokenId, publishedAtMs } = item;
      const { page, sequence } = result.position;
      const items = byTopic.get(live);
      const stored = { page, sequence, value, attributes, tokenId, publishedAtMs };
      if (items) items.push(stored);
      else byTopic.set(live, [stored]);
    }
    const nowMs = this.#options.clock.steadyMs();
    for (const [live, items] of byTopic) live.committed(items, nowMs);
    for (const { key, head } of moved.values()) this.#options.engine.bus.send({ kind: "topic-moved", key, head });
    for (let i = 0; i < batch.length; i++) this.#acknowledge(batch[i] as PendingAppend, results[i] as AppendResult);
    return delivered;
  }

  #acknowledge(append: PendingAppend, result: AppendResult): void {
    if (!(result instanceof TodokuError)) append.resolve(result);
    else if (result.code !== "not_found") append.reject(result);
    else void this.#sendToNewIncarnation(append, result);
  }

  /** The cache may have been flushed while the message was on its way: then it belongs to the new incarnation. */
  async #sendToNewIncarnation(append: PendingAppend, refused: TodokuError): Promise<void> {
    const { key } = append.item;
    const { environment, cache: name, cacheId } = key.cache;
    try {
      const now = await this.#options.caches.current(environment, name);
      if (!now || now.cacheId === cacheId) throw refused;
      this.#queues[now.durability].push({ ...append, item: { ...append.item, key: { ...key, cache: now } } });
    } catch (error) {
      append.reject(toTodokuError(error));
    }
  }

  async subscribe(principal: Principal, cacheName: string, topic: string, after: Position | undefined, sink: Sink) {
    authorize(principal, "topic.subscribe", cacheName, topic);
    checkName("cache", cacheName);
    checkName("topic", topic);
    const { caches } = this.#options;
    const cache =
      caches.known(principal.environment, cacheName) ?? (await caches.get(principal.environment, cacheName));
    // Before the topic is followed: who is refused must leave nothing here.
    const release = this.#rates.openStream(principal);
    const live = await this.#followed(cache, topic).catch((error: unknown) => {
      release();
      throw error;
    });
    const from =
      after === undefined ? live.head : after.page === 0 ? { page: live.head.page, sequence: after.sequence } : after;
    const subscription = new Subscription(live, from, sink);
    live.add(subscription);
    this.#grantPass(subscription, principal, release);
    return subscription;
  }

  renew(subscription: Subscription, principal: Principal): void {
    if (!subscription.isOpen) return;
    const { cache, topic } = subscription.key;
    try {
      if (principal.environment !== cache.environment) {
        throw new TodokuError("permission_denied", `this credential is not of the environment "${cache.environment}"`);
      }
      authorize(principal, "topic.subscribe", cache.cache, topic);
      // First its place goes back: the two credentials may share a bound.
      subscription.pass?.end();
      subscription.pass = undefined;
      this.#grantPass(subscription, principal, this.#rates.openStream(principal));
    } catch (error) {
      subscription.fail(toTodokuError(error));
    }
  }

  #grantPass(subscription: Subscription, principal: Principal, release: () => void): void {
    subscription.pass = new Pass(principal, release, subscription, this.#options);
    subscription.pass.start();
  }

  async follow(cache: Cache, topic: string, onMoved: () => void) {
    return new FollowedTopic(await this.#liveTopic(cache, topic), onMoved);
  }

  onPublished(topic: string, listener: (key: TopicKey) => void): void {
    this.#published.set(topic, listener);
  }

  async history(principal: Principal, cacheName: string, topic: string, after: Position, maxItems: number) {
    authorize(principal, "topic.subscribe", cacheName, topic);
    checkName("topic", topic);
    const cache = await this.#options.caches.get(principal.environment, cacheName);
    const bounds = { maxItems, maxBytes: limits.batchMaxBytes };
    return this.#options.engine.topics[cache.durability].read({ cache, topic }, after, bounds);
  }

  async refresh(): Promise<void> {
    const followed = [...this.#live.values()].flatMap((topics) => [...topics.values()]);
    for (const live of followed) if (live instanceof LiveTopic) await this.#refreshTopic(live.key);
  }

  async drain(overMs: number): Promise<void> {
    this.#isStopping = true;
    const live = [...this.#live.values()].flatMap((topics) => [...topics.values()]);
    const subscriptions = live.flatMap((one) => (one instanceof LiveTopic ? one.subscriptions : []));
    const ownEnds = subscriptions.filter(({ sink }) => !sink.endsWithConnection);
    await endOneByOne(ownEnds, overMs, this.#options.wheel);
  }

  closeAll(error: TodokuError): void {
    for (const topics of this.#live.values())
      for (const live of topics.values()) if (live instanceof LiveTopic) live.fail(error);
  }

  messageMaxBytes(environment: string): number {
    const { environments, messageMaxBytes } = this.#options;
    return environments?.known(environment)?.settings.messageMaxBytes ?? messageMaxBytes;
  }

  forgetEnvironment(environment: string): void {
    const was = this.#stats.get(environment);
    if (!was) return;
    this.#stats.delete(environment);
    const gone = this.#count("");
    gone.published += was.published;
    gone.delivered += was.delivered;
  }

  stats() {
    for (const stats of this.#stats.values()) Object.assign(stats, { topics: 0, subscriptions: 0 });
    for (const topics of this.#live.values()) {
      for (const live of topics.values()) {
        if (!(live instanceof LiveTopic)) continue;
        const stats = this.#count(live.key.cache.environment);
        stats.topics++;
        stats.subscriptions += live.subscribers;
      }
    }
    return this.#stats;
  }

  #count(environment: string): TopicStats {
    let stats = this.#stats.get(environment);
    if (!stats) {
      stats = { published: 0, delivered: 0, topics: 0, subscriptions: 0 };
      this.#stats.set(environment, stats);
    }
    return stats;
  }

  async #refreshTopic(key: TopicKey): Promise<void> {
    const live = this.#live.get(key.cache.cacheId)?.get(key.topic);
    if (!(live instanceof LiveTopic)) return;
    const cache = live.key.cache as Cache;
    live.movedTo(await this.#options.engine.topics[cache.durability].head(live.key));
  }

  async #followed(cache: Cache, topic: string): Promise<LiveTopic> {
    const live = await this.#liveTopic(cache, topic);
    if (this.#isStopping) throw stoppingError();
    return live;
  }

  #liveTopic(cache: Cache, topic: string): LiveTopic | Promise<LiveTopic> {
    let topics = this.#live.get(cache.cacheId);
    if (!topics) {
      topics = new Map();
      this.#live.set(cache.cacheId, topics);
    }
    const known = topics.get(topic);
    if (known) return known instanceof LiveTopic ? known : known.opened;
    const opening: Opening = { opened: this.#open(cache, topic, () => opening.committed), committed: undefined };
    topics.set(topic, opening);
    return opening.opened;
  }

  async #open(cache: Cache, topic: string, committed: () => Position | undefined): Promise<LiveTopic> {
    const key = { cache, topic };
    const store = this.#options.engine.topics[cache.durability];
    try {
      const read = await store.head(key);
      const head = [read, committed() ?? read].sort(comparePositions)[1] as Position;
      const live: LiveTopic = new LiveTopic(key, store, head, this.#shared, () => this.#linger(live));
      this.#live.get(cache.cacheId)?.set(topic, live);
      return live;
    } catch (error) {
      this.#live.get(cache.cacheId)?.delete(topic);
      throw error;
    }
  }

  /** A topic stays followed for a while without subscribers: a Node SDK comes back for what it missed. */
  #linger(live: LiveTopic): void {
    live.lingering?.cancel();
    live.lingering = this.#options.wheel.schedule(limits.tailMinMs, () => {
      const topics = this.#live.get(live.key.cache.cacheId);
      if (!live.isUnfollowed || topics?.get(live.key.topic) !== live) return;
      live.dispose();
      topics.delete(live.key.topic);
      if (topics.size === 0) this.#live.delete(live.key.cache.cacheId);
    });
  }

  #trimTails(): void {
    const { wheel, clock } = this.#options;
    wheel.schedule(limits.tailMinMs, () => {
      this.#trimTails();
      const nowMs = clock.steadyMs();
      for (const topics of this.#live.values())
        for (const live of topics.values()) if (live instanceof LiveTopic) live.trim(nowMs);
    });
  }

  #cacheChanged(change: CacheChange): void {
    const topics = this.#live.get(change.was.cacheId);
    if (!topics) return;
    this.#live.delete(change.was.cacheId);
    if (change.kind === "flushed") this.#live.set(change.now.cacheId, topics);
    for (const [topic, entry] of topics) {
      const opened = entry instanceof LiveTopic ? Promise.resolve(entry) : entry.opened;
      void opened.then(
        (live) => this.#tellChange(live, topic, change),
        () => this.#dropUnopened(entry, topic, change),
      );
    }
  }

  /** Its head could not be read. Its subscriber was told; the next one must try again, under the new incarnation too. */
  #dropUnopened(entry: LiveTopic | Opening, topic: string, change: CacheChange): void {
    const topics = change.kind === "flushed" ? this.#live.get(change.now.cacheId) : undefined;
    if (topics?.get(topic) === entry) topics.delete(topic);
  }

  #tellChange(live: LiveTopic, topic: string, change: CacheChange): void {
    if (change.kind === "flushed") {
      this.#live.get(change.now.cacheId)?.set(topic, live);
      live.flushedTo({ cache: change.now, topic }, this.#options.engine.topics[change.now.durability]);
    } else {
      live.fail(new TodokuError("not_found", `cache "${change.was.cache}" was deleted`, { subject: "cache" }));
    }
  }
}
