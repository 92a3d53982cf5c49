import type { Clock } from "../../lib/clock.ts";
import { newId } from "../../lib/random-ids.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import { problemOfUserId } from "../auth/user-id.ts";
import { TodokuError } from "../errors.ts";
import { oneByOne, stoppingError } from "../topics/stopping.ts";
import type { Connection, EndAdvice, SharedMessage } from "./connection.ts";
import { HeldMessages } from "./held-messages.ts";
import { connectionNotFound, findConnection, listConnections, listUsers, mayReachSome } from "./listing.ts";
import type { PresenceTracker } from "./presence.ts";
import type { OpenConnection, Population, Populations, User } from "./users.ts";

/** Who gets a message: these users, or everybody but these. */
export type Audience = { readonly users: ReadonlySet<string> } | { readonly except: ReadonlySet<string> };

/** What became of a message. */
interface Delivered {
  /** Those that took it. */
  readonly connections: number;
  /** Those that did not: their client does not read. */
  readonly undelivered: number;
  /** Users who lost their last connection a moment ago, for whom it is held. */
  readonly held: number;
  /** Of the users that the audience names. */
  readonly offlineUsers: readonly string[];
}

/** What a door says of a new connection. */
type WantedConnection = Pick<
  Connection,
  "environment" | "userId" | "principal" | "path" | "address" | "userAgent" | "outlet"
> & {
  /** One of `newId` that nobody else has; default: a new one. */
  readonly id?: string | undefined;
};

/** Which connections to end. */
export type KickTarget =
  | { readonly connectionId: string }
  | { readonly userId: string }
  | { readonly tokenId: string }
  | { readonly everyone: true };

/** Where a page begins (the cursor of the one before), and how many it may have: 1..`limits.connection.pageMax`. */
export interface PageRequest {
  readonly after?: string | undefined;
  readonly limit: number;
}

/** A user who is ONLINE. */
export interface ConnectedUser {
  readonly userId: string;
  /** 0: the last one was lost a moment ago. */
  readonly connections: number;
  /** Wall time. */
  readonly onlineSinceMs: number;
}

/** Of one environment; those that are gone are counted together under "", for a sum must not fall. */
export interface ConnectionStats {
  /** Open now. */
  connections: number;
  /** ONLINE now. */
  users: number;
  opened: number;
  /** Messages that connections took. */
  delivered: number;
  /** Messages that a connection did not take, or that were held for a user who did not come back. */
  undelivered: number;
  /** Messages that are held now. */
  held: number;
}

/** The open WebSockets of all environments, by user. */
export interface Connections {
  /**
   * The outlet may get messages as soon as the turn of the loop that called this goes on to its microtasks: what was held for the user comes first.
   * @throws TodokuError `limit_exceeded` (subject "connections"): the user has as many as it may; `unavailable`: the server stops.
   */
  open(wanted: WantedConnection): Connection;
  /** Its socket has closed. */
  close(connection: Connection): void;
  /** Its client has a newer credential of the same user. */
  renew(connection: Connection, principal: Principal): void;
  get(environment: string, id: string): Connection | undefined;
  ofUser(environment: string, userId: string): readonly Connection[];
  /** Hands a message to every connection of its audience; users who were connected a moment ago have it held for them, within bounds. Connections without a user get nothing. */
  deliver(environment: string, audience: Audience, message: SharedMessage): Delivered;
  /** Those who are ONLINE whom the principal may see, first come first. @throws TodokuError `invalid_argument`, `permission_denied`. */
  listUsers(
    principal: Principal,
    page: PageRequest,
  ): { readonly users: readonly ConnectedUser[]; readonly cursor: string | undefined };
  /** @throws TodokuError `permission_denied`. */
  listOf(principal: Principal, userId: string): readonly Connection[];
  /** Those that the principal may see, first come first. @throws TodokuError `invalid_argument`, `permission_denied`. */
  list(
    principal: Principal,
    page: PageRequest,
  ): { readonly connections: readonly Connection[]; readonly cursor: string | undefined };
  /** @throws TodokuError `permission_denied`; `not_found` (subject "connection"): there is none of this id, for those who may see some. */
  find(principal: Principal, connectionId: string): Connection;
  /**
   * To this connection alone, whoever its user is; what is held for the user comes before it.
   * @throws TodokuError as `find`; `not_found` too when it does not take it: it is being closed, and nothing was written.
   */
  send(principal: Principal, connectionId: string, message: SharedMessage): void;
  /** Ends connections of the principal's environment. @returns how many. @throws TodokuError `permission_denied`. */
  kick(principal: Principal, what: KickTarget, advice: EndAdvice): number;
  /** Announces nothing more, takes no new connections and ends all, in random order, evenly spread over `overMs`; what is held goes to those who care for users who are OFFLINE. */
  drain(overMs: number): Promise<void>;
  stats(): ReadonlyMap<string, ConnectionStats>;
  /** The environment is being destroyed: its connections are ended by their credentials, and nothing is held any more. */
  forgetEnvironment(environment: string): void;
}

export interface ConnectionsParts {
  readonly populations: Populations;
  readonly presence: Pick<PresenceTracker, "came" | "left" | "onOffline" | "forget" | "stop">;
  readonly clock: Pick<Clock, "wallMs">;
  readonly wheel: Pick<TimerWheel, "schedule">;
  /** Of one user; 0: no limit. Asked each time: it may be set anew. */
  readonly userConnectionsMax: () => number;
}

export function createConnections(parts: ConnectionsParts): Connections {
  return new ConnectionService(parts);
}

/** Connections that are ended in one turn of the loop: some 2 ms. */
const endsPerTurn = 200;

class ConnectionService implements Connections {
  readonly #parts: ConnectionsParts;
  readonly #populations: Populations;
  readonly #held: HeldMessages;
  #isStopping = false;

  constructor(parts: ConnectionsParts) {
    this.#parts = parts;
    this.#populations = parts.populations;
    this.#held = new HeldMessages(parts.populations);
    parts.presence.onOffline((user) => this.#held.giveUpOf(user));
  }

  open(wanted: WantedConnection): Connection {
    if (this.#isStopping) throw stoppingError();
    const user = wanted.userId === undefined ? undefined : this.#enter(wanted.environment, wanted.userId);
    const { environment, userId, principal, path, address, userAgent, outlet } = wanted;
    // One literal without spreads, which take ten times as long: after a restart everybody comes at once.
    const connection: OpenConnection = {
      id: wanted.id ?? newId(),
      environment,
      userId,
      principal,
      path,
      address,
      userAgent,
      outlet,
      user,
      number: this.#populations.nextNumber(),
      connectedAtMs: this.#parts.clock.wallMs(),
    };
    const { connections, stats } = this.#populations.of(wanted.environment);
    connections.set(connection.id, connection);
    stats.connections++;
    stats.opened++;
    if (!user) return connection;
    user.connections = [...user.connections, connection];
    if (user.connections.length === 1) this.#parts.presence.came(user);
    if (user.held) queueMicrotask(() => this.#handOver(user));
    return connection;
  }

  close(connection: Connection): void {
    const population = this.#populations.find(connection.environment);
    const known = population?.connections.get(connection.id);
    if (!population || !known) return;
    population.connections.delete(known.id);
    population.stats.connections--;
    const { user } = known;
    if (!user) return;
    user.connections = user.connections.filter((one) => one !== known);
    if (user.connections.length === 0) this.#parts.presence.left(user);
  }

  renew(connection: Connection, principal: Principal): void {
    const known = this.#populations.find(connection.environment)?.connections.get(connection.id);
    if (known) known.principal = principal;
  }

  get(environment: string, id: string): Connection | undefined {
    return this.#populations.find(environment)?.connections.get(id);
  }

  ofUser(environment: string, userId: string): readonly Connection[] {
    return this.#populations.user(environment, userId)?.connections ?? [];
  }

  deliver(environment: string, audience: Audience, message: SharedMessage): Delivered {
    const population = this.#populations.find(environment);
    const result = { connections: 0, undelivered: 0, held: 0, offlineUsers: [] as string[] };
    if ("users" in audience) {
      for (const userId of audience.users) {
        const user = population?.users.get(userId);
        if (user && this.#mayReach(user)) this.#deliverTo(user, message, result);
        else result.offlineUsers.push(userId);
      }
    } else {
      for (const user of population?.users.values() ?? []) {
        if (this.#mayReach(user) && !audience.except.has(user.userId)) this.#deliverTo(user, message, result);
      }
    }
    if (population) {
      population.stats.delivered += result.connections;
      population.stats.undelivered += result.undelivered;
    }
    return result;
  }

  listUsers(principal: Principal, page: PageRequest) {
    return listUsers(principal, this.#populations.find(principal.environment), page);
  }

  listOf(principal: Principal, userId: string): readonly Connection[] {
    authorize(principal, "connection.read", "", userId);
    return this.ofUser(principal.environment, userId);
  }

  list(principal: Principal, page: PageRequest) {
    return listConnections(principal, this.#populations.find(principal.environment), page);
  }

  find(principal: Principal, connectionId: string): Connection {
    return findConnection(principal, this.#populations.find(principal.environment), "connection.read", connectionId);
  }

  send(principal: Principal, connectionId: string, message: SharedMessage): void {
    const population = this.#populations.find(principal.environment);
    const { user, outlet } = findConnection(principal, population, "connection.send", connectionId);
    if (user?.held) this.#handOver(user);
    const isTaken = outlet.deliver(message);
    if (population) population.stats[isTaken ? "delivered" : "undelivered"]++;
    if (!isTaken) throw connectionNotFound(connectionId);
  }

  kick(principal: Principal, what: KickTarget, advice: EndAdvice): number {
    const population = this.#populations.find(principal.environment);
    const found = findTarget(population, what);
    if (found.length === 0 && "connectionId" in what && mayReachSome(principal, "connection.kick")) return 0;
    const user = "userId" in what ? what.userId : "connectionId" in what ? found[0]?.userId : undefined;
    authorize(principal, "connection.kick", "", user ?? "");
    endInTurns(found, advice);
    return found.length;
  }

  async drain(overMs: number): Promise<void> {
    this.#isStopping = true;
    // Before the first is ended: who is sent away comes back in a moment, here or at the next start.
    const presenceStopped = this.#parts.presence.stop();
    const all = [...this.#populations.all()];
    const connections = all.flatMap((population) => [...population.connections.values()]);
    const advice = { reason: "the server is stopping", reconnect: true };
    await oneByOne(connections, overMs, this.#parts.wheel, ({ outlet }) => outlet.end(advice));
    for (const { users } of all) for (const user of users.values()) this.#held.giveUpOf(user);
    await presenceStopped;
  }

  stats() {
    return this.#populations.stats();
  }

  forgetEnvironment(environment: string): void {
    const users = [...(this.#populations.forget(environment)?.users.values() ?? [])];
    this.#parts.presence.forget(users);
    for (const user of users) this.#held.drop(user);
  }

  /** Room for one more connection of the user. */
  #enter(environment: string, userId: string): User {
    checkUserId(userId);
    const max = this.#parts.userConnectionsMax();
    const count = this.ofUser(environment, userId).length;
    if (max === 0 || count < max) return this.#populations.ensureUser(environment, userId);
    throw new TodokuError("limit_exceeded", `user "${userId}" has ${count} connections; must be <= ${max}`, {
      subject: "connections",
    });
  }

  /** Who lost the last connection because the server stops does not come back to it. */
  #mayReach({ status, connections }: User): boolean {
    return status === "ONLINE" && (connections.length > 0 || !this.#isStopping);
  }

  #deliverTo(user: User, message: SharedMessage, result: { connections: number; undelivered: number; held: number }) {
    if (user.connections.length === 0) {
      this.#held.hold(user, message);
      result.held++;
      return;
    }
    if (user.held) this.#handOver(user);
    for (const { outlet } of user.connections) {
      if (outlet.deliver(message)) result.connections++;
      else result.undelivered++;
    }
  }

  /** What was held comes before anything newer. The newest connection gets it: the one with which the user came back. */
  #handOver(user: User): void {
    const connection = user.connections.at(-1);
    if (!connection) return; // it has closed already: the messages wait for the next
    const stats = this.#populations.find(user.environment)?.stats;
    this.#held.handOver(user, (message) => {
      const isTaken = connection.outlet.deliver(message);
      if (isTaken && stats) stats.delivered++;
      return isTaken;
    });
  }
}

function findTarget(population: Population | undefined, what: KickTarget): readonly Connection[] {
  if (!population) return [];
  if ("userId" in what) return population.users.get(what.userId)?.connections ?? [];
  if ("connectionId" in what) {
    const connection = population.connections.get(what.connectionId);
    return connection ? [connection] : [];
  }
  const all = [...population.connections.values()];
  return "tokenId" in what ? all.filter(({ principal }) => principal.tokenId === what.tokenId) : all;
}

/** Ten thousand at once would hold up everybody else for a tenth of a second. */
function endInTurns(connections: readonly Connection[], advice: EndAdvice): void {
  for (const { outlet } of connections.slice(0, endsPerTurn)) outlet.end(advice);
  if (connections.length > endsPerTurn) setImmediate(() => endInTurns(connections.slice(endsPerTurn), advice));
}

/** @throws TodokuError `invalid_argument`. */
function checkUserId(userId: string): void {
  const problem = problemOfUserId(userId);
  if (problem !== undefined) throw new TodokuError("invalid_argument", `user id ${problem}`);
}
