import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { aNotificationStore, graceMs, type NotificationDomain, until } from "../../../test/support/notifications.ts";
import { openPrincipal } from "../auth/open-access.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";

let store: Awaited<ReturnType<typeof aNotificationStore>>;
let domain: NotificationDomain;
beforeAll(async () => {
  store = await aNotificationStore();
});
beforeEach(async () => {
  domain = await store.domain({ offline: "queue" });
  domain.notificationWorker.start();
});
afterEach(() => domain.notificationWorker.stop());
afterAll(() => store[Symbol.asyncDispose]());

const dlq = "notifications-dlq";
const doors = [["queue"], ["topic"]] as const;
const give = (door: "queue" | "topic", ...requests: (object | string)[]) =>
  door === "queue" ? domain.send(...requests) : domain.publish(...requests);
const stats = () => domain.notifier.stats().get(domain.environment);

describe.each(doors)("a request from the %s", (door) => {
  it("reaches each connection of its users once, and nobody else", async () => {
    const [phone, laptop, bob, eve] = ["alice", "alice", "bob", "eve"].map((user) => domain.connect(user));
    await give(door, { users: ["alice", "bob", "alice"], exclude_users: ["bob"], data: { a: 1 } });
    await until(() => bob?.frames.length === 1);
    expect([phone, laptop, bob, eve].map((one) => one?.frames)).toEqual([['{"a":1}'], ['{"a":1}'], ['{"a":1}'], []]);
  });

  it("reaches everybody but those it excludes, be they a hundred and more", async () => {
    const excluded = Array.from({ length: 150 }, (_, n) => domain.connect(`not-${n}`));
    const others = ["alice", "bob"].map((user) => domain.connect(user));
    await give(door, { exclude_users: excluded.map(({ connection }) => connection.userId), data: 1 });
    await until(() => others.every(({ frames }) => frames.length === 1));
    expect(excluded.flatMap(({ frames }) => frames)).toEqual([]);
  });

  it("reaches nobody of another environment", async () => {
    await domain.environments.ensure("other");
    const other = domain.connect("alice", "other");
    const own = domain.connect("alice");
    await give(door, { data: "all" }, { users: ["alice"], data: "one" });
    await until(() => own.frames.length === 2);
    expect(other.frames).toEqual([]);
    other.close();
  });

  it("is carried out though those beside it are no requests: they become dead letters that say why", async () => {
    const alice = domain.connect("alice");
    const large = JSON.stringify({ users: ["alice"], data: "a".repeat(limits.gateway.messageMaxBytes) });
    await give(door, { data: 1 }, "{", { users: ["alice"] }, large, { data: 2 });
    await until(async () => alice.frames.length === 2 && (await domain.ready(dlq)) === 3);
    expect(alice.frames).toEqual(["1", "2"]);
    const dead = await domain.take(dlq);
    expect(dead.toSorted((a, b) => a.body.length - b.body.length)).toEqual([
      { body: "{", error: "the request is not JSON", source: door },
      { body: '{"users":["alice"]}', error: "data is missing", source: door },
      { body: large, error: expect.stringMatching(/^request limit: data has 131074 bytes as a frame/), source: door },
    ]);
    expect(stats()).toEqual({ requests: 2, offline: 0, dead: 3 });
    await until(async () => (await domain.ready("notifications")) === 0);
  });

  it("comes in the order in which it was given", async () => {
    const alice = domain.connect("alice");
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    for (let first = 0; first < 100; first += 10) {
      await give(door, ...numbers.slice(first, first + 10).map((data) => ({ data })));
    }
    await until(() => alice.frames.length === 100);
    expect(alice.frames).toEqual(numbers.map(String));
  });

  it("is kept for users who are not there, one message each", async () => {
    const alice = domain.connect("alice");
    await give(door, { users: ["alice", "bob", "carol"], data: { a: 1 }, id: "n-1" });
    await until(
      async () =>
        domain.queues.known(domain.environment, "offline") !== undefined && (await domain.ready("offline")) === 2,
    );
    expect(alice.frames).toEqual(['{"id":"n-1","a":1}']);
    expect(await domain.take("offline")).toEqual(
      ["bob", "carol"].map((user) => ({
        body: `{"user_id":"${user}","data":{"a":1},"id":"n-1"}`,
        user_id: user,
      })),
    );
    expect(stats()).toEqual({ requests: 1, offline: 2, dead: 0 });
  });

  it("is kept for a user who lost the last connection a moment ago, until that user is OFFLINE", async () => {
    domain.connect("alice").close();
    await give(door, { users: ["alice"], data: 1 });
    await until(() => domain.connections.stats().get(domain.environment)?.held === 1);
    domain.advance(graceMs + 1000);
    await until(
      async () =>
        domain.queues.known(domain.environment, "offline") !== undefined && (await domain.ready("offline")) === 1,
    );
    expect(await domain.take("offline")).toEqual([{ body: '{"user_id":"alice","data":1}', user_id: "alice" }]);
  });

  it("is tried again when what it needs fails, hands no frame over twice, and dies after five tries", async () => {
    const alice = domain.connect("alice");
    const { send } = domain.queueMessages;
    let tries = 0;
    domain.queueMessages.send = async (principal, queue, messages) => {
      if (queue !== "offline") return send.call(domain.queueMessages, principal, queue, messages);
      tries++;
      return messages.map(() => new TodokuError("unavailable", "the disk is full"));
    };
    await give(door, { users: ["alice", "bob"], data: 1 });
    for (const [n, waitMs] of [1000, 2000, 4000, 8000].entries()) {
      await until(() => tries === n + 1);
      await domain.settled();
      domain.advance(waitMs - 100);
      await domain.settled();
      expect(tries).toBe(n + 1);
      domain.advance(1100);
    }
    await until(async () => (await domain.ready(dlq)) === 1);
    expect([tries, alice.frames]).toEqual([5, ["1"]]);
    const body = '{"users":["alice","bob"],"data":1}';
    expect(await domain.take(dlq)).toEqual([{ body, error: "the disk is full", source: door }]);
  });
});

describe("the worker", () => {
  it("carries out at its start what came while there was none, and nothing twice", async () => {
    const alice = domain.connect("alice");
    await domain.publish({ data: 1 });
    await domain.send({ data: 2 });
    await until(() => alice.frames.length === 2);
    await domain.notificationWorker.stop();
    await domain.publish({ data: 3 });
    await domain.send({ data: 4 });
    expect(alice.frames).toHaveLength(2);
    domain.notificationWorker.start();
    await until(() => alice.frames.length === 4);
    expect(alice.frames.slice(2).toSorted()).toEqual(["3", "4"]);
  });

  it("costs an environment nothing before its first request", async () => {
    await domain.notificationWorker.stop();
    const lists = [domain.topics, domain.queueMessages, domain.notifier].map((one) =>
      one.stats().has(domain.environment),
    );
    expect(lists).toEqual([false, false, false]);
  });

  it("takes no place of those who may wait, and does not count as somebody who waits", async () => {
    const alice = domain.connect("alice");
    await domain.send({ data: 1 });
    await until(async () => alice.frames.length === 1);
    expect(domain.queueMessages.stats().get(domain.environment)?.polls).toBe(0);
  });

  it("evaluates the audience at delivery, of a dead letter that is sent again too", async () => {
    await domain.send('{"exclude_users":["bob"],"data":}');
    await until(async () => (await domain.ready(dlq)) === 1);
    await domain.take(dlq);
    const body = '{"exclude_users":["bob"],"data":1}';
    await domain.queueMessages.send(domain.principal, dlq, [{ body }]);
    const [alice, bob] = [domain.connect("alice"), domain.connect("bob")];
    await domain.queueMessages.redrive(domain.principal, dlq, { to: "notifications", maxMessages: 10 });
    await until(() => alice.frames.length === 1);
    expect([alice.frames, bob.frames]).toEqual([["1"], []]);
  });

  it("tries no more often than the queue's own rule allows, so that each dead letter says why", async () => {
    const deadLetter = { queue: dlq, maxReceives: 1 };
    await domain.queues.update(domain.principal, "notifications", { deadLetter });
    const { send } = domain.queueMessages;
    domain.queueMessages.send = async (principal, queue, messages) => {
      if (queue !== "offline") return send.call(domain.queueMessages, principal, queue, messages);
      return messages.map(() => new TodokuError("unavailable", "the disk is full"));
    };
    await domain.send({ users: ["nobody"], data: 1 });
    await until(async () => (await domain.ready(dlq)) === 1);
    expect(await domain.take(dlq)).toMatchObject([{ error: "the disk is full" }]);
  });

  it("lets go of an environment that is destroyed, and goes on when there is one of that name again", async () => {
    const alice = domain.connect("alice");
    await domain.send({ data: 1 });
    await domain.publish({ data: 2 });
    await until(() => alice.frames.length === 2);
    const { environment } = domain;
    await domain.environments.destroy(openPrincipal, environment);
    expect(domain.notifier.stats().has(environment)).toBe(false);
    expect(domain.notifier.stats().get("")).toMatchObject({ requests: 2 });
    await domain.environments.ensure(environment);
    const again = domain.connect("alice");
    await domain.send({ data: 3 });
    await domain.publish({ data: 4 });
    await until(() => again.frames.length === 2);
  });

  it("keeps a request that is sent again at once and dies again", async () => {
    await domain.publish("{");
    for (let n = 0; n < 3; n++) {
      await until(async () => (await domain.ready(dlq)) === 1);
      await domain.queueMessages.redrive(domain.principal, dlq, { to: "notifications", maxMessages: 10 });
    }
    await until(async () => (await domain.ready(dlq)) === 1);
    expect(await domain.take(dlq)).toMatchObject([{ body: "{" }]);
  });

  it("takes bytes that are text for a request, and keeps others as base64", async () => {
    const alice = domain.connect("alice");
    for (const bytes of [Buffer.from('{"data":1}'), Buffer.from([0xff, 0xfe])]) {
      const value = { isText: false, bytes };
      await domain.topics.publish(domain.principal, "events", "notifications", { value });
    }
    await until(async () => alice.frames.length === 1 && (await domain.ready(dlq)) === 1);
    const error = "the request is not text in UTF-8";
    expect(await domain.take(dlq)).toEqual([{ body: "//4=", error, source: "topic" }]);
  });

  it("is held up by nothing that no queue takes as it is: no bytes, attributes that are no Unicode", async () => {
    const alice = domain.connect("alice");
    const attributes = { half: { type: "String", value: "\ud800" }, whole: { type: "String", value: "x" } };
    const value = { isText: true, bytes: Buffer.from("{") };
    const nothing = { isText: false, bytes: Buffer.alloc(0) };
    await domain.topics.publish(domain.principal, "events", "notifications", { value: nothing });
    await domain.topics.publish(domain.principal, "events", "notifications", { value, attributes });
    await domain.publish({ data: 1 });
    await until(() => alice.frames.length === 1);
    const dead = await domain.take(dlq);
    const error = "the request is not JSON";
    expect(dead).toEqual([
      { body: " ", error, source: "topic" },
      { body: "{", error, source: "topic", whole: "x" },
    ]);
  });

  it("loses what is dead, with a word of it, rather than hold up the topic when no dead letter is taken", async () => {
    const alice = domain.connect("alice");
    const { send } = domain.queueMessages;
    let tries = 0;
    domain.queueMessages.send = async (principal, queue, messages) => {
      if (queue !== dlq) return send.call(domain.queueMessages, principal, queue, messages);
      tries++;
      return messages.map(() => new TodokuError("limit_exceeded", "the queues are full"));
    };
    await domain.publish("{", { data: 1 });
    for (let n = 1; n < limits.notification.triesMax; n++) {
      await until(() => tries >= n);
      await domain.settled();
      domain.advance(1100);
    }
    await until(() => alice.frames.length === 1);
  });

  it("keeps for each user what was held in vain, also when it becomes a dead letter", async () => {
    for (const user of ["alice", "bob"]) domain.connect(user).close();
    const { send } = domain.queueMessages;
    let tries = 0;
    domain.queueMessages.send = async (principal, queue, messages) => {
      if (queue !== "offline") return send.call(domain.queueMessages, principal, queue, messages);
      tries++;
      return messages.map(() => new TodokuError("unavailable", "the disk is full"));
    };
    await domain.send({ users: ["alice", "bob"], data: 1 });
    await until(() => domain.connections.stats().get(domain.environment)?.held === 2);
    domain.advance(graceMs + 1000);
    for (let n = 1; n < limits.notification.triesMax; n++) {
      await until(() => tries >= n);
      await domain.settled();
      domain.advance(9000);
    }
    const users: string[] = [];
    await until(async () => {
      for (const dead of await domain.take(dlq)) {
        expect(dead).toMatchObject({ source: "held" });
        users.push(...JSON.parse(dead.body).users);
      }
      return (await domain.ready(dlq)) === 0 && users.length > 0 && tries >= limits.notification.triesMax;
    });
    expect(users.toSorted()).toEqual(["alice", "bob"]);
  });

  it("stores what was held in vain a hundred users at a time, however many go at once", async () => {
    const count = 300;
    await domain.queues.create(domain.principal, "offline");
    for (let n = 0; n < count; n++) domain.connect(`user-${n}`).close();
    const { send } = domain.queueMessages;
    let [underWay, most, stored] = [0, 0, 0];
    domain.queueMessages.send = async (principal, queue, messages) => {
      underWay += messages.length;
      most = Math.max(most, underWay);
      const results = await send.call(domain.queueMessages, principal, queue, messages);
      underWay -= messages.length;
      if (queue === "offline") stored += messages.length;
      return results;
    };
    const users = Array.from({ length: count }, (_, n) => `user-${n}`);
    await domain.notifier.notify(domain.principal, { users, data: 1 });
    domain.advance(graceMs + 1000);
    await until(() => stored === count);
    expect(most).toBeLessThanOrEqual(100);
  });

  it("is idle once all is stored that was held for users whom a stop sends away", async () => {
    const users = Array.from({ length: 250 }, (_, n) => `user-${n}`);
    for (const user of users) domain.connect(user).close();
    await domain.queues.create(domain.principal, "offline");
    await domain.notifier.notify(domain.principal, { users, data: 1 });
    await domain.connections.drain(0);
    await domain.notifier.idle();
    expect(await domain.ready("offline")).toBe(users.length);
  });

  it("looks at its start into every environment, though one has no room for a queue of those who are offline", async () => {
    await domain.notificationWorker.stop();
    const other = await store.domain({ offline: "queue" });
    const alice = other.connect("alice");
    await other.send({ data: 1 });
    const { create } = other.queues;
    other.queues.create = async (principal, name, settings) => {
      if (principal.environment === other.environment) return create.call(other.queues, principal, name, settings);
      throw new TodokuError("limit_exceeded", "1000 queues; must be <= 1000");
    };
    other.notificationWorker.start();
    await until(() => alice.frames.length === 1);
    await other.notificationWorker.stop();
  });

  it("keeps as much of a dead request as a queue takes", async () => {
    const text = `{${"ü".repeat(limits.messageMaxBytes / 2 - 10)}`;
    await domain.publish(text);
    await until(async () => (await domain.ready(dlq)) === 1);
    const [dead] = await domain.take(dlq);
    expect(dead?.body.length).toBeGreaterThan(limits.messageMaxBytes / 2 - 1100);
    expect(text.startsWith(dead?.body ?? "none")).toBe(true);
  });

  it("keeps the attributes of a dead request, but for those that there is no room for", async () => {
    const attributes = Object.fromEntries(
      Array.from({ length: 10 }, (_, n) => [`a${n}`, { type: "String", value: "x" }]),
    );
    const others = { ...attributes, a9: { type: "String", value: "x" } };
    await domain.queueMessages.send(domain.principal, "notifications", [{ body: "{", attributes: others }]);
    await until(async () => (await domain.ready(dlq)) === 1);
    const [dead] = await domain.take(dlq);
    expect(Object.keys(dead ?? {})).toHaveLength(11);
    expect(dead).toMatchObject({ a0: "x", a7: "x", error: "the request is not JSON", source: "queue" });
  });
});
