import type { Caches } from "../cache/caches.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { isConflict } from "../records/conflict.ts";
import type { DurableSubscription } from "./subscription.ts";
import {
  type Kept,
  type SubscriptionDocument,
  subscriptionKeyOf,
  subscriptionRecordKind,
  toKept,
} from "./subscription-document.ts";
import { SubscriptionPlaces } from "./subscription-places.ts";

// Others who change the same subscription at another node: whoever loses more often than this should hear of it.
const maxTries = 5;

/** What names a durable subscription. */
export type SubscriptionName = Pick<DurableSubscription, "environment" | "cache" | "name">;

/**
 * What happened to a subscription that a pump runs for. Both may be alike: somebody resumed it, or its secret is another one.
 * When the topic changed, its cursor is moved already: from now on nobody may store one of the old topic.
 */
export type RegistryChange =
  | {
      readonly kind: "changed";
      /** Undefined: it is new. */
      readonly was: DurableSubscription | undefined;
      /** Undefined: it is gone. */
      readonly now: DurableSubscription | undefined;
    }
  /** There is something to replay. */
  | { readonly kind: "replay"; readonly subscription: DurableSubscription };

/** What a change makes of a subscription. */
export interface Decision {
  readonly document: SubscriptionDocument;
  /** Begun as soon as the record is stored, before anybody hears of the change; awaited before it is answered. */
  readonly onStored?: (now: DurableSubscription) => Promise<void>;
}

/** What a registry works on. */
export interface RegistryParts {
  readonly engine: Pick<Engine, "records" | "topics" | "subscriptions" | "bus" | "isSingleNode">;
  /** Started before it. */
  readonly caches: Pick<Caches, "current" | "onChange">;
}

/** What this node knows of the store's durable subscriptions, the one way to change them, and who wants to hear of it. */
export class SubscriptionRegistry {
  readonly #engine: RegistryParts["engine"];
  readonly #caches: RegistryParts["caches"];
  /** Where they begin in the logs of their topics. */
  readonly places: SubscriptionPlaces;
  readonly #environments = new Map<string, Map<string, Kept>>();
  readonly #listeners: ((change: RegistryChange) => void)[] = [];
  /** The last change under way, by environment. */
  readonly #changes = new Map<string, Promise<unknown>>();
  /** Changes of our own so far: what was read before one of them is stale. */
  #ownChanges = 0;

  constructor({ engine, caches }: RegistryParts) {
    this.#engine = engine;
    this.#caches = caches;
    this.places = new SubscriptionPlaces(engine);
    engine.bus.listen((hint) => {
      if (hint.kind !== "record-changed" || hint.recordKind !== subscriptionRecordKind) return;
      this.refresh().catch(() => {}); // as if the hint were lost: the tick of each second comes anyway
    });
    caches.onChange(({ was: { environment, cache } }) => {
      this.refreshCache(environment, cache).catch(() => {}); // as above
    });
  }

  /** Reads the store; the server calls it before it listens. */
  async start(): Promise<void> {
    await this.refresh();
    await Promise.all(this.all().map((kept) => this.#settle(kept).catch(ignoreUnavailable)));
  }

  /** Finishes what a stop of the server has left half done. */
  async #settle({ subscription }: Kept): Promise<void> {
    const cache = await this.#caches.current(subscription.environment, subscription.cache);
    if (cache) await this.places.open(subscription, await this.places.head(cache, subscription.topic));
    else await this.remove(subscription);
  }

  /** Compares with the store, where other nodes write too. */
  async refresh(): Promise<void> {
    const ownChanges = this.#ownChanges;
    const stored = (await this.#engine.records.list(subscriptionRecordKind)).map(toKept);
    if (ownChanges !== this.#ownChanges) return; // it would bring back what was deleted meanwhile
    const alive = new Set(stored.map(({ subscription }) => subscription.id));
    for (const kept of stored) this.#apply(kept.subscription, kept);
    for (const { subscription } of this.all()) if (!alive.has(subscription.id)) this.#apply(subscription, undefined);
  }

  /** All that are known; those of one environment if it is given. */
  all(environment?: string): readonly Kept[] {
    const found = environment === undefined ? [...this.#environments.values()] : [this.#environments.get(environment)];
    return found.flatMap((ofOne): Kept[] => [...(ofOne?.values() ?? [])]);
  }

  /** In no time. */
  known({ environment, cache, name }: SubscriptionName): Kept | undefined {
    return this.#environments.get(environment)?.get(subscriptionKeyOf(environment, cache, name).name);
  }

  /** What the store says now; with one node that is what is known. */
  async current(key: SubscriptionName): Promise<Kept | undefined> {
    if (!this.#engine.isSingleNode) {
      const record = await this.#engine.records.read(recordKeyOf(key));
      this.#apply(key, record && toKept(record));
    }
    return this.known(key);
  }

  /**
   * Makes or changes one, one after the other in an environment: they count each other.
   * @param decide says what becomes of it; undefined: it stays as it is. It is asked again when another node was faster.
   */
  change(
    key: SubscriptionName,
    decide: (was: Kept | undefined) => Promise<Decision | undefined>,
  ): Promise<Kept | undefined> {
    return this.#inTurn(key.environment, async () => {
      for (let tries = 1; ; tries++) {
        const was = await this.current(key);
        const decision = await decide(was);
        if (!decision) return was;
        try {
          return await this.#store(key, was, decision);
        } catch (error) {
          if (!isConflict(error) || tries === maxTries) throw error;
        }
      }
    });
  }

  async #store(key: SubscriptionName, was: Kept | undefined, { document, onStored }: Decision): Promise<Kept> {
    const { records } = this.#engine;
    const recordKey = recordKeyOf(key);
    const record = was
      ? await records.replace(recordKey, { ...document }, was.version)
      : await records.create(recordKey, { ...document });
    const now = toKept(record);
    const settled = onStored?.(now.subscription);
    this.#changed(key, now);
    await settled;
    return now;
  }

  /** Its cache may have been deleted after it was found: what was made meanwhile must not wait for the next one of that name. */
  async removeOrphan(key: SubscriptionName): Promise<void> {
    const cache = await this.#caches.current(key.environment, key.cache);
    if (!cache && this.known(key)) await this.remove(key);
  }

  /** Answers whether it was there. */
  remove(key: SubscriptionName): Promise<boolean> {
    return this.#inTurn(key.environment, async () => {
      const removed = await this.#engine.records.remove(recordKeyOf(key));
      this.#changed(key, undefined);
      return removed !== undefined;
    });
  }

  /**
   * The cache changed: forgets those whose records went with it. Each is looked for, whatever the change is called: a cache that is made
   * in the commit that deletes the one before looks like a flush, and a subscription may be stored behind the look at what goes.
   */
  async refreshCache(environment: string, cache: string): Promise<void> {
    for (const { subscription } of this.all(environment)) {
      if (subscription.cache !== cache) continue;
      const record = await this.#engine.records.read(recordKeyOf(subscription));
      const isKnown = this.known(subscription)?.subscription.id === subscription.id;
      if (isKnown && record?.id !== subscription.id) this.forget(subscription);
    }
  }

  /** Its record is gone with something else's. */
  forget(key: SubscriptionName): void {
    if (this.known(key)) this.#changed(key, undefined);
  }

  forgetEnvironment(environment: string): void {
    for (const { subscription } of this.all(environment)) this.forget(subscription);
    this.#environments.delete(environment);
  }

  onChange(listener: (change: RegistryChange) => void): void {
    this.#listeners.push(listener);
  }

  tell(change: RegistryChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  async #inTurn<T>(environment: string, change: () => Promise<T>): Promise<T> {
    const before = this.#changes.get(environment);
    const done = (async () => {
      await before;
      return change();
    })();
    const ended = done.then(noop, noop); // whoever asked for the change is told
    this.#changes.set(environment, ended);
    try {
      return await done;
    } finally {
      if (this.#changes.get(environment) === ended) this.#changes.delete(environment);
    }
  }

  #changed(key: SubscriptionName, now: Kept | undefined): void {
    this.#ownChanges++;
    this.#apply(key, now);
    this.#engine.bus.send({ kind: "record-changed", recordKind: subscriptionRecordKind, ...pathOf(key) });
  }

  /** Takes over what the store says of one name, and tells the listeners. */
  #apply(key: SubscriptionName, now: Kept | undefined): void {
    const { environment, name: path } = pathOf(key);
    const ofEnvironment = this.#environments.get(environment) ?? new Map<string, Kept>();
    this.#environments.set(environment, ofEnvironment);
    const was = ofEnvironment.get(path);
    // A record read before a later change of our own must not bring back what was before it.
    if (was && now && isOlder(now, was)) return;
    if (now) ofEnvironment.set(path, now);
    else ofEnvironment.delete(path);
    const isSame = was?.subscription.id === now?.subscription.id;
    if (was && !isSame) this.tell({ kind: "changed", was: was.subscription, now: undefined });
    if (now) this.tell({ kind: "changed", was: isSame ? was?.subscription : undefined, now: now.subscription });
  }
}

export function createSubscriptionRegistry(parts: RegistryParts): SubscriptionRegistry {
  return new SubscriptionRegistry(parts);
}

/** A full disk is no reason not to start: whoever delivers gives it its place later. */
function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof TodokuError) || error.code !== "unavailable") throw error;
}

function noop(): void {}

function isOlder(now: Kept, was: Kept): boolean {
  const byId = now.subscription.id - was.subscription.id;
  return byId < 0 || (byId === 0 && now.version <= was.version);
}

function recordKeyOf({ environment, cache, name }: SubscriptionName) {
  return subscriptionKeyOf(environment, cache, name);
}

function pathOf(key: SubscriptionName): { readonly environment: string; readonly name: string } {
  const { environment, name } = recordKeyOf(key);
  return { environment, name };
}
