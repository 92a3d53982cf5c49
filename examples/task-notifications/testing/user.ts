import { keyCredential, localCredential, momentoClients, subscribe } from "../../../test/support/momento-node.ts";
import type { TaskNotification } from "../shared/task.ts";
import { anyAnswer } from "../shared/todoku.ts";
import type { SetUpTodoku } from "./application.ts";

/** A user who listens, and whose tasks go straight into the queue. */
export interface TestUser extends Disposable {
  readonly userId: string;
  /** What came, oldest first. */
  readonly notifications: readonly TaskNotification[];
  /** Resolves with the first that fits, past or to come; rejects after `timeoutMs`. */
  waitFor(taskId: string, status: TaskNotification["status"], timeoutMs?: number): Promise<TaskNotification>;
  /** Resolves when one more has come. */
  next(): Promise<unknown>;
  /** Queues a task whose id is its text. */
  queue(data: string): Promise<void>;
}

/** `token`: what the user listens with; by default the open access of dev mode. */
export async function aUser(todoku: SetUpTodoku, userId: string, token?: string): Promise<TestUser> {
  const { port } = todoku;
  const clients = momentoClients(token === undefined ? localCredential(port) : keyCredential(token, port));
  const received = await subscribe(clients.topics, todoku.names.cache, userId);
  const parse = () => received.items.map((item) => JSON.parse(item.valueString()) as TaskNotification);
  return {
    userId,
    get notifications() {
      return parse();
    },
    async waitFor(taskId, status, timeoutMs = 20_000) {
      const endMs = performance.now() + timeoutMs;
      for (;;) {
        const all = parse();
        const found = all.find((each) => each.taskId === taskId && each.status === status);
        if (found) return found;
        await received.waitFor(all.length + 1, endMs - performance.now());
      }
    },
    next: () => received.waitFor(received.items.length + 1, 20_000),
    async queue(data) {
      const body = JSON.stringify({ userId, taskId: data, data, queuedAtMs: Date.now() });
      await send(todoku, body, data);
    },
    [Symbol.dispose]() {
      received.subscription.unsubscribe();
      clients[Symbol.dispose]();
    },
  };
}

/** Puts any body into the task queue. */
export async function send(todoku: SetUpTodoku, body: string, messageId: string): Promise<void> {
  await todoku.admin.call("POST", `/v1/queues/${todoku.names.taskQueue}/send`, { body, messageId }, anyAnswer);
}
