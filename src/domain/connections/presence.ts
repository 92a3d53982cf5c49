import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { Environments } from "../environments/environments.ts";
import { limits } from "../limits.ts";
import { Announcer } from "./announcer.ts";
import type { PresenceOutput } from "./presence-output.ts";
import type { Announced, PresenceStore } from "./store.ts";
import type { Populations, User } from "./users.ts";

/** A user came or left. */
export type PresenceChange = Omit<Announced, "isTold">;

/** What is known of a user: what was announced last. */
export type PresenceState = Pick<Announced, "status" | "seq" | "atMs">;

/** Who is ONLINE: one state machine per user, whose changes are durable before anybody hears of them. */
export interface Presence {
  /** To be called once the doors are open: reads who was ONLINE before; whoever is not back after the grace is OFFLINE. @throws TodokuError `unavailable`. */
  start(): Promise<void>;
  /** Announces nothing more: who was ONLINE stays it, and the next start compares. Resolves when the batch under way has ended. */
  stop(): Promise<void>;
  /** Announces what waits, and tries again what failed. `nowMs` is of the wall clock. */
  runOnce(nowMs: number): Promise<void>;
  /** Undefined: nothing is known, so the user is OFFLINE. */
  of(environment: string, userId: string): PresenceState | undefined;
  /** Calls `listener` with each change of the user, in order, from now until the answer is called. Whether the caller may is its own to ask. */
  watch(environment: string, userId: string, listener: (change: PresenceChange) => void): () => void;
}

/** What connections tell it, and hear of it. */
export interface PresenceTracker extends Presence {
  /** The user has its first connection. */
  came(user: User): void;
  /** The user has lost its last connection. */
  left(user: User): void;
  /** Called at once when a user is OFFLINE, before that is announced. */
  onOffline(listener: (user: User) => void): void;
  /** Nobody of the environment is anybody any more; nothing of it is announced. */
  forget(users: Iterable<User>): void;
}

export interface PresenceParts {
  readonly store: PresenceStore;
  readonly populations: Populations;
  readonly output: PresenceOutput;
  readonly environments: Pick<Environments, "known">;
  readonly clock: Pick<Clock, "wallMs">;
  readonly wheel: Pick<TimerWheel, "schedule">;
  readonly log: Log;
  /** How long a user without connections is ONLINE. Asked each time: it may be set anew. */
  readonly graceMs: () => number;
}

/** Graces of all who do not come back after a start would end in one turn of the loop: a thousand of them take 2 ms. */
const pageSpreadMs = 20;

export function createPresence(parts: PresenceParts): PresenceTracker {
  return new PresenceService(parts);
}

class PresenceService implements PresenceTracker {
  readonly #parts: PresenceParts;
  readonly #announcer: Announcer;
  readonly #offline: ((user: User) => void)[] = [];
  #isStopped = false;

  constructor(parts: PresenceParts) {
    this.#parts = parts;
    this.#announcer = new Announcer(parts);
  }

  async start(): Promise<void> {
    const { store, environments } = this.#parts;
    let page = await store.read(undefined, limits.connection.pageMax);
    for (let extraMs = 0; page.length > 0; extraMs += pageSpreadMs) {
      for (const row of page) if (environments.known(row.environment)) this.#resume(row, extraMs);
      page = await store.read(page.at(-1), limits.connection.pageMax);
    }
    this.#announcer.start();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#announcer.stop();
  }

  runOnce(): Promise<void> {
    return this.#announcer.runOnce();
  }

  of(environment: string, userId: string): PresenceState | undefined {
    return this.#parts.populations.user(environment, userId)?.announced;
  }

  watch(environment: string, userId: string, listener: (change: PresenceChange) => void): () => void {
    return this.#announcer.watch(environment, userId, listener);
  }

  came(user: User): void {
    user.grace?.cancel();
    user.grace = undefined;
    if (user.status === "ONLINE") return;
    this.#parts.populations.moveToEnd(user);
    this.#turn(user, "ONLINE", this.#parts.clock.wallMs());
    this.#announcer.add(user);
  }

  left(user: User, extraMs = 0): void {
    if (this.#isStopped || user.status === "OFFLINE" || !this.#parts.populations.isKnown(user)) return;
    const graceMs = this.#parts.graceMs();
    if (graceMs <= 0) this.#goneFor(user);
    else user.grace = this.#parts.wheel.schedule(graceMs + extraMs, () => this.#goneFor(user));
  }

  onOffline(listener: (user: User) => void): void {
    this.#offline.push(listener);
  }

  forget(users: Iterable<User>): void {
    for (const user of users) {
      user.grace?.cancel();
      this.#announcer.forget(user);
    }
  }

  #goneFor(user: User): void {
    user.grace = undefined;
    if (this.#isStopped) return;
    this.#turn(user, "OFFLINE", this.#parts.clock.wallMs());
    for (const listener of this.#offline) listener(user);
    this.#announcer.add(user);
  }

  #turn(user: User, status: User["status"], sinceMs: number): void {
    const { stats } = this.#parts.populations.of(user.environment);
    stats.users += status === "ONLINE" ? 1 : -1;
    user.status = status;
    user.sinceMs = sinceMs;
  }

  /** What an earlier process announced: who was ONLINE may come back within the grace, and has perhaps done so already. */
  #resume({ environment, userId, status, seq, atMs, isTold }: Announced, extraMs: number): void {
    const { populations, output } = this.#parts;
    const user = populations.ensureUser(environment, userId);
    if (user.announced) return;
    user.announced = { status, seq, atMs };
    if (!isTold) user.untold = { change: { environment, userId, status, seq, atMs }, left: output.destinations() };
    if (status === "ONLINE" && user.status === "OFFLINE") {
      populations.moveToEnd(user);
      this.#turn(user, "ONLINE", atMs);
      this.left(user, extraMs);
    } else if (status === "ONLINE") {
      user.sinceMs = atMs;
    }
    this.#announcer.add(user);
  }
}
