import { authorize, isAllowed } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { isBuiltInQueue, refuseDeletion } from "../environments/built-ins.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { StoredRecord } from "../records/store.ts";
import type { Queue, QueueSettings } from "./queue.ts";
import { changeSettings, checkQueueName, defaultSettings, type QueueChanges } from "./settings.ts";

const recordKind = "queue";
// Others who change the same queue at another node: whoever loses more often than this should hear of it.
const maxTries = 5;

/** An incarnation that is gone; a purge put `now` in its place, a deletion nothing. */
interface QueueChange {
  readonly was: Queue;
  readonly now: Queue | undefined;
}

/** The queues of all environments: how each treats its messages, and which incarnation is the current one. */
export interface Queues {
  /** Reads the store; the server calls it before it listens. */
  start(): Promise<void>;
  /** Known and existing, in no time; undefined does not mean that it is not there when other nodes share the store. */
  known(environment: string, name: string): Queue | undefined;
  /** @throws TodokuError `not_found`. */
  get(environment: string, name: string): Promise<Queue>;
  /** The incarnation that is there once the changes that are under way have ended; undefined when there is none. */
  current(environment: string, name: string): Promise<Queue | undefined>;
  /** All that are known; those of one environment if it is given. */
  all(environment?: string): readonly Queue[];
  /** @throws TodokuError `not_found`, `permission_denied`. */
  read(principal: Principal, name: string): Promise<Queue>;
  /** @throws TodokuError `already_exists`, `invalid_argument`, `limit_exceeded`, `permission_denied`. */
  create(principal: Principal, name: string, settings?: QueueChanges): Promise<Queue>;
  /** @throws TodokuError `not_found`, `invalid_argument`, `permission_denied`. */
  update(principal: Principal, name: string, changes: QueueChanges): Promise<Queue>;
  /** @throws TodokuError `not_found`, `permission_denied`; `failed_precondition`: it is built in, or another queue's dead-letter queue. */
  delete(principal: Principal, name: string): Promise<void>;
  /** Drops all messages: a new incarnation of the queue. @throws TodokuError `not_found`, `permission_denied`. */
  purge(principal: Principal, name: string): Promise<void>;
  /** Those the principal may see, by name. */
  list(principal: Principal): readonly Queue[];
  onChange(listener: (change: QueueChange) => void): void;
  /** The environment is being destroyed: its queues are as deleted. */
  forgetEnvironment(environment: string): void;
  /** Compares with the store, all or those of one environment: for hints of other nodes, the tick each second, and a new environment. */
  refresh(environment?: string): Promise<void>;
}

export function createQueues(engine: Engine, wallMs: () => number): Queues {
  return new QueueRegistry(engine, wallMs);
}

class QueueRegistry implements Queues {
  readonly #engine: Engine;
  readonly #wallMs: () => number;
  readonly #environments = new Map<string, Map<string, Queue>>();
  readonly #listeners: ((change: QueueChange) => void)[] = [];
  /** The last change under way, by environment. */
  readonly #changes = new Map<string, Promise<unknown>>();

  constructor(engine: Engine, wallMs: () => number) {
    this.#engine = engine;
    this.#wallMs = wallMs;
    engine.bus.listen((hint) => {
      if (hint.kind !== "record-changed" || hint.recordKind !== recordKind) return;
      this.refresh().catch(() => {}); // as if the hint were lost: the tick of each second comes anyway
    });
  }

  start(): Promise<void> {
    return this.refresh();
  }

  async refresh(only?: string): Promise<void> {
    const stored = (await this.#engine.records.list(recordKind, only)).map(toQueue);
    const alive = new Set(stored.map(({ environment, queue }) => `${environment}/${queue}`));
    for (const queue of stored) this.#apply(queue.environment, queue.queue, queue);
    for (const { environment, queue } of this.all(only)) {
      if (!alive.has(`${environment}/${queue}`)) this.#apply(environment, queue, undefined);
    }
  }

  known(environment: string, name: string): Queue | undefined {
    return this.#environments.get(environment)?.get(name);
  }

  async get(environment: string, name: string): Promise<Queue> {
    const queue = this.known(environment, name) ?? (await this.#stored(environment, name));
    if (queue) return queue;
    throw notFound(name);
  }

  async current(environment: string, name: string): Promise<Queue | undefined> {
    await this.#changes.get(environment);
    return this.#stored(environment, name);
  }

  all(environment?: string): readonly Queue[] {
    const found =
      environment === undefined ? [...this.#environments.values()] : [this.#environments.get(environment) ?? new Map()];
    return found.flatMap((queues): Queue[] => [...queues.values()]);
  }

  async read(principal: Principal, name: string): Promise<Queue> {
    authorize(principal, "queue.read", "", name);
    return this.get(principal.environment, name);
  }

  async create(principal: Principal, name: string, settings: QueueChanges = {}): Promise<Queue> {
    authorize(principal, "queue.create", "", name);
    checkQueueName(name);
    const { environment } = principal;
    const wanted = changeSettings(defaultSettings, settings);
    return this.#inTurn(environment, async () => {
      if (this.all(environment).length >= limits.queue.perEnvironment) {
        throw new TodokuError(
          "limit_exceeded",
          `environment "${environment}" has ${limits.queue.perEnvironment} queues, the most it may have`,
        );
      }
      await this.#checkDeadLetter(environment, name, settings);
      const createdAtMs = this.#wallMs();
      const document = { ...wanted, createdAtMs, modifiedAtMs: createdAtMs };
      const record = await this.#engine.records.create(keyOf(environment, name), document).catch((error: unknown) => {
        if (!(error instanceof TodokuError) || error.code !== "already_exists") throw error;
        throw new TodokuError("already_exists", `queue "${name}" exists already`, { subject: "queue" });
      });
      return this.#changed(toQueue(record));
    });
  }

  async update(principal: Principal, name: string, changes: QueueChanges): Promise<Queue> {
    authorize(principal, "queue.update", "", name);
    const { environment } = principal;
    changeSettings(defaultSettings, changes); // what is wrong in itself need not wait for its turn
    return this.#inTurn(environment, async () => {
      await this.#checkDeadLetter(environment, name, changes);
      for (let tries = 1; ; tries++) {
        const was = await this.#stored(environment, name);
        if (!was) throw notFound(name);
        const times = { createdAtMs: was.createdAtMs, modifiedAtMs: this.#wallMs() };
        const document = { ...changeSettings(was, changes), ...times };
        try {
          const record = await this.#engine.records.replace(keyOf(environment, name), document, was.version);
          return this.#changed(toQueue(record));
        } catch (error) {
          if (!(error instanceof TodokuError) || error.code !== "failed_precondition" || tries === maxTries)
            throw error;
        }
      }
    });
  }

  async delete(principal: Principal, name: string): Promise<void> {
    authorize(principal, "queue.delete", "", name);
    if (isBuiltInQueue(name)) refuseDeletion("queue", name);
    const { environment } = principal;
    await this.#inTurn(environment, async () => {
      const queue = await this.get(environment, name);
      if (!this.#engine.isSingleNode) await this.refresh();
      this.#checkUnreferenced(queue);
      // Both in one turn of the loop, so that the embedded engine commits them together.
      await Promise.all([this.#engine.records.remove(keyOf(environment, name)), this.#engine.queues.forget(queue)]);
      if (this.known(environment, name)?.queueId === queue.queueId) this.#apply(environment, name, undefined);
      this.#tell(environment, name);
    });
  }

  async purge(principal: Principal, name: string): Promise<void> {
    authorize(principal, "queue.purge", "", name);
    const { environment } = principal;
    await this.#inTurn(environment, async () => {
      const queue = await this.get(environment, name);
      const [record] = await Promise.all([
        this.#engine.records.renew(keyOf(environment, name)),
        this.#engine.queues.forget(queue),
      ]);
      this.#changed(toQueue(record));
    });
  }

  list(principal: Principal): readonly Queue[] {
    if (!principal.isSuperUser && !principal.grants.some((grant) => grant.resource === "queue")) {
      authorize(principal, "queue.list");
    }
    return this.all(principal.environment)
      .filter((queue) => isAllowed(principal, "queue.list", "", queue.queue))
      .sort((a, b) => (a.queue < b.queue ? -1 : 1));
  }

  onChange(listener: (change: QueueChange) => void): void {
    this.#listeners.push(listener);
  }

  forgetEnvironment(environment: string): void {
    for (const { queue } of this.all(environment)) this.#apply(environment, queue, undefined);
    this.#environments.delete(environment);
  }

  /** What the store says now; with one node that is what is known. */
  async #stored(environment: string, name: string): Promise<Queue | undefined> {
    if (!this.#engine.isSingleNode) {
      const record = await this.#engine.records.read(keyOf(environment, name));
      this.#apply(environment, name, record && toQueue(record));
    }
    return this.known(environment, name);
  }

  /** Changes of one environment go one after the other: they look at each other (dead-letter queues, how many there are). */
  async #inTurn<T>(environment: string, change: () => Promise<T>): Promise<T> {
    const before = this.#changes.get(environment);
    const done = (async () => {
      await before;
      return change();
    })();
    const ended = done.catch(() => {}); // whoever asked for the change is told
    this.#changes.set(environment, ended);
    try {
      return await done;
    } finally {
      if (this.#changes.get(environment) === ended) this.#changes.delete(environment);
    }
  }

  async #checkDeadLetter(environment: string, name: string, { deadLetter }: QueueChanges): Promise<void> {
    if (!deadLetter) return;
    checkQueueName(deadLetter.queue);
    if (deadLetter.queue === name) {
      throw new TodokuError("invalid_argument", `queue "${name}" cannot be its own dead-letter queue`);
    }
    const target = this.known(environment, deadLetter.queue) ?? (await this.#stored(environment, deadLetter.queue));
    if (!target) {
      throw new TodokuError("invalid_argument", `the dead-letter queue "${deadLetter.queue}" does not exist`);
    }
    if (target.deadLetterSources === undefined || target.deadLetterSources.includes(name)) return;
    const text = `queue "${deadLetter.queue}" takes no dead letters of queue "${name}": it is not among its deadLetterSources`;
    throw new TodokuError("invalid_argument", text);
  }

  #checkUnreferenced({ environment, queue: name }: Queue): void {
    const users = this.all(environment).filter(({ deadLetter }) => deadLetter?.queue === name);
    if (users.length === 0) return;
    const names = users.slice(0, 10).map(({ queue }) => `"${queue}"`);
    throw new TodokuError(
      "failed_precondition",
      `queue "${name}" is the dead-letter queue of ${names.join(", ")}${users.length > 10 ? " and more" : ""}: change those first`,
    );
  }

  #changed(now: Queue): Queue {
    this.#apply(now.environment, now.queue, now);
    this.#tell(now.environment, now.queue);
    return now;
  }

  #tell(environment: string, name: string): void {
    this.#engine.bus.send({ kind: "record-changed", recordKind, environment, name });
  }

  /** Takes over what the store says of one name, and tells the listeners of an incarnation that is gone. */
  #apply(environment: string, name: string, now: Queue | undefined): void {
    let queues = this.#environments.get(environment);
    if (!queues) {
      queues = new Map();
      this.#environments.set(environment, queues);
    }
    const was = queues.get(name);
    // A record read before a later change of our own must not bring back what was before it.
    if (was && now && isOlder(now, was)) return;
    if (now) queues.set(name, now);
    else queues.delete(name);
    if (!was || was.queueId === now?.queueId) return;
    for (const listener of this.#listeners) listener({ was, now });
  }
}

function isOlder(now: Queue, was: Queue): boolean {
  return now.queueId < was.queueId || (now.queueId === was.queueId && now.version <= was.version);
}

/** The error that every call about a missing queue gives. */
export function notFound(name: string): TodokuError {
  return new TodokuError("not_found", `queue "${name}" does not exist`, { subject: "queue" });
}

function keyOf(environment: string, name: string) {
  return { kind: recordKind, environment, name };
}

function toQueue({ environment, name, id, version, document }: StoredRecord): Queue {
  const {
    createdAtMs,
    modifiedAtMs = 0,
    ...settings
  } = document as unknown as QueueSettings & {
    readonly createdAtMs: number;
    readonly modifiedAtMs?: number;
  };
  return {
    ...defaultSettings, // records of before a setting was there lack it
    ...settings,
    ...{ environment, queue: name, queueId: id, version, createdAtMs },
    modifiedAtMs: Math.max(createdAtMs, modifiedAtMs), // a copy is newer than the last change of what it is copied from
  };
}
