import { authorize, isAllowed } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { isBuiltInCache, refuseDeletion } from "../environments/built-ins.ts";
import type { Environments } from "../environments/environments.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { checkName } from "../names.ts";
import type { StoredRecord } from "../records/store.ts";
import { subscriptionsOf } from "../subscriptions/subscription-document.ts";
import type { Cache, Durability } from "./cache.ts";

const recordKind = "cache";

/** What happened to a cache that others hold state for. `flushed` has the new incarnation in `now`. */
export type CacheChange =
  | { readonly kind: "deleted"; readonly was: Cache }
  | { readonly kind: "flushed"; readonly was: Cache; readonly now: Cache };

/** The caches of all environments: who has which, and which incarnation is the current one. */
export interface Caches {
  /** Reads the store; the server calls it before it listens. */
  start(): Promise<void>;
  /** Known and existing, in no time; undefined does not mean that it is not there when other nodes share the store. */
  known(environment: string, name: string): Cache | undefined;
  /** @throws TodokuError `not_found`. */
  get(environment: string, name: string): Promise<Cache>;
  /** The incarnation that is there once a deletion or flush that is under way has ended; undefined when there is none. */
  current(environment: string, name: string): Promise<Cache | undefined>;
  /** @throws TodokuError `already_exists`, `invalid_argument`, `limit_exceeded`, `permission_denied`. */
  create(principal: Principal, name: string, durability?: Durability): Promise<Cache>;
  /** With its durable subscriptions. @throws TodokuError `not_found`, `permission_denied`; `failed_precondition`: it is built in. */
  delete(principal: Principal, name: string): Promise<void>;
  /** Empties items and topics: a new incarnation of the cache. @throws TodokuError `not_found`, `permission_denied`. */
  flush(principal: Principal, name: string): Promise<void>;
  /** Those the principal may see, by name. */
  list(principal: Principal): readonly Cache[];
  onChange(listener: (change: CacheChange) => void): void;
  /** The environment is being destroyed: its caches are as deleted. */
  forgetEnvironment(environment: string): void;
  /** Compares with the store, all or those of one environment: for hints of other nodes, the tick each second, and a new environment. */
  refresh(environment?: string): Promise<void>;
}

export function createCaches(
  engine: Engine,
  options: {
    readonly defaultDurability: Durability;
    readonly wallMs: () => number;
    /** What an environment sets for itself goes before `defaultDurability`. */
    readonly environments?: Pick<Environments, "known">;
  },
): Caches {
  const { records } = engine;
  const environments = new Map<string, Map<string, Cache>>();
  const listeners: ((change: CacheChange) => void)[] = [];
  /** Deletions and flushes under way, by environment and name. */
  const changing = new Map<string, Promise<void>>();

  const known = (environment: string, name: string) => environments.get(environment)?.get(name);

  /** Takes over what the store says of one name, and tells the listeners. */
  function apply(environment: string, name: string, now: Cache | undefined): void {
    let caches = environments.get(environment);
    if (!caches) {
      caches = new Map();
      environments.set(environment, caches);
    }
    const was = caches.get(name);
    // A record read before a later change of our own must not bring back the older incarnation.
    if (was && now && now.cacheId <= was.cacheId) return;
    if (now) caches.set(name, now);
    else caches.delete(name);
    if (!was) return;
    const change: CacheChange = now ? { kind: "flushed", was, now } : { kind: "deleted", was };
    for (const listener of listeners) listener(change);
  }

  async function forgetStored(cache: Cache): Promise<void> {
    await Promise.all([engine.topics[cache.durability].forget(cache), engine.items[cache.durability].forget(cache)]);
  }

  /**
   * Changes a cache's record and forgets what the incarnation held. On disk both are asked for in one turn of the loop, so that
   * the embedded engine commits them together. Memory cannot refuse, so it waits for the record, which can: else a refused
   * flush would leave a cache that is listed and takes no message.
   */
  async function retire<T>(cache: Cache, changeRecord: () => Promise<T>): Promise<T> {
    if (cache.durability === "disk") return (await Promise.all([changeRecord(), forgetStored(cache)]))[0];
    const result = await changeRecord();
    await forgetStored(cache);
    return result;
  }

  function changed(environment: string, name: string): void {
    engine.bus.send({ kind: "record-changed", recordKind, environment, name });
  }

  async function get(environment: string, name: string): Promise<Cache> {
    const cache = known(environment, name);
    if (cache) return cache;
    if (!engine.isSingleNode) {
      const record = await records.read({ kind: recordKind, environment, name });
      if (record) {
        apply(environment, name, toCache(record));
        return toCache(record);
      }
    }
    throw new TodokuError("not_found", `cache "${name}" does not exist`, { subject: "cache" });
  }

  async function current(environment: string, name: string): Promise<Cache | undefined> {
    await changing.get(`${environment}/${name}`)?.catch(() => {}); // whoever asked for the change was told
    if (engine.isSingleNode) return known(environment, name);
    const record = await records.read({ kind: recordKind, environment, name });
    apply(environment, name, record && toCache(record));
    return known(environment, name);
  }

  async function change(
    principal: Principal,
    name: string,
    work: (cache: Cache) => Promise<Cache | undefined>,
  ): Promise<void> {
    const { environment } = principal;
    const cache = await get(environment, name);
    const done = work(cache).then((now) => {
      if (now || known(environment, name)?.cacheId === cache.cacheId) apply(environment, name, now);
      changed(environment, name);
    });
    const key = `${environment}/${name}`;
    changing.set(key, done);
    try {
      await done;
    } finally {
      if (changing.get(key) === done) changing.delete(key);
    }
  }

  async function refresh(only?: string): Promise<void> {
    const stored = (await records.list(recordKind, only)).map(toCache);
    const alive = new Set(stored.map((cache) => `${cache.environment}/${cache.cache}`));
    for (const cache of stored) apply(cache.environment, cache.cache, cache);
    for (const [environment, caches] of environments) {
      if (only !== undefined && environment !== only) continue;
      for (const name of caches.keys()) if (!alive.has(`${environment}/${name}`)) apply(environment, name, undefined);
    }
  }

  engine.bus.listen((hint) => {
    if (hint.kind !== "record-changed" || hint.recordKind !== recordKind) return;
    refresh().catch(() => {}); // as if the hint were lost: the tick of each second comes anyway
  });

  return {
    start: () => refresh(),
    refresh,
    known,
    get,
    current,
    async create(principal, name, wanted) {
      authorize(principal, "cache.create", name);
      checkName("cache", name);
      const { environment } = principal;
      const settings = options.environments?.known(environment)?.settings;
      const durability = wanted ?? settings?.cacheDurability ?? options.defaultDurability;
      if (isBuiltInCache(name)) throw new TodokuError("invalid_argument", `the cache name "${name}" is reserved`);
      if ((environments.get(environment)?.size ?? 0) >= limits.cachesPerEnvironment) {
        throw new TodokuError(
          "limit_exceeded",
          `environment "${environment}" has ${limits.cachesPerEnvironment} caches, the most it may have`,
        );
      }
      const record = await records
        .create({ kind: recordKind, environment, name }, { durability, createdAtMs: options.wallMs() })
        .catch((error: unknown) => {
          if (!(error instanceof TodokuError) || error.code !== "already_exists") throw error;
          throw new TodokuError("already_exists", `cache "${name}" exists already`, { subject: "cache" });
        });
      apply(environment, name, toCache(record));
      changed(environment, name);
      return toCache(record);
    },
    async delete(principal, name) {
      authorize(principal, "cache.delete", name);
      if (isBuiltInCache(name)) refuseDeletion("cache", name);
      await change(principal, name, async (cache) => {
        const { environment } = cache;
        const keys = [{ kind: recordKind, environment, name }, ...(await subscriptionsOf(records, environment, name))];
        await retire(cache, () => Promise.all(keys.map((key) => records.remove(key))));
        return undefined;
      });
    },
    async flush(principal, name) {
      authorize(principal, "cache.flush", name);
      await change(principal, name, async (cache) => {
        const key = { kind: recordKind, environment: cache.environment, name };
        return toCache(await retire(cache, () => records.renew(key)));
      });
    },
    list(principal) {
      const caches = [...(environments.get(principal.environment)?.values() ?? [])];
      if (!principal.isSuperUser && !principal.grants.some((grant) => grant.resource === "cache")) {
        authorize(principal, "cache.list");
      }
      return caches
        .filter((cache) => isAllowed(principal, "cache.list", cache.cache))
        .sort((a, b) => (a.cache < b.cache ? -1 : 1));
    },
    onChange(listener) {
      listeners.push(listener);
    },
    forgetEnvironment(environment) {
      for (const name of [...(environments.get(environment)?.keys() ?? [])]) apply(environment, name, undefined);
      environments.delete(environment);
    },
  };
}

function toCache(record: StoredRecord): Cache {
  const { durability, createdAtMs } = record.document;
  return {
    environment: record.environment,
    cache: record.name,
    cacheId: record.id,
    durability: durability === "memory" ? "memory" : "disk",
    createdAtMs: Number(createdAtMs),
  };
}
