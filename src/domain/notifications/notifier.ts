import { randomUUID } from "node:crypto";
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
  readonly wheel: Pick<TimerWheel, "schedule">;
  readonly log: Log;
}

export function createNotifier(options: NotifierOptions): Notifier {
  return new NotificationService(options);
}

class NotificationService implements Notifier {
  readonly #options: NotifierOptions;
  readonly #log: Log;

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
    const onOffline = (userId: string) => this.#heldInVain(environment, userId, request, key);
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

  forgetEnvironment(environment: string): void {
    this.#options.counts.forgetEnvironment(environment);
  }

  stats() {
    return this.#options.counts.all();
  }

  /** The user did not come back for a frame that was held. */
  #heldInVain(environment: string, userId: string, request: NotificationRequest, key: string, tries = 1): void {
    const { offline, dead, counts, wheel } = this.#options;
    if (tries === 1) counts.of(environment).offline++;
    offline.store(environment, [userId], request, key).catch((caught: unknown) => {
      const error = toTodokuError(caught);
      const waitMs = retryAfterMs(error, tries);
      if (waitMs !== undefined) {
        wheel.schedule(waitMs, () => this.#heldInVain(environment, userId, request, key, tries + 1));
        return;
      }
      const { data, id } = request;
      const body = `{"users":[${JSON.stringify(userId)}],"data":${data}${id === undefined ? "" : `,"id":${JSON.stringify(id)}`}}`;
      dead.bury(environment, { body, error, source: "held", key: `held-${key}` }).catch((err: unknown) => {
        this.#log.warn({ environment, err }, "a notification for a user who went offline could not be stored");
      });
    });
  }
}
