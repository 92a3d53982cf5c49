import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import type { Log } from "../../lib/log.ts";
import type { Deadline, TimerWheel } from "../../lib/timer-wheel.ts";
import type { PresenceChange } from "./presence.ts";
import type { PresenceOutput } from "./presence-output.ts";
import type { AnnouncedKey, Announcement, PresenceStore } from "./store.ts";
import type { Populations, User } from "./users.ts";

/** Users of one batch: to announce and tell so many takes the main thread some 3 ms. */
const batchMax = 128;
const retryMs = 1000;
/**
 * From one batch to the next while fewer than a full one wait: whoever comes meanwhile shares its two commits. At 2,000 new users a second batches
 * would have a dozen users each, and a sign-in would cost 430 us of CPU in all threads instead of 350.
 */
const gatherMs = 25;
/** Users that are tried again at once while it is in vain: a tenth of a second of the main thread. */
const triedAgainMax = 1000;

interface AnnouncerParts {
  readonly store: Pick<PresenceStore, "announce" | "told">;
  readonly populations: Populations;
  readonly output: PresenceOutput;
  readonly wheel: Pick<TimerWheel, "schedule">;
  readonly log: Log;
}

/**
 * Announces what became of users: durable first, then told, then marked as told. One batch at a time, so that the changes of a user keep
 * their order. What waits is the newest state of each user, however often it changed meanwhile.
 */
export class Announcer {
  readonly #parts: AnnouncerParts;
  /** Oldest first. */
  readonly #waiting = new Set<User>();
  /** Those for whom the storage, or a queue, had no room: tried again after a second. */
  readonly #failed = new Set<User>();
  /** The newest that was told, of each user. */
  readonly #unmarked = new Map<User, AnnouncedKey>();
  readonly #watchers = new Map<string, Set<(change: PresenceChange) => void>>();
  #retry: Deadline | undefined;
  #running: Promise<void> | undefined;
  #state: "idle" | "started" | "stopped" = "idle";

  constructor(parts: AnnouncerParts) {
    this.#parts = parts;
  }

  start(): void {
    if (this.#state === "idle") this.#state = "started";
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#retry?.cancel();
    await this.#running;
  }

  /** Something of the user may be to announce or to tell. */
  add(user: User): void {
    if (user.untold || isNews(user)) this.#waiting.add(user);
    else this.#settle(user);
    this.#wake();
  }

  forget(user: User): void {
    this.#waiting.delete(user);
    this.#failed.delete(user);
    this.#unmarked.delete(user);
  }

  watch(environment: string, userId: string, listener: (change: PresenceChange) => void): () => void {
    const key = keyOf(environment, userId);
    const listeners = this.#watchers.get(key) ?? new Set();
    this.#watchers.set(key, listeners);
    const own = (change: PresenceChange) => listener(change); // somebody may watch twice
    listeners.add(own);
    return () => {
      if (listeners.delete(own) && listeners.size === 0 && this.#watchers.get(key) === listeners) {
        this.#watchers.delete(key);
      }
    };
  }

  /** Until nothing waits; what failed is tried once, some of it when that fails again. */
  async runOnce(): Promise<void> {
    await this.#running;
    while (this.#state === "started") {
      const some = [...take(this.#failed, triedAgainMax)];
      for (const user of some) this.#waiting.add(user);
      await this.#run();
      if (some.length < triedAgainMax || some.some((user) => this.#failed.has(user))) return;
    }
  }

  #wake(): void {
    if (this.#waiting.size > 0 && this.#running === undefined) void this.#run();
  }

  #run(): Promise<void> {
    if (this.#state !== "started") return Promise.resolve();
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined;
      if (this.#failed.size > 0 || this.#unmarked.size > 0) this.#tryLater();
      this.#wake(); // somebody may have come since the last look
    });
    return this.#running;
  }

  async #work(): Promise<void> {
    // Users who come in one turn of the loop share a batch.
    await nextTurn();
    let marked: Promise<void> | undefined;
    while (this.#state === "started" && this.#waiting.size > 0) {
      const batch = [...take(this.#waiting, batchMax)];
      if (!(await this.#announce(batch))) break;
      await this.#tell(batch.filter(({ untold }) => untold));
      await this.#gather();
      marked = this.#mark(); // shares the commit of the next batch
    }
    await marked;
    await this.#mark();
  }

  async #gather(): Promise<void> {
    const { size } = this.#waiting;
    if (this.#state === "started" && size > 0 && size < batchMax) await pause(gatherMs);
  }

  /** False: the storage takes nothing. */
  async #announce(batch: readonly User[]): Promise<boolean> {
    const news = batch.filter((user) => !user.untold && isNews(user));
    const announcements = news.map(({ environment, userId, status, sinceMs }): Announcement => {
      return { environment, userId, status, atMs: sinceMs };
    });
    if (news.length === 0) return true;
    // It is the storage's own to say why it takes nothing. Nobody hears of anything before it takes this.
    const seqs = await this.#parts.store.announce(announcements).catch(() => undefined);
    if (seqs === undefined) {
      for (const user of [...batch, ...this.#waiting]) this.#fail(user);
      this.#waiting.clear();
      return false;
    }
    for (const [n, user] of news.entries()) this.#announced(user, announcements[n] as Announcement, seqs[n] ?? 0);
    return true;
  }

  #announced(user: User, { environment, userId, status, atMs }: Announcement, seq: number): void {
    if (seq === 0 || !this.#parts.populations.isKnown(user)) return;
    const change = { environment, userId, status, seq, atMs };
    user.announced = { status, seq, atMs };
    user.untold = { change, left: this.#parts.output.destinations() };
    for (const listener of [...(this.#watchers.get(keyOf(environment, userId)) ?? [])]) {
      try {
        listener(change);
      } catch (error) {
        this.#parts.log.error({ err: error }, "who watches a user could not be told");
      }
    }
  }

  async #tell(batch: readonly User[]): Promise<void> {
    await Promise.all(
      batch.map(async (user) => {
        if (!user.untold) return;
        const { change, left } = user.untold;
        const stillLeft = left.length === 0 ? left : await this.#parts.output.tell(change, left);
        if (!this.#parts.populations.isKnown(user)) return;
        user.untold.left = stillLeft;
        if (stillLeft.length > 0) return this.#fail(user);
        user.untold = undefined;
        this.#unmarked.set(user, { environment: change.environment, userId: change.userId, seq: change.seq });
        this.add(user);
      }),
    );
  }

  /** What cannot be marked is told once more after a restart, and known as a repeat for some minutes. */
  async #mark(): Promise<void> {
    const told = [...this.#unmarked];
    if (told.length === 0) return;
    this.#unmarked.clear();
    try {
      await this.#parts.store.told(told.map(([, key]) => key));
    } catch {
      for (const [user, key] of told) if (!this.#unmarked.has(user)) this.#unmarked.set(user, key);
    }
  }

  #fail(user: User): void {
    if (this.#parts.populations.isKnown(user)) this.#failed.add(user);
  }

  #tryLater(): void {
    this.#retry ??= this.#parts.wheel.schedule(retryMs, () => {
      this.#retry = undefined;
      void this.runOnce();
    });
  }

  /** Nothing is left to say of somebody who is OFFLINE: that is what it means not to be known. */
  #settle(user: User): void {
    if (user.status === "OFFLINE" && user.connections.length === 0) this.#parts.populations.forgetUser(user);
  }
}

function isNews({ status, announced }: User): boolean {
  return status !== (announced?.status ?? "OFFLINE");
}

function* take(users: Set<User>, most: number): Generator<User> {
  for (const user of users) {
    if (most-- <= 0) return;
    users.delete(user);
    yield user;
  }
}

// With its length the environment's name ends where it ends.
function keyOf(environment: string, userId: string): string {
  return `${environment.length} ${environment}${userId}`;
}
