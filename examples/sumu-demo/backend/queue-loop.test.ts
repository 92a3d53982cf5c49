import { expect, it } from "vitest";
import { aLog, silentLog } from "../../task-notifications/testing/log.ts";
import type { Message } from "../../task-notifications/worker/task-queue.ts";
import { startQueueLoop } from "./queue-loop.ts";

const aMessage = (messageId: string, receiveCount = 1): Message => ({
  ...{ messageId, receiptHandle: messageId, body: messageId, receiveCount },
});

it("handles each message of a batch by itself, and gives back only what failed (B26)", async () => {
  const batch = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].map((id) => aMessage(id, id === "c" ? 3 : 1));
  const [deleted, hidden]: [string[], unknown[]] = [[], []];
  const all = Promise.withResolvers<void>();
  let polls = 0;
  const loop = startQueueLoop({
    queue: {
      async receive(_max, _visibility, signal) {
        if (polls++ === 0) return batch;
        all.resolve();
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
      async delete({ messageId }) {
        deleted.push(messageId);
        return "done";
      },
      async hide({ messageId }, seconds) {
        hidden.push({ messageId, seconds });
        return "done";
      },
    },
    async handle({ messageId }) {
      if (messageId === "c") throw new Error("not now");
    },
    log: silentLog,
  });
  await all.promise;
  await loop.close();
  expect(deleted.sort()).toEqual(["a", "b", "d", "e", "f", "g", "h", "i", "j"]);
  expect(hidden).toEqual([{ messageId: "c", seconds: 4 }]);
});

it("says once that Todoku is away, and once that it is there again", async () => {
  const { log, lines, logged } = aLog();
  let polls = 0;
  const loop = startQueueLoop({
    queue: {
      async receive(_max, _visibility, signal) {
        if (polls++ < 2) throw new Error("away");
        if (polls === 3) return [];
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
      delete: async () => "done",
      hide: async () => "done",
    },
    handle: async () => {},
    log,
  });
  await logged("Todoku is there again");
  await loop.close();
  const levels = lines.map((line) => (JSON.parse(line) as { level: number }).level);
  expect(levels.filter((level) => level >= 30)).toEqual([40, 30]);
});
