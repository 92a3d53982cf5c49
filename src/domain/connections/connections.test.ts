import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { anEngine, type TestEngine } from "../../../test/support/engine.ts";
import { aUserDomain, type UserDomain } from "../../../test/support/users.ts";
import { openPrincipal } from "../auth/open-access.ts";
import type { Principal } from "../auth/principal.ts";
import { limits } from "../limits.ts";
import { SharedMessage } from "./connection.ts";
import type { Audience } from "./connections.ts";

const time = { elapsedMs: 0 };
const everybody: Audience = { except: new Set() };
const only = (...users: string[]): Audience => ({ users: new Set(users) });
const advice = { reason: "maintenance", reconnect: true, afterMs: 10 };
let store: TestEngine;
beforeAll(async () => {
  store = await anEngine({ wallMs: () => 1_800_000_000_000 + time.elapsedMs });
});
const running: UserDomain[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map(({ presence }) => presence.stop()));
  await store.empty();
});
afterAll(() => store[Symbol.asyncDispose]());

async function started(options: Parameters<typeof aUserDomain>[2] = {}) {
  const domain = await aUserDomain(store.engine, time, options);
  running.push(domain);
  await domain.presence.start();
  const deliver = (audience: Audience, text: string, onOffline?: (userId: string) => void) =>
    domain.connections.deliver("dev", audience, new SharedMessage(text, onOffline));
  return { ...domain, deliver };
}

const limitedTo = (user: string): Principal => ({
  ...{ kind: "key", environment: "dev", isSuperUser: false, isOperator: false, tokenId: "", expiresAtMs: undefined },
  grants: [{ resource: "connection", role: "read-write", user: { prefix: user } }],
});

describe("connections", () => {
  it("have an id of API Gateway's form and are found by it and by their user, in their environment only", async () => {
    const { connections, open } = await started();
    const [first, second, nobody] = [open("alice"), open("alice"), open(undefined)];
    expect(first.connection.id).toMatch(/^[\w-]{15}=$/);
    expect(connections.ofUser("dev", "alice")).toEqual([first.connection, second.connection]);
    expect(connections.get("dev", nobody.connection.id)).toBe(nobody.connection);
    expect(connections.get("prod", first.connection.id)).toBeUndefined();
    first.close();
    first.close();
    expect([connections.get("dev", first.connection.id), connections.ofUser("dev", "alice")]).toEqual([
      undefined,
      [second.connection],
    ]);
    expect(connections.stats().get("dev")).toMatchObject({ connections: 2, users: 1, opened: 3 });
  });

  it("of one user are bounded, by what the bound is at that moment", async () => {
    const { open, max } = await started({ userConnectionsMax: 2 });
    const [first] = [open("alice"), open("alice"), open("bob")];
    const tooMany = {
      code: "limit_exceeded",
      subject: "connections",
      message: 'user "alice" has 2 connections; must be <= 2',
    };
    expect(() => open("alice")).toThrow(expect.objectContaining(tooMany));
    first.close();
    open("alice");
    max.userConnections = 0;
    open("alice");
  });

  it.each(["", "x".repeat(limits.userIdMaxLength + 1), "\ud800"])("take no user id like %j", async (userId) => {
    const { open } = await started();
    expect(() => open(userId)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  });

  it("carry their newest credential", async () => {
    const { connections, open } = await started();
    const { connection } = open("alice");
    const newer = { ...openPrincipal, tokenId: "newer" };
    connections.renew(connection, newer);
    expect(connections.get("dev", connection.id)?.principal).toBe(newer);
  });
});

describe("delivering", () => {
  it("reaches each connection of the users that are named, and counts those who are OFFLINE", async () => {
    const { deliver, open } = await started();
    const [one, two, bob, nobody] = [open("alice"), open("alice"), open("bob"), open(undefined)];
    expect(deliver(only("alice", "carol", "dave"), "hi")).toEqual({
      ...{ connections: 2, undelivered: 0, held: 0, offlineUsers: ["carol", "dave"] },
    });
    expect([one, two, bob, nobody].map(({ outlet }) => outlet.texts)).toEqual([["hi"], ["hi"], [], []]);
  });

  it("reaches everybody but those who are excepted and those without a user, in one environment", async () => {
    const { deliver, open, connections, environments } = await started();
    await environments.ensure("prod");
    const [alice, bob, nobody] = [open("alice"), open("bob"), open(undefined)];
    const elsewhere = open("alice", { environment: "prod" });
    expect(deliver({ except: new Set(["bob"]) }, "hi")).toEqual({
      ...{ connections: 1, undelivered: 0, held: 0, offlineUsers: [] },
    });
    expect([alice, bob, nobody, elsewhere].map(({ outlet }) => outlet.texts)).toEqual([["hi"], [], [], []]);
    expect(connections.deliver("nowhere", only("alice"), new SharedMessage("hi")).offlineUsers).toEqual(["alice"]);
    expect(connections.deliver("nowhere", everybody, new SharedMessage("hi")).connections).toBe(0);
  });

  it("counts connections that do not take it, and goes on with the others", async () => {
    const { deliver, open, connections } = await started();
    const [slow, other] = [open("alice"), open("alice")];
    slow.outlet.isFull = true;
    expect(deliver(everybody, "hi")).toMatchObject({ connections: 1, undelivered: 1 });
    expect(other.outlet.texts).toEqual(["hi"]);
    expect(connections.stats().get("dev")).toMatchObject({ delivered: 1, undelivered: 1 });
  });
});

describe("sending to one connection", () => {
  const refusal = (run: () => void) => {
    try {
      run();
    } catch (error) {
      return (error as { code: string }).code;
    }
    return undefined;
  };

  it("reaches it alone, with or without a user, and is counted", async () => {
    const { connections, open } = await started();
    const [one, other, nobody] = [open("alice"), open("alice"), open(undefined)];
    for (const { connection } of [one, nobody]) connections.send(openPrincipal, connection.id, new SharedMessage("hi"));
    expect([one, other, nobody].map(({ outlet }) => outlet.texts)).toEqual([["hi"], [], ["hi"]]);
    one.outlet.isFull = true;
    const again = () => connections.send(openPrincipal, one.connection.id, new SharedMessage("hi"));
    expect(again).toThrow(expect.objectContaining({ code: "not_found", subject: "connection" }));
    expect(connections.stats().get("dev")).toMatchObject({ delivered: 2, undelivered: 1 });
    expect(connections.find(openPrincipal, other.connection.id)).toBe(other.connection);
  });

  it("comes behind what was held for its user", async () => {
    const { connections, open, deliver } = await started();
    open("alice").close();
    deliver(only("alice"), "held");
    const back = open("alice");
    connections.send(openPrincipal, back.connection.id, new SharedMessage("new"));
    expect(back.outlet.texts).toEqual(["held", "new"]);
  });

  it("is for those who may send to its user; one that is gone is not found by whoever may send to some", async () => {
    const { connections, open } = await started();
    const [alice, bob, nobody] = [open("alice"), open("bob"), open(undefined)];
    const sender: Principal = {
      ...limitedTo("a"),
      grants: [{ resource: "connection", role: "send", user: { prefix: "a" } }],
    };
    const send = (principal: Principal, id: string) =>
      refusal(() => connections.send(principal, id, new SharedMessage("x")));
    for (const principal of [sender, limitedTo("a")]) {
      const ids = [alice.connection.id, bob.connection.id, nobody.connection.id, "gone"];
      expect(ids.map((id) => send(principal, id))).toEqual([
        ...[undefined, "permission_denied", "permission_denied", "not_found"],
      ]);
    }
    expect(send({ ...sender, grants: [] }, "gone")).toBe("permission_denied");
    expect(send({ ...openPrincipal, environment: "prod" }, alice.connection.id)).toBe("not_found");
    const find = (principal: Principal, id: string) => refusal(() => connections.find(principal, id));
    expect([find(sender, alice.connection.id), find(sender, "gone"), find(limitedTo("a"), "gone")]).toEqual([
      ...["permission_denied", "permission_denied", "not_found"],
    ]);
    expect([alice, bob, nobody].map(({ outlet }) => outlet.texts.length)).toEqual([2, 0, 0]);
  });
});

describe("a user who lost the last connection a moment ago", () => {
  it("gets what came meanwhile when it is back, in order and before anything newer", async () => {
    const { deliver, open, connections } = await started();
    open("alice").close();
    expect([deliver(only("alice"), "1"), deliver(everybody, "2")]).toMatchObject([{ held: 1 }, { held: 1 }]);
    const back = open("alice");
    expect(back.outlet.texts).toEqual([]);
    deliver(only("alice"), "3");
    expect(back.outlet.texts).toEqual(["1", "2", "3"]);
    await Promise.resolve();
    expect(back.outlet.texts).toEqual(["1", "2", "3"]);
    back.close();
    deliver(only("alice"), "4");
    const again = open("alice");
    await Promise.resolve();
    expect(again.outlet.texts).toEqual(["4"]);
    expect(connections.stats().get("dev")).toMatchObject({ delivered: 4, held: 0 });
  });

  it("keeps what its new connection does not take", async () => {
    const { deliver, open } = await started();
    open("alice").close();
    deliver(only("alice"), "1");
    const full = open("alice");
    full.outlet.isFull = true;
    await Promise.resolve();
    full.close();
    const back = open("alice");
    await Promise.resolve();
    expect(back.outlet.texts).toEqual(["1"]);
  });

  it("who is OFFLINE then has lost them: whoever cares hears of it, once for each", async () => {
    const { deliver, open, advance, connections } = await started();
    const lost: string[] = [];
    open("alice").close();
    deliver(everybody, "1", (userId) => lost.push(`${userId} 1`));
    deliver(only("alice"), "2", (userId) => lost.push(`${userId} 2`));
    expect(lost).toEqual([]);
    advance(5020);
    expect(lost).toEqual(["alice 1", "alice 2"]);
    expect(deliver(only("alice"), "3").offlineUsers).toEqual(["alice"]);
    const back = open("alice");
    await Promise.resolve();
    expect(back.outlet.texts).toEqual([]);
    expect(connections.stats().get("dev")).toMatchObject({ undelivered: 2, held: 0 });
  });

  it("has no more held than the bound, the newest first; one alone may be larger", async () => {
    const { deliver, open } = await started();
    const lost: string[] = [];
    const text = (n: number) => `${n}`.padEnd(30 * 1024, ".");
    open("alice").close();
    for (const n of [1, 2, 3]) deliver(only("alice"), text(n), () => lost.push(`${n}`));
    expect(lost).toEqual(["1"]);
    const large = "x".repeat(limits.gateway.messageMaxBytes);
    deliver(only("alice"), large);
    const back = open("alice");
    await Promise.resolve();
    expect(back.outlet.texts).toEqual([large]);
  });

  it("loses what is held first when all users together have too much; a text for many counts once", async () => {
    const { deliver, open, connections } = await started();
    const lost: string[] = [];
    const users = Array.from({ length: 600 }, (_, n) => `user ${n}`);
    for (const user of users) open(user).close();
    const large = "x".repeat(limits.gateway.messageMaxBytes);
    deliver(everybody, large, (userId) => lost.push(userId));
    expect(lost).toEqual([]);
    for (const user of users) deliver(only(user), `${large.slice(user.length)}${user}`);
    // 600 of 128 KiB are 75 MiB. The one for all went as the oldest of each of them.
    expect(new Set(lost)).toEqual(new Set(users));
    const held = connections.stats().get("dev")?.held ?? 0;
    expect(held * large.length).toBeLessThan(limits.connection.heldMaxBytes);
    expect(held * large.length).toBeGreaterThan(0.95 * limits.connection.heldMaxBytes);
  });
});

describe("lists", () => {
  it("page through users as they came, and stay right while others come and go", async () => {
    const { connections, open, advance } = await started();
    const opened = ["a", "b", "c", "d", "e"].map((user) => open(user));
    open("b");
    const first = connections.listUsers(openPrincipal, { limit: 2 });
    expect(first.users.map(({ userId, connections: count }) => [userId, count])).toEqual([
      ["a", 1],
      ["b", 2],
    ]);
    opened[2]?.close();
    advance(5020);
    open("c");
    open("f");
    const rest: string[] = [];
    for (let after = first.cursor; after !== undefined; ) {
      const page = connections.listUsers(openPrincipal, { after, limit: 2 });
      rest.push(...page.users.map(({ userId }) => userId));
      after = page.cursor;
    }
    expect(rest).toEqual(["d", "e", "c", "f"]);
  });

  it("show a user in its grace as ONLINE without a connection, since it came", async () => {
    const { connections, open, advance, nowMs } = await started();
    const onlineSinceMs = nowMs();
    open("alice").close();
    advance(1000);
    expect(connections.listUsers(openPrincipal, { limit: 10 })).toEqual({
      users: [{ userId: "alice", connections: 0, onlineSinceMs }],
      cursor: undefined,
    });
  });

  it("show what the caller may see, of its own environment", async () => {
    const { connections, open } = await started();
    for (const user of ["a 1", "b 1", undefined]) open(user);
    const see = (principal: Principal) => [
      connections.listUsers(principal, { limit: 10 }).users.map(({ userId }) => userId),
      connections.list(principal, { limit: 10 }).connections.map(({ userId }) => userId),
    ];
    expect(see(openPrincipal)).toEqual([
      ["a 1", "b 1"],
      ["a 1", "b 1", undefined],
    ]);
    expect(see(limitedTo("b"))).toEqual([["b 1"], ["b 1"]]);
    expect(see({ ...openPrincipal, environment: "prod" })).toEqual([[], []]);
    const denied = expect.objectContaining({ code: "permission_denied" });
    expect(() => see({ ...limitedTo("b"), grants: [] })).toThrow(denied);
    expect(() => connections.listOf(limitedTo("b"), "a 1")).toThrow(denied);
    expect(connections.listOf(limitedTo("b"), "b 1")).toHaveLength(1);
  });

  it.each([0, 1001, 1.5])("refuse a page of %d", async (limit) => {
    const { connections } = await started();
    expect(() => connections.list(openPrincipal, { limit })).toThrow(/must be a whole number that is >= 1 and <= 1000/);
  });

  it.each(["", "x", "MQ==", "LTE", "1".repeat(200)])("refuse the cursor %j", async (after) => {
    const { connections } = await started();
    expect(() => connections.list(openPrincipal, { after, limit: 1 })).toThrow(/cursor/);
  });
});

describe("kicking", () => {
  it("ends one connection, those of a user or of a token, or everybody's", async () => {
    const { connections, open } = await started();
    const opened = [open("a"), open("a", { tokenId: "t" }), open("b", { tokenId: "t" }), open(undefined)];
    const elsewhere = open("a", { environment: "prod", tokenId: "t" });
    const counts = () => opened.map(({ outlet }) => outlet.ended.length);
    const kick = (what: Parameters<typeof connections.kick>[1]) => connections.kick(openPrincipal, what, advice);
    expect([kick({ connectionId: opened[3]?.connection.id ?? "" }), counts()]).toEqual([1, [0, 0, 0, 1]]);
    expect([kick({ userId: "a" }), counts()]).toEqual([2, [1, 1, 0, 1]]);
    expect([kick({ tokenId: "t" }), counts()]).toEqual([2, [1, 2, 1, 1]]);
    expect([kick({ everyone: true }), counts()]).toEqual([4, [2, 3, 2, 2]]);
    expect([kick({ userId: "nobody" }), kick({ connectionId: "nothing" })]).toEqual([0, 0]);
    expect([opened[0]?.outlet.ended[0], elsewhere.outlet.ended]).toEqual([advice, []]);
  });

  it("is for those who may end connections of that user, or of all", async () => {
    const { connections, open } = await started();
    const [alice, bob, nobody] = [open("alice"), open("bob"), open(undefined)];
    const kick = (what: Parameters<typeof connections.kick>[1]) => () => connections.kick(limitedTo("a"), what, advice);
    expect(kick({ connectionId: alice.connection.id })()).toBe(1);
    const denied = expect.objectContaining({ code: "permission_denied" });
    expect(kick({ connectionId: bob.connection.id })).toThrow(denied);
    expect(kick({ connectionId: nobody.connection.id })).toThrow(denied);
    expect(kick({ userId: "bob" })).toThrow(denied);
    expect(kick({ tokenId: "" })).toThrow(denied);
    expect(kick({ everyone: true })).toThrow(denied);
    expect(kick({ connectionId: "gone" })()).toBe(0);
    expect(() => connections.kick({ ...limitedTo("a"), grants: [] }, { connectionId: "gone" }, advice)).toThrow(denied);
    expect([bob, nobody].flatMap(({ outlet }) => outlet.ended)).toEqual([]);
  });

  it("of very many goes on in later turns of the loop", async () => {
    const { connections, open } = await started();
    const opened = Array.from({ length: 1000 }, (_, n) => open(`user ${n}`));
    const count = () => opened.filter(({ outlet }) => outlet.ended.length === 1).length;
    expect(connections.kick(openPrincipal, { everyone: true }, advice)).toBe(1000);
    expect(count()).toBeLessThan(1000);
    for (let turns = 0; count() < 1000 && turns < 10; turns++) await new Promise(setImmediate);
    expect(count()).toBe(1000);
  });
});

describe("a stop and a destroyed environment", () => {
  it("ends all one after the other, lets nobody in, and gives up what is held", async () => {
    const { connections, open, deliver, advance } = await started();
    const lost: string[] = [];
    const opened = [open("a"), open("b"), open("c"), open("d")];
    open("left").close();
    deliver(only("left"), "x", (userId) => lost.push(userId));
    const drained = connections.drain(4000);
    const ended = () => opened.filter(({ outlet }) => outlet.ended.length > 0).length;
    advance(1040);
    expect(ended()).toBeGreaterThan(0);
    expect(ended()).toBeLessThan(4);
    expect(() => open("new")).toThrow(expect.objectContaining({ code: "unavailable" }));
    for (let n = 0; n < 4; n++) advance(1000);
    await drained;
    expect(opened.flatMap(({ outlet }) => outlet.ended)).toEqual(
      Array.from({ length: 4 }, () => ({ reason: "the server is stopping", reconnect: true })),
    );
    expect(lost).toEqual(["left"]);
    opened[0]?.close();
    expect(deliver(only("a"), "y").offlineUsers).toEqual(["a"]);
  });

  it("forgets an environment with what is held in it; its sums are counted on under no name", async () => {
    const { connections, open, environments, settled, advance, presence } = await started();
    await environments.create(openPrincipal, "gone");
    const lost: string[] = [];
    const [stays, left] = [open("a", { environment: "gone" }), open("b", { environment: "gone" })];
    await settled();
    left.close();
    connections.deliver("gone", everybody, new SharedMessage("x", (userId) => lost.push(userId)));
    await environments.destroy(openPrincipal, "gone");
    stays.close();
    advance(60_000);
    await settled();
    expect([lost, presence.of("gone", "a")]).toEqual([[], undefined]);
    expect([...connections.stats().keys()]).not.toContain("gone");
    expect(connections.stats().get("")).toMatchObject({ connections: 0, users: 0, opened: 2, delivered: 1, held: 0 });
    expect(await store.engine.presence.read(undefined, 10)).toEqual([]);
  });
});
