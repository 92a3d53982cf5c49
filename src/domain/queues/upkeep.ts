import type { Log } from "../../lib/log.ts";
import type { Dispatch } from "./dispatch.ts";
import type { Queues } from "./queues.ts";
import type { QueueStore } from "./store.ts";

/** Queues that one line of the log names. */
const loggedQueues = 20;

/** Drops what is past its retention and moves dead letters, in at most `maxSteps` steps. Nothing is dropped silently: the log says how many. */
export async function trimQueues(
  { store, queues, dispatch, log }: { store: QueueStore; queues: Queues; dispatch: Dispatch; log: Log },
  nowMs: number,
  maxSteps: number,
): Promise<void> {
  const expired = new Map<string, number>();
  for (let step = 0, hasMore = true; hasMore && step < maxSteps; step++) {
    const rules = queues.all().map((queue) => {
      return { key: queue, retentionMs: queue.retentionMs, deadLetter: dispatch.deadLetterRule(queue) };
    });
    const trimmed = await store.trim(nowMs, rules);
    hasMore = trimmed.hasMore;
    for (const [{ environment, queue }, messages] of trimmed.expired) {
      if (messages === 0) continue;
      dispatch.count(environment).expired += messages;
      const path = `${environment}/${queue}`;
      expired.set(path, (expired.get(path) ?? 0) + messages);
    }
    dispatch.deadLettered(trimmed.deadLettered);
  }
  if (expired.size === 0) return;
  const messages = [...expired.values()].reduce((sum, count) => sum + count, 0);
  const some = Object.fromEntries([...expired].slice(0, loggedQueues));
  log.warn({ area: "queues", messages, queues: some }, "messages were older than their queues keep them, and are gone");
}
