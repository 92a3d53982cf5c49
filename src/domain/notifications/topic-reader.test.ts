import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aNotificationStore, until } from "../../../test/support/notifications.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";

const history = { maxItems: 64, maxBytes: 2 ** 30, maxAgeMs: 2 ** 40, environmentMaxBytes: 2 ** 40 };
let store: Awaited<ReturnType<typeof aNotificationStore>>;
beforeAll(async () => {
  store = await aNotificationStore(history);
});
afterAll(() => store[Symbol.asyncDispose]());

describe("the cursor of the topic", () => {
  it("is stored soon: after a crash what was delivered before that comes again, and nothing is left out", async () => {
    const first = await store.domain();
    first.notificationWorker.start();
    const alice = first.connect("alice");
    await first.publish({ data: 1 });
    await until(() => alice.frames.length === 1);
    first.advance(limits.webhook.saveMs + 50);
    await first.settled();
    await first.publish({ data: 2 });
    await until(() => alice.frames.length === 2);
    await store.store.restart();

    const second = await store.domain({ environment: first.environment });
    const again = second.connect("alice");
    second.notificationWorker.start();
    await second.publish({ data: 3 });
    await until(() => again.frames.at(-1) === "3");
    expect(again.frames).toEqual(["2", "3"]);
    await second.notificationWorker.stop();
  });

  it("begins with the first request there ever was, though the server crashed before it was read", async () => {
    const first = await store.domain();
    await first.publish({ data: 1 });
    const second = await store.domain({ environment: first.environment });
    const alice = second.connect("alice");
    second.notificationWorker.start();
    await until(() => alice.frames.length === 1);
    await second.notificationWorker.stop();
  });

  it("goes on when the cache is flushed", async () => {
    const domain = await store.domain();
    domain.notificationWorker.start();
    const alice = domain.connect("alice");
    await domain.publish({ data: 1 });
    await until(() => alice.frames.length === 1);
    await domain.caches.flush(domain.principal, "events");
    await domain.publish({ data: 2 });
    await until(() => alice.frames.length === 2);
    await domain.notificationWorker.stop();
    const again = await store.domain({ environment: domain.environment });
    const bob = again.connect("bob");
    again.notificationWorker.start();
    await again.publish({ data: 3 });
    await until(() => bob.frames.length === 1);
    expect(bob.frames).toEqual(["3"]);
    await again.notificationWorker.stop();
  });

  it("lets the history drop nothing silently: what is not carried out yet becomes a dead letter", async () => {
    const domain = await store.domain({ offline: "queue" });
    domain.notificationWorker.start();
    const alice = domain.connect("alice");
    const { send } = domain.queueMessages;
    let isFull = true;
    domain.queueMessages.send = async (principal, queue, messages) => {
      if (!isFull || queue !== "offline") return send.call(domain.queueMessages, principal, queue, messages);
      return messages.map(() => new TodokuError("unavailable", "the disk is full"));
    };
    await domain.publish({ users: ["nobody"], data: "blocks" });
    await domain.settled();
    const count = 2 * history.maxItems;
    for (let n = 0; n < count; n++) await domain.publish({ data: n });
    while (await domain.engine.topics.disk.trim(domain.clock.steadyMs()));
    // Until what was published lies in memory no more.
    for (const waitMs of [1100, 2100, 4100]) {
      domain.advance(waitMs);
      await domain.settled();
    }
    isFull = false;
    domain.advance(8100);
    await until(() => alice.frames.at(-1) === String(count - 1));
    const dead: string[] = [];
    await until(async () => {
      for (const letter of await domain.take("notifications-dlq")) {
        dead.push(letter.body);
        expect(letter).toMatchObject({ error: expect.stringMatching(/history could not keep/) });
      }
      return dead.length + alice.frames.length >= count;
    });
    const data = [...dead.map((body) => Number(JSON.parse(body).data)), ...alice.frames.map(Number)];
    expect(data.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n));
    expect(dead.length).toBeGreaterThan(0);
    await domain.notificationWorker.stop();
  });
});
