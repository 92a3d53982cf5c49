import { createHash } from "node:crypto";
import { serverPrincipal } from "../auth/principal.ts";
import { builtInQueues } from "../environments/built-ins.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { eventsCache } from "../names.ts";
import type { QueueMessages } from "../queues/messages.ts";
import type { Queues } from "../queues/queues.ts";
import type { Topics } from "../topics/topics.ts";
import type { NotificationRequest } from "./request.ts";

/** The queue, or the topic of the cache `events`. */
const name = "offline";
/** What is being stored at a time for one request. */
const usersAtOnce = 100;

/** Where notifications go whose users are not there. */
export type OfflineTarget = "none" | "queue" | "topic";

/** What {@link OfflineMessages} works with. */
export interface OfflineOptions {
  readonly target: OfflineTarget;
  readonly topics: Pick<Topics, "publish">;
  readonly queues: Pick<Queues, "create" | "known">;
  readonly queueMessages: Pick<QueueMessages, "send">;
}

/** Keeps what users who are OFFLINE did not get, for a backend that tells them by other means. */
export class OfflineMessages {
  readonly #options: OfflineOptions;

  constructor(options: OfflineOptions) {
    this.#options = options;
  }

  /**
   * One message for each of the users; resolves when all are durable. `key` names the request: the same one within `limits.messageIdWindowMs`
   * stores nothing twice. @throws TodokuError `unavailable`, `limit_exceeded`.
   */
  async store(environment: string, users: readonly string[], request: NotificationRequest, key: string): Promise<void> {
    if (this.#options.target === "none") return;
    for (let first = 0; first < users.length; first += usersAtOnce) {
      const some = users.slice(first, first + usersAtOnce).map((userId) => toMessage(userId, request, key));
      if (this.#options.target === "topic")
        await Promise.all(some.map((message) => this.#publish(environment, message)));
      else await this.#send(environment, some);
    }
  }

  /** Makes the queue where it is missing. @throws TodokuError `unavailable`, `limit_exceeded`. */
  async ensure(environment: string): Promise<void> {
    const { target, queues } = this.#options;
    if (target !== "queue" || queues.known(environment, name)) return;
    const { messages } = builtInQueues;
    const settings = { visibilityMs: messages?.visibilityMs, retentionMs: messages?.retentionMs };
    await queues.create(serverPrincipal(environment), name, settings).catch((error: unknown) => {
      if (!(error instanceof TodokuError) || error.code !== "already_exists") throw error;
    });
  }

  async #publish(environment: string, { body, ...message }: OfflineMessage): Promise<void> {
    const value = { isText: true, bytes: Buffer.from(body) };
    await this.#options.topics.publish(serverPrincipal(environment), eventsCache, name, { value, ...message });
  }

  async #send(environment: string, messages: readonly OfflineMessage[]): Promise<void> {
    await this.ensure(environment);
    const { batchMaxMessages } = limits.queue;
    const sends: Promise<unknown>[] = [];
    for (let first = 0; first < messages.length; first += batchMaxMessages) {
      const batch = messages.slice(first, first + batchMaxMessages);
      const sent = this.#options.queueMessages.send(serverPrincipal(environment), name, batch).then((results) => {
        const refused = results.find((result) => result instanceof TodokuError);
        if (refused) throw refused;
      });
      sends.push(sent);
    }
    await Promise.all(sends);
  }
}

type OfflineMessage = ReturnType<typeof toMessage>;

function toMessage(userId: string, { data, id }: NotificationRequest, key: string) {
  const user = JSON.stringify(userId);
  return {
    body: `{"user_id":${user},"data":${data}${id === undefined ? "" : `,"id":${JSON.stringify(id)}`}}`,
    attributes: { user_id: { type: "String", value: userId } },
    messageId: `${name}-${createHash("sha256").update(`${key}\n${userId}`).digest("base64url")}`,
  };
}
