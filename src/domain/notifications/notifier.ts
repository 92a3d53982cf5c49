import { createHash, randomUUID } from "node:crypto";
import { type Log, logWith } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import { SharedMessage } from "../connections/connection.ts";
import type { Connections } from "../connections/connections.ts";
import { toTodokuError } from "../errors.ts";
import type { DeadRequests } from "./dead-requests.ts";
import type { NotificationCounts, NotificationStats } from "./notification-stats.ts";
import type { OfflineMessages } from "./offline-messages.ts";
import { type NotificationRequest, type RequestOptions, type SentRequest, toRequest } from "./request.ts";
import { retryAfterMs } from "./retry.ts";

/** Users whose part of a request is stored, or dies, together: with their ids the request is small enough for a queue. */
const vainMax = 100;

/** What became of a request: numbers of connections that took the frame and that did not, of users for whom it is held, and of users named that are OFFLINE. */
interface Notified {
  readonly connections: number;
  readonly undelivered: number;
  readonly held: number;
  readonly offlineUsers: number;
}

/** A request whose frames were handed over. */
export interface Handover {
  /** Stores what is for users who are OFFLINE. May be called again when it failed. @throws TodokuError `unavailable`, `limit_exceeded`. */
  complete(): Promise<Notified>;
  /** There is something to store. */
  readonly hasOffline: boolean;
}

/** Brings notifications to the connections of users. */
export interface Notifier {
  /**
   * Carries out a request of a caller: resolves when its frames were handed to the sockets, and when what is for users who are OFFLINE is durable.
   * @throws TodokuError `permission_denied`, `invalid_argument`, `limit_exceeded`, `unavailable`.
   */
  notify(principal: Principal, sent: SentRequest): Promise<Notified & { readonly id: string | undefined }>;
  /** Hands the frames over, in this turn of the loop. `key` names the request, for what must not be stored twice. */
  handOver(environment: string, request: NotificationRequest, key: string): Handover;
  /** Resolves when nothing that was held in vain is being stored. */
  idle(): Promise<void>;
  /** The environment is being destroyed: what was counted of it goes to those that are gone. */
  forgetEnvironment(environment: string): void;
  /** By environment, for metrics. */
  stats(): ReadonlyMap<string, NotificationStats>;
}

/** What a notifier is made of. */
export interface NotifierOptions extends RequestOptions {
  readonly connections: Pick<Connections, "deliver">;
  readonly offline: OfflineMessages;
  readonly dead: DeadRequests;
  readonly counts: NotificationCounts;
  readonly wheel: Pick<TimerWheel, "wait">;
  readonly log: Log;
}

export function createNotifier(options: NotifierOptions): Notifier {
  return new NotificationService(options);
}

class NotificationService implements Notifier {
  readonly #options: NotifierOptions;
  readonly #log: Log;
  readonly #storing = new Set<Promise<void>>();

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#log = logWith(options.log, { area: "notifications" });
  }

  async notify(principal: Principal, sent: SentRequest) {
    authorize(principal, "notification.send");
    const request = toRequest(sent, this.#options);
    const notified = await this.handOver(principal.environment, request, randomUUID()).complete();
    return { ...notified, id: request.id };
  }

  handOver(environment: string, request: NotificationRequest, key: string): Handover {
    const { connections, offline, counts } = this.#options;
    // Who is not there is told by other means only if the request asked for that very user.
    const isNamed = "users" in request.audience;
    const vain = new HeldInVain((users) => this.#storeInVain(environment, users, request, key));
    const onOffline = (userId: string) => {
      counts.of(environment).offline++;
      const begun = vain.add(userId);
      if (!begun) return;
      this.#storing.add(begun);
      void begun.then(() => this.#storing.delete(begun));
    };
    const message = new SharedMessage(request.text, isNamed ? onOffline : undefined);
    const delivered = connections.deliver(environment, request.audience, message);
    const { offlineUsers, ...numbers } = delivered;
    const stats = counts.of(environment);
    stats.requests++;
    stats.offline += offlineUsers.length;
    return {
      hasOffline: offlineUsers.length > 0,
      async complete() {
        await offline.store(environment, offlineUsers, request, key);
        return { ...numbers, offlineUsers: offlineUsers.length };
      },
    };
  }

  async idle(): Promise<void> {
    while (this.#storing.size > 0) await Promise.all(this.#storing);
  }

  forgetEnvironment(environment: string): void {
    this.#options.counts.forgetEnvironment(environment);
  }

  stats() {
    return this.#options.counts.all();
  }

  /** The users did not come back for a frame that was held. Never rejects. */
  async #storeInVain(environment: string, users: readonly string[], request: NotificationRequest, key: string) {
    const { offline, dead, wheel } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        return await offline.store(environment, users, request, key);
      } catch (caught) {
        const error = toTodokuError(caught);
        const waitMs = retryAfterMs(error, tries);
        if (waitMs !== undefined) {
          await wheel.wait(waitMs);
          continue;
        }
        const { data, id } = request;
        const body = `{"users":${JSON.stringify(users)},"data":${data}${id === undefined ? "" : `,"id":${JSON.stringify(id)}`}}`;
        // The others of the request have dead letters of their own.
        const dying = { body, error, source: "held" as const, key: `held-${nameOf(key, users)}` };
        return await dead.bury(environment, dying).catch((err: unknown) => {
          this.#log.warn({ environment, err }, "a notification for users who went offline could not be stored");
        });
      }
    }
  }
}

/** Users who went OFFLINE one after the other, stored together: ten thousand may go at once, and each takes a copy of the request. */
class HeldInVain {
  readonly #store: (users: readonly string[]) => Promise<void>;
  #waiting: string[] = [];
  #isRunning = false;

  /** `store` must not reject. */
  constructor(store: (users: readonly string[]) => Promise<void>) {
    this.#store = store;
  }

  /** Answers what it began, if it was at rest: resolves when it is so again. */
  add(userId: string): Promise<void> | undefined {
    this.#waiting.push(userId);
    return this.#isRunning ? undefined : this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    await undefined; // those who go in the same turn
    while (this.#waiting.length > 0) await this.#store(this.#waiting.splice(0, vainMax));
    this.#isRunning = false;
  }
}

function nameOf(key: string, users: readonly string[]): string {
  return createHash("sha256")
    .update(`${key}\n${JSON.stringify(users)}`)
    .digest("base64url");
}
