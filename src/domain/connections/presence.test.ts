import { createHash } from "node:crypto";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { anEngine, type TestEngine } from "../../../test/support/engine.ts";
import { aUserDomain, type PresenceBody, type UserDomain } from "../../../test/support/users.ts";
import { serverPrincipal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import type { PresenceChange } from "./presence.ts";

const time = { elapsedMs: 0 };
const startMs = 1_800_000_000_000;
const refused = async () => {
  throw new TodokuError("unavailable", "the disk is full");
};
let store: TestEngine;
beforeAll(async () => {
  store = await anEngine({ wallMs: () => startMs + time.elapsedMs });
});
const running: UserDomain[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map(({ presence }) => presence.stop()));
  await store.empty();
});
afterAll(() => store[Symbol.asyncDispose]());

async function started(options: Parameters<typeof aUserDomain>[2] = {}, engine: Engine = store.engine) {
  const domain = await aUserDomain(engine, time, options);
  running.push(domain);
  await domain.presence.start();
  await domain.settled();
  return domain;
}

const statusesOf = async (domain: UserDomain, topic?: string) =>
  (await domain.told(topic)).map(({ user_id, status }) => `${user_id} ${status}`);

describe("presence", () => {
  it("tells ONLINE with the first connection of a user and OFFLINE a grace after the last, and nothing between", async () => {
    const domain = await started();
    const first = domain.open("alice");
    const second = domain.open("alice");
    await domain.settled();
    first.close();
    domain.advance(60_000);
    await domain.settled();
    second.close();
    domain.advance(4900);
    await domain.settled();
    expect(await statusesOf(domain)).toEqual(["alice ONLINE"]);
    domain.advance(200);
    await domain.settled();
    const [online, offline] = await domain.told();
    expect([online, offline]).toEqual([
      { user_id: "alice", status: "ONLINE", timestamp: expect.any(Number), seq: expect.any(Number) },
      { user_id: "alice", status: "OFFLINE", timestamp: domain.nowMs() / 1000, seq: expect.any(Number) },
    ]);
    expect(offline?.seq).toBeGreaterThan(online?.seq ?? Number.NaN);
    expect(await domain.told("presence")).toEqual([online, offline]);
  });

  it("tells nothing at all of a user who is back within the grace", async () => {
    const domain = await started();
    domain.open("alice").close();
    await domain.settled();
    domain.advance(4900);
    const { close } = domain.open("alice");
    domain.advance(60_000);
    await domain.settled();
    expect(await statusesOf(domain)).toEqual(["alice ONLINE"]);
    close();
    domain.advance(4900);
    expect(domain.presence.of("dev", "alice")).toMatchObject({ status: "ONLINE" });
  });

  it("tells each change at once without a grace", async () => {
    const domain = await started({ graceMs: 0 });
    for (let n = 0; n < 2; n++) {
      const { close } = domain.open("alice");
      await domain.settled();
      close();
      await domain.settled();
    }
    expect(await statusesOf(domain)).toEqual(["alice ONLINE", "alice OFFLINE", "alice ONLINE", "alice OFFLINE"]);
    expect(domain.presence.of("dev", "alice")).toBeUndefined();
  });

  it("tells nothing of a user who came and left before the storage was asked", async () => {
    const domain = await started({ graceMs: 0 });
    domain.open("alice").close();
    await domain.settled();
    expect(await domain.told()).toEqual([]);
  });

  it("carries the article's attributes, in milliseconds, to the topics and the queue that are named, and nowhere else", async () => {
    const domain = await started({ to: ["queue", "presence-topic"] });
    domain.open("ü/ 😀");
    await domain.settled();
    expect(await domain.told("messages")).toEqual([]);
    const start = { page: 0, sequence: 0 };
    const { items } = await domain.topics.history(serverPrincipal("dev"), "events", "presence", start, 9);
    const attributes = {
      user_id: { type: "String", value: "ü/ 😀" },
      timestamp: { type: "Number", value: String(domain.nowMs()) },
      source: { type: "String", value: "lambda.presence.watchdog" },
    };
    expect(items[0]).toMatchObject({ attributes, tokenId: "" });
    const [message] = await domain.queueMessages.peek(serverPrincipal("dev"), "messages", 0, 9);
    expect(message).toMatchObject({ attributes });
    expect((JSON.parse(message?.body ?? "") as PresenceBody).message.timestamp).toBe(domain.nowMs() / 1000);
    const nowhere = await started({ to: [] });
    nowhere.open("bob");
    await nowhere.settled();
    expect(nowhere.presence.of("dev", "bob")).toMatchObject({ status: "ONLINE" });
    expect(await nowhere.told("presence")).toHaveLength(1);
  });

  it("keeps users of one name in two environments apart", async () => {
    const domain = await started({ graceMs: 0 });
    await domain.environments.ensure("prod");
    await domain.caches.refresh();
    const { close } = domain.open("alice");
    domain.open("alice", { environment: "prod" });
    await domain.settled();
    close();
    await domain.settled();
    expect((await domain.told("messages", "prod")).map(({ status }) => status)).toEqual(["ONLINE"]);
    expect(await statusesOf(domain)).toEqual(["alice ONLINE", "alice OFFLINE"]);
  });
});

describe("watching a user", () => {
  it("hears each change from then on, in order, until it stops; twice when it watches twice", async () => {
    const domain = await started({ graceMs: 0 });
    const heard: [number, PresenceChange][] = [];
    const stops = [1, 2].map((n) => domain.presence.watch("dev", "alice", (change) => heard.push([n, change])));
    const { close } = domain.open("alice");
    domain.open("bob");
    await domain.settled();
    stops[1]?.();
    close();
    await domain.settled();
    expect(heard.map(([n, { userId, status }]) => [n, userId, status])).toEqual([
      [1, "alice", "ONLINE"],
      [2, "alice", "ONLINE"],
      [1, "alice", "OFFLINE"],
    ]);
    expect((await domain.told()).filter(({ user_id }) => user_id === "alice").map(({ seq }) => seq)).toEqual([
      heard[0]?.[1].seq,
      heard[2]?.[1].seq,
    ]);
  });

  it("that fails hinders nobody", async () => {
    const domain = await started();
    domain.presence.watch("dev", "alice", () => {
      throw new Error("a broken watcher");
    });
    domain.open("alice");
    await domain.settled();
    expect(await statusesOf(domain)).toEqual(["alice ONLINE"]);
  });
});

describe("a storage that refuses", () => {
  it("keeps the newest state of each user, tells nobody meanwhile, and tries each second", async () => {
    let isRefusing = true;
    const { presence } = store.engine;
    const announce: typeof presence.announce = (batch) => (isRefusing ? refused() : presence.announce(batch));
    const domain = await started({ graceMs: 0 }, { ...store.engine, presence: { ...presence, announce } });
    const heard: PresenceChange[] = [];
    domain.presence.watch("dev", "alice", (change) => heard.push(change));
    domain.open("alice");
    domain.open("bob").close();
    const carol = domain.open("carol");
    await domain.settled();
    carol.close();
    await domain.settled();
    expect([heard, domain.presence.of("dev", "alice")]).toEqual([[], undefined]);
    isRefusing = false;
    const isTold = new Promise((resolve) => domain.presence.watch("dev", "alice", resolve));
    domain.advance(1020);
    await isTold;
    await domain.settled();
    expect(await statusesOf(domain)).toEqual(["alice ONLINE"]);
  });

  it("asks a full destination for a thousand of very many users each second, in turn, and for all once it has room", async () => {
    const domain = await started({ to: ["queue"] });
    const { send } = domain.queueMessages;
    let isFull = true;
    let asked: string[] = [];
    domain.queueMessages.send = async (principal, queue, messages) => {
      asked.push(...messages.map(({ messageId = "" }) => messageId));
      if (!isFull) return send.call(domain.queueMessages, principal, queue, messages);
      return messages.map(() => new TodokuError("limit_exceeded", "the queues are full"));
    };
    const count = 1500;
    for (let n = 0; n < count; n++) domain.open(`user ${n}`);
    await domain.settled();
    asked = [];
    await domain.settled();
    await domain.settled();
    expect([asked.length, new Set(asked).size]).toEqual([2000, count]);
    isFull = false;
    asked = [];
    await domain.settled();
    expect(new Set(asked).size).toBe(count);
    expect(await domain.queueMessages.counts(serverPrincipal("dev"), "messages")).toMatchObject({ ready: count });
  });

  it("tells one user's change later, in order, when the destination has no room, and others' at once", async () => {
    const full = new Set(["alice"]);
    const { queues } = store.engine;
    const send: typeof queues.send = async (queue, messages) =>
      messages.some(({ body }) => [...full].some((user) => body.includes(user)))
        ? messages.map(() => new TodokuError("limit_exceeded", "the queues are full"))
        : queues.send(queue, messages);
    const domain = await started(
      { graceMs: 0, to: ["queue", "topic"] },
      { ...store.engine, queues: { ...queues, send } },
    );
    const { close } = domain.open("alice");
    await domain.settled();
    close();
    domain.open("bob");
    await domain.settled();
    const queued = async () =>
      (await domain.queueMessages.peek(serverPrincipal("dev"), "messages", 0, 9)).map(({ body }) => {
        const { message } = JSON.parse(body) as PresenceBody;
        return `${message.user_id} ${message.status}`;
      });
    expect(await queued()).toEqual(["bob ONLINE"]);
    full.clear();
    await domain.settled();
    expect(await queued()).toEqual(["bob ONLINE", "alice ONLINE", "alice OFFLINE"]);
    expect(await statusesOf(domain)).toEqual(["alice ONLINE", "bob ONLINE", "alice OFFLINE"]);
  });
});

describe("who may publish beside presence", () => {
  it.each(["token", "user"] as const)("cannot as a %s swallow what is told by taking its message id", async (kind) => {
    const domain = await started({ to: ["topic", "queue"] });
    const user = `alice of ${kind}`;
    const sender = { ...serverPrincipal("dev"), kind };
    const digest = createHash("sha256").update(user).digest("base64url");
    const messageId = `presence-${digest}-${Math.floor(domain.nowMs() / 1000)}`;
    const value = { isText: true, bytes: Buffer.from("x") };
    const refusal = expect.objectContaining({ code: "permission_denied", message: expect.stringMatching(/presence-/) });
    const publish = async () => domain.topics.publish(sender, "events", "messages", { value, messageId });
    await expect(publish()).rejects.toThrow(refusal);
    await expect(domain.queueMessages.send(sender, "messages", [{ body: "x", messageId }])).rejects.toThrow(refusal);
    domain.open(user);
    await domain.settled();
    expect(await statusesOf(domain)).toEqual([`${user} ONLINE`]);
  });
});

describe("a restart", () => {
  it("tells OFFLINE a grace after the doors are open of those who did not come back, and nothing of those who did", async () => {
    const before = await started();
    for (const user of ["back before", "back after", "gone"]) before.open(user);
    await before.settled();
    await store.restart();
    const domain = await aUserDomain(store.engine, time);
    domain.open("back before");
    domain.advance(60_000);
    await domain.presence.start();
    domain.advance(4900);
    domain.open("back after");
    await domain.settled();
    expect(domain.connections.listUsers(serverPrincipal("dev"), { limit: 10 }).users).toHaveLength(3);
    expect(await domain.told()).toHaveLength(3);
    domain.advance(200);
    await domain.settled();
    expect((await statusesOf(domain)).slice(3)).toEqual(["gone OFFLINE"]);
    const seqs = (await domain.told()).filter(({ user_id }) => user_id === "gone").map(({ seq }) => seq);
    expect(seqs[1]).toBeGreaterThan(seqs[0] ?? Number.NaN);
  });

  it("tells the first at once, and those who come a moment later together", async () => {
    const { presence } = store.engine;
    const batches: number[] = [];
    const announce: typeof presence.announce = async (batch) => {
      if (batches.push(batch.length) > 1) return presence.announce(batch);
      domain.open("bob");
      const seqs = await presence.announce(batch);
      setTimeout(() => domain.open("carol"), 5); // begun before the time until the next batch, and shorter
      return seqs;
    };
    const domain = await started({}, { ...store.engine, presence: { ...presence, announce } });
    domain.open("alice");
    await domain.settled();
    expect(batches).toEqual([1, 2]);
  });

  it("tells again what was announced and not told, with the same number", async () => {
    const { topics } = store.engine;
    const deaf = { ...topics, disk: Object.assign(Object.create(topics.disk), { append: refused }) };
    const before = await started({}, { ...store.engine, topics: deaf });
    const heard: PresenceChange[] = [];
    before.presence.watch("dev", "alice", (change) => heard.push(change));
    before.open("alice");
    await before.settled();
    expect(heard).toHaveLength(1);
    await store.restart();
    const domain = await started();
    expect(await domain.told()).toMatchObject([{ status: "ONLINE", seq: heard[0]?.seq }]);
    domain.advance(5020);
    await domain.settled();
    expect(await statusesOf(domain, "presence")).toEqual(["alice ONLINE", "alice OFFLINE"]);
  });

  it("knows as a repeat what was told and could not be marked as told", async () => {
    const { presence } = store.engine;
    const before = await started(
      { to: ["topic", "queue"] },
      { ...store.engine, presence: { ...presence, told: refused } },
    );
    before.open("alice");
    await before.settled();
    expect(await before.told()).toHaveLength(1);
    await store.restart();
    expect(await store.engine.presence.read(undefined, 10)).toMatchObject([{ userId: "alice", isTold: false }]);
    const domain = await started({ to: ["topic", "queue"] });
    expect(await domain.told()).toHaveLength(1);
    expect(await domain.queueMessages.peek(serverPrincipal("dev"), "messages", 0, 9)).toHaveLength(1);
    expect(await store.engine.presence.read(undefined, 10)).toMatchObject([{ userId: "alice", isTold: true }]);
  });

  it("after a graceful stop announces nothing of those who come back", async () => {
    const before = await started();
    const { connection } = before.open("alice");
    await before.settled();
    await before.connections.drain(0);
    before.connections.close(connection);
    before.advance(60_000);
    await store.restart();
    const domain = await started();
    domain.open("alice");
    domain.advance(60_000);
    await domain.settled();
    expect(await statusesOf(domain)).toEqual(["alice ONLINE"]);
  });

  it("of a thousand who come back announces nothing; of those who do not, some hundred at a time", async () => {
    const before = await started({ to: [] });
    const users = Array.from({ length: 1000 }, (_, n) => `user ${n}`);
    for (const user of users) before.open(user);
    await before.settled();
    await store.restart();
    const batches: number[] = [];
    const { presence } = store.engine;
    const announce: typeof presence.announce = (batch) => {
      batches.push(batch.length);
      return presence.announce(batch);
    };
    const domain = await started({ to: [] }, { ...store.engine, presence: { ...presence, announce } });
    const opened = users.map((user) => domain.open(user));
    domain.advance(60_000);
    await domain.settled();
    expect(batches).toEqual([]);
    for (const { close } of opened) close();
    domain.advance(5020);
    await domain.settled();
    expect(batches).toEqual([128, 128, 128, 128, 128, 128, 128, 104]);
    expect(await presence.read(undefined, 10)).toEqual([]);
  });
});

describe("any order of coming, leaving and time", () => {
  it("gives each user ONLINE and OFFLINE in turn with growing numbers, and ends with what is true", async () => {
    const step = fc.record({
      act: fc.constantFrom("open", "open", "close", "close", "wait", "settle", "refuse"),
      user: fc.constantFrom("a", "b", "c"),
      ms: fc.nat(8000),
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.constantFrom(0, 5000), async (steps, graceMs) => {
        let isRefusing = false;
        const { presence } = store.engine;
        const announce: typeof presence.announce = (batch) => (isRefusing ? refused() : presence.announce(batch));
        const domain = await started({ graceMs }, { ...store.engine, presence: { ...presence, announce } });
        const prefix = `${++run} `;
        const heard = new Map<string, PresenceChange[]>();
        for (const user of ["a", "b", "c"].map((name) => prefix + name)) {
          const changes: PresenceChange[] = [];
          heard.set(user, changes);
          domain.presence.watch("dev", user, (change) => changes.push(change));
        }
        const open = new Map<string, (() => void)[]>([...heard.keys()].map((user) => [user, []]));
        for (const { act, user: name, ms } of steps) {
          const user = prefix + name;
          if (act === "open") open.get(user)?.push(domain.open(user).close);
          else if (act === "close") open.get(user)?.pop()?.();
          else if (act === "wait") domain.advance(ms);
          else if (act === "refuse") isRefusing = !isRefusing;
          else await domain.settled();
        }
        isRefusing = false;
        domain.advance(graceMs + 20);
        await domain.settled();
        const told = await domain.told();
        for (const [user, changes] of heard) {
          expect(changes.map(({ status }) => status)).toEqual(
            changes.map((_, n) => (n % 2 === 0 ? "ONLINE" : "OFFLINE")),
          );
          expect(changes.every(({ seq }, n) => n === 0 || seq > (changes[n - 1]?.seq ?? 0))).toBe(true);
          expect(changes.at(-1)?.status ?? "OFFLINE").toBe(open.get(user)?.length ? "ONLINE" : "OFFLINE");
          expect(told.filter(({ user_id }) => user_id === user).map(({ seq }) => seq)).toEqual(
            changes.map(({ seq }) => seq),
          );
        }
        await domain.presence.stop();
      }),
      { numRuns: 40 },
    );
  });
});
