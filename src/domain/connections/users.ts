import type { Deadline } from "../../lib/timer-wheel.ts";
import type { Principal } from "../auth/principal.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionStats } from "./connections.ts";
import type { Holding } from "./held-messages.ts";
import type { PresenceChange, PresenceState } from "./presence.ts";
import type { PresenceDestination } from "./presence-output.ts";
import type { PresenceStatus } from "./store.ts";

/** A connection as its service sees it. */
export interface OpenConnection extends Connection {
  principal: Principal;
  /** Of its arrival: grows, and does not begin anew with the process. */
  readonly number: number;
  readonly user: User | undefined;
}

/** Somebody who is ONLINE, or of whom something is still to be told. */
export interface User {
  readonly environment: string;
  readonly userId: string;
  /** Replaced as a whole: whoever walks over them is not disturbed. */
  connections: readonly OpenConnection[];
  /** What is true now; it is announced soon. */
  status: PresenceStatus;
  /** Since when, wall time. */
  sinceMs: number;
  /** Of its coming: grows, and does not begin anew with the process. */
  number: number;
  /** Ends the time in which a user without connections is ONLINE. */
  grace: Deadline | undefined;
  held: Holding[] | undefined;
  announced: PresenceState | undefined;
  /** What is announced and durable, and where it has still to be told. */
  untold: { readonly change: PresenceChange; left: readonly PresenceDestination[] } | undefined;
}

/** The connections and users of one environment. */
export class Population {
  /** By id, first come first. */
  readonly connections = new Map<string, OpenConnection>();
  /** By user id, first come first. */
  readonly users = new Map<string, User>();
  readonly stats: ConnectionStats = { connections: 0, users: 0, opened: 0, delivered: 0, undelivered: 0, held: 0 };
}

/** Everybody, by environment. */
export class Populations {
  readonly #byEnvironment = new Map<string, Population>();
  readonly #gone = new Population();
  #lastNumber: number;

  /** @param wallMs no process opens more than a thousand connections in each millisecond of its life, so numbers of an earlier one are lower. */
  constructor(wallMs: number) {
    this.#lastNumber = wallMs * 1000;
  }

  nextNumber(): number {
    return ++this.#lastNumber;
  }

  find(environment: string): Population | undefined {
    return this.#byEnvironment.get(environment);
  }

  of(environment: string): Population {
    let population = this.#byEnvironment.get(environment);
    if (!population) {
      population = new Population();
      this.#byEnvironment.set(environment, population);
    }
    return population;
  }

  all(): Iterable<Population> {
    return this.#byEnvironment.values();
  }

  user(environment: string, userId: string): User | undefined {
    return this.#byEnvironment.get(environment)?.users.get(userId);
  }

  /** The user as it is known, or a new one who is OFFLINE. */
  ensureUser(environment: string, userId: string): User {
    const { users } = this.of(environment);
    let user = users.get(userId);
    if (!user) {
      user = {
        ...{ environment, userId, connections: [], status: "OFFLINE", sinceMs: 0, number: 0 },
        ...{ grace: undefined, held: undefined, announced: undefined, untold: undefined },
      };
      users.set(userId, user);
    }
    return user;
  }

  /** Behind all who came before. */
  moveToEnd(user: User): void {
    const { users } = this.of(user.environment);
    users.delete(user.userId);
    user.number = this.nextNumber();
    users.set(user.userId, user);
  }

  isKnown(user: User): boolean {
    return this.user(user.environment, user.userId) === user;
  }

  forgetUser(user: User): void {
    if (this.isKnown(user)) this.of(user.environment).users.delete(user.userId);
  }

  /** Of those that are gone, what only grows goes on to be counted under "". */
  forget(environment: string): Population | undefined {
    const was = this.#byEnvironment.get(environment);
    if (!was) return undefined;
    this.#byEnvironment.delete(environment);
    for (const name of ["opened", "delivered", "undelivered"] as const) this.#gone.stats[name] += was.stats[name];
    return was;
  }

  stats(): ReadonlyMap<string, ConnectionStats> {
    const all = [...this.#byEnvironment].map(([environment, { stats }]) => [environment, stats] as const);
    return new Map(this.#gone.stats.opened === 0 ? all : [...all, ["", this.#gone.stats]]);
  }
}
