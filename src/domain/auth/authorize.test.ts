import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../limits.ts";
import { type Action, authorize, isAllowed } from "./authorize.ts";
import { covers } from "./coverage.ts";
import { checkGrants, type Grant, grantSchema, type TokenGrant, tokenGrantSchema } from "./grants.ts";
import { openPrincipal } from "./open-access.ts";
import type { Principal } from "./principal.ts";
import type { Selector } from "./selector.ts";

const superUserActions = [
  "cache.create",
  "cache.delete",
  "queue.create",
  "queue.update",
  "queue.delete",
  "queue.purge",
  "queue.redrive",
  "key.create",
  "key.list",
  "key.delete",
  "key.rotate",
  "token.revoke",
] as const satisfies Action[];
const principal = (own: Grant[]): Principal => ({ ...openPrincipal, kind: "token", isSuperUser: false, grants: own });
const actions: Action[] = [
  "topic.publish",
  "topic.subscribe",
  "item.read",
  "item.write",
  "cache.flush",
  "cache.list",
  "leaderboard.read",
  "leaderboard.write",
  "queue.send",
  "queue.receive",
  "queue.peek",
  "queue.read",
  "queue.list",
  "webhook.read",
  "webhook.write",
  "route.invoke",
  "presence.watch",
  "notification.send",
  "connection.read",
  "connection.send",
  "connection.kick",
  ...superUserActions,
];
const names = ["", "a", "ab", "abc", "b", "events", "eve"];
const name = fc.constantFrom(...names);
const selector: fc.Arbitrary<Selector> = fc.oneof(
  fc.constant({ all: true } as const),
  name.map((value) => ({ name: value })),
  name.map((value) => ({ prefix: value })),
);
const keySelector = selector.map((s): Selector => {
  const encode = (value: string) => Buffer.from(value).toString("base64url");
  if ("name" in s) return { name: encode(s.name) };
  return "prefix" in s ? { prefix: encode(s.prefix) } : s;
});
const grant: fc.Arbitrary<TokenGrant> = fc.oneof(
  fc.record({
    resource: fc.constant("topic" as const),
    role: fc.constantFrom("publish-subscribe", "publish", "subscribe"),
    cache: selector,
    topic: selector,
  }),
  fc.record({
    resource: fc.constant("cache" as const),
    role: fc.constantFrom("read-write", "read", "write"),
    cache: selector,
    key: keySelector,
  }),
  fc.record({
    resource: fc.constant("queue" as const),
    role: fc.constantFrom("send-receive", "send", "receive"),
    queue: selector,
  }),
  fc.record({ resource: fc.constant("route" as const), role: fc.constant("invoke" as const), route: selector }),
  fc.record({ resource: fc.constant("presence" as const), role: fc.constant("watch" as const), user: selector }),
);
const question = fc.record({ action: fc.constantFrom(...actions), cache: name, resource: name });
const ask = (who: Principal, { action, cache, resource }: { action: Action; cache: string; resource: string }) =>
  isAllowed(who, action, cache, action.startsWith("item.") ? Buffer.from(resource) : resource);

describe("authorize", () => {
  it("denies everything without a grant, and allows a super user everything", () => {
    fc.assert(
      fc.property(question, (q) => {
        expect(ask(principal([]), q)).toBe(false);
        expect(ask(openPrincipal, q)).toBe(true);
      }),
    );
  });

  it("never allows less with one more grant, and gives the same answer when asked again", () => {
    fc.assert(
      fc.property(fc.array(grant, { maxLength: 4 }), grant, question, (own, more, q) => {
        const one = principal(own);
        const first = ask(one, q);
        expect(ask(one, q)).toBe(first);
        if (first) expect(ask(principal([...own, more]), q)).toBe(true);
      }),
    );
  });

  it("leaves to super users what no role permits, whatever the grants", () => {
    fc.assert(
      fc.property(fc.array(grant), question, (own, q) => {
        for (const action of superUserActions) expect(ask(principal(own), { ...q, action })).toBe(false);
      }),
    );
  });

  it("lets only a token grant issue tokens, and that do nothing else", () => {
    fc.assert(
      fc.property(fc.array(grant), question, (own, q) => {
        const issuer = principal([{ resource: "token", role: "issue", grants: own }]);
        expect(ask(issuer, q)).toBe(false);
        expect([isAllowed(issuer, "token.create"), isAllowed(principal(own), "token.create")]).toEqual([true, false]);
      }),
    );
  });

  it("never lets a grant of one resource touch another", () => {
    const resourceOf = (action: Action) =>
      /^(queue|topic|route|presence)\./.test(action) ? action.split(".")[0] : "cache";
    fc.assert(
      fc.property(grant, question, (own, q) => {
        if (own.resource !== resourceOf(q.action)) expect(ask(principal([own]), q)).toBe(false);
      }),
    );
  });

  it.each<[role: "send" | "receive" | "send-receive", permitted: Action[]]>([
    ["send", ["queue.send", "queue.read", "queue.list"]],
    ["receive", ["queue.receive", "queue.peek", "queue.read", "queue.list"]],
    ["send-receive", ["queue.send", "queue.receive", "queue.peek", "queue.read", "queue.list"]],
  ])("takes the role %s on a queue for %j and nothing else", (role, permitted) => {
    const own = principal([{ resource: "queue", role, queue: { name: "q" } }]);
    expect(actions.filter((action) => isAllowed(own, action, "", "q"))).toEqual(permitted);
    expect(actions.filter((action) => isAllowed(own, action, "", "other"))).toEqual([]);
  });

  it.each<[role: "read" | "write" | "read-write", permitted: Action[]]>([
    ["read", ["leaderboard.read"]],
    ["write", ["leaderboard.write"]],
    ["read-write", ["leaderboard.read", "leaderboard.write"]],
  ])("takes the role %s on all keys of a cache for %j, and on some of them for no leaderboard", (role, permitted) => {
    const own = (key: Selector) => principal([{ resource: "cache", role, cache: { name: "c" }, key }]);
    const leaderboards = actions.filter((action) => action.startsWith("leaderboard."));
    const allowed = (who: Principal, cache: string) => leaderboards.filter((action) => isAllowed(who, action, cache));
    expect(allowed(own({ all: true }), "c")).toEqual(permitted);
    expect(allowed(own({ all: true }), "d")).toEqual([]);
    expect(allowed(own({ prefix: "bA" }), "c")).toEqual([]);
    expect(allowed(own({ name: "bA" }), "c")).toEqual([]);
    expect(() => authorize(own({ name: "bA" }), "leaderboard.read", "c")).toThrow(
      'may not do leaderboard.read on cache "c"',
    );
  });

  it("names the queue that it denies", () => {
    expect(() => authorize(principal([]), "queue.send", "", "orders")).toThrow(
      'may not do queue.send on queue "orders"',
    );
  });

  it.each<[role: "read" | "read-write", permitted: Action[]]>([
    ["read", ["webhook.read"]],
    ["read-write", ["webhook.read", "webhook.write"]],
  ])("takes the role %s on a webhook for %j and nothing else", (role, permitted) => {
    const own = principal([{ resource: "webhook", role, cache: { name: "c" }, webhook: { prefix: "w" } }]);
    expect(actions.filter((action) => isAllowed(own, action, "c", "w1"))).toEqual(permitted);
    expect(actions.filter((action) => isAllowed(own, action, "c", "v"))).toEqual([]);
    expect(actions.filter((action) => isAllowed(own, action, "d", "w1"))).toEqual([]);
  });

  it("names the webhook that it denies, and its cache", () => {
    expect(() => authorize(principal([]), "webhook.write", "shop", "orders")).toThrow(
      'may not do webhook.write on webhook "orders" of cache "shop"',
    );
  });

  it.each<[role: "read" | "send" | "read-write", permitted: Action[]]>([
    ["read", ["connection.read"]],
    ["send", ["connection.send"]],
    ["read-write", ["connection.read", "connection.send", "connection.kick"]],
  ])("takes the role %s on connections of users for %j, and on all of them only for all at once", (role, permitted) => {
    const own = (user: Selector) => principal([{ resource: "connection", role, user }]);
    const allowed = (user: Selector, of: string) => actions.filter((action) => isAllowed(own(user), action, "", of));
    expect(allowed({ prefix: "u" }, "u1")).toEqual(permitted);
    expect(allowed({ prefix: "u" }, "v1")).toEqual([]);
    expect(allowed({ prefix: "u" }, "")).toEqual([]);
    expect(allowed({ all: true }, "")).toEqual(permitted);
    expect(() => authorize(own({ name: "u1" }), "connection.kick")).toThrow("may not do connection.kick on all users");
    expect(() => authorize(own({ name: "u1" }), "connection.kick", "", "u2")).toThrow('on user "u2"');
  });

  it("takes a notification grant for notifications, a route's and a presence grant for what they name", () => {
    const notifier = principal([{ resource: "notification", role: "send" }]);
    expect(actions.filter((action) => isAllowed(notifier, action))).toEqual(["notification.send"]);
    const user = principal([
      { resource: "route", role: "invoke", route: { name: "send" } },
      { resource: "presence", role: "watch", user: { name: "friend" } },
    ]);
    expect(actions.filter((action) => isAllowed(user, action, "", "send"))).toEqual(["route.invoke"]);
    expect(actions.filter((action) => isAllowed(user, action, "", "friend"))).toEqual(["presence.watch"]);
    expect(() => authorize(user, "route.invoke", "", "publish")).toThrow('may not do route.invoke on route "publish"');
    expect(() => authorize(user, "presence.watch", "", "boss")).toThrow('may not do presence.watch on user "boss"');
  });

  it.each<[Selector, boolean]>([
    [{ all: true }, false],
    [{ prefix: "event" }, false],
    [{ prefix: "events" }, false],
    [{ name: "events" }, true],
  ])("takes %j for the reserved cache: %s, and for others with such a name too", (cache, isTaken) => {
    const own = principal([
      { resource: "topic", role: "publish-subscribe", cache, topic: { all: true } },
      { resource: "cache", role: "read-write", cache, key: { all: true } },
      { resource: "webhook", role: "read", cache, webhook: { all: true } },
    ]);
    for (const action of ["topic.publish", "topic.subscribe", "cache.list", "cache.flush", "webhook.read"] as const) {
      expect(isAllowed(own, action, "events", "notifications"), action).toBe(isTaken);
      expect(isAllowed(own, action, "events-2", "x"), action).toBe(!("name" in cache));
    }
    expect(isAllowed(openPrincipal, "topic.publish", "events", "notifications")).toBe(true);
  });

  it.each<[Selector, boolean]>([
    [{ all: true }, false],
    [{ prefix: "mess" }, false],
    [{ name: "messages" }, true],
  ])("takes %j for the queue that hears users: %s, and for others with such a name too", (queue, isTaken) => {
    const own = principal([{ resource: "queue", role: "send-receive", queue }]);
    for (const action of ["queue.send", "queue.receive", "queue.peek", "queue.list"] as const) {
      expect(isAllowed(own, action, "", "messages"), action).toBe(isTaken);
      expect(isAllowed(own, action, "", "messages-2"), action).toBe(!("name" in queue));
    }
    expect(isAllowed(openPrincipal, "queue.send", "", "notifications")).toBe(true);
  });

  it("does not take one pair of names for another with the same characters", () => {
    const all: TokenGrant = { resource: "topic", role: "publish", cache: { name: "a" }, topic: { all: true } };
    const own = principal([all]);
    for (const between of ["\0", " ", " 1 "]) {
      expect(isAllowed(own, "topic.publish", "a", `b${between}c`)).toBe(true);
      expect(isAllowed(own, "topic.publish", `a${between}b`, "c")).toBe(false);
    }
  });

  it("matches keys as bytes", () => {
    const own = principal([
      {
        resource: "cache",
        role: "read",
        cache: { name: "c" },
        key: { prefix: Buffer.from([0xff, 0x00]).toString("base64url") },
      },
    ]);
    expect(isAllowed(own, "item.read", "c", Uint8Array.of(0xff, 0x00, 0x01))).toBe(true);
    expect(isAllowed(own, "item.read", "c", Uint8Array.of(0xff, 0x01))).toBe(false);
    expect(isAllowed(own, "item.write", "c", Uint8Array.of(0xff, 0x00))).toBe(false);
    expect(() => authorize(own, "item.write", "c", Uint8Array.of(0xff, 0x00))).toThrow(
      'may not do item.write on this key of cache "c"',
    );
  });
});

describe("grants", () => {
  const webhooks: Grant = { resource: "webhook", role: "read", cache: { name: "c" }, webhook: { all: true } };

  it("of webhooks are for keys, never for tokens", () => {
    expect(grantSchema.parse(webhooks)).toEqual(webhooks);
    expect(tokenGrantSchema.safeParse(webhooks).error?.issues[0]?.message).toBe(
      'must be "topic", "cache", "queue", "route" or "presence"',
    );
    const issuer = { resource: "token", role: "issue", grants: [webhooks] };
    expect(grantSchema.safeParse(issuer).success).toBe(false);
  });

  it("of webhooks have a selector for the cache and one for the name, and no other role", () => {
    expect(() => checkGrants([webhooks])).not.toThrow();
    expect(() => checkGrants([{ ...webhooks, webhook: { prefix: "" } }])).toThrow(
      "a webhook selector must not be empty",
    );
    expect(() => checkGrants([webhooks, { ...webhooks, role: "read-write" }])).toThrow("differ only in role");
    expect(() => checkGrants([webhooks, { ...webhooks, cache: { name: "d" } }])).not.toThrow();
    expect(grantSchema.safeParse({ ...webhooks, role: "write" }).success).toBe(false);
    expect(grantSchema.safeParse({ ...webhooks, topic: { all: true } }).success).toBe(false);
  });
});

describe("remembered decisions", () => {
  it("are each principal's own, and right also when there are more than are remembered", () => {
    const onlyT: Grant = { resource: "topic", role: "publish", cache: { all: true }, topic: { name: "t1" } };
    const [some, none] = [principal([onlyT]), principal([])];
    const ask = () =>
      [some, none].map((one) => ["t1", "t2"].map((topic) => isAllowed(one, "topic.publish", "c", topic)));
    const right = [
      [true, false],
      [false, false],
    ];
    expect([ask(), ask()]).toEqual([right, right]);
    for (let n = 0; n <= limits.decisions; n++) isAllowed(none, "topic.publish", "c", `x${n}`);
    expect([ask(), ask()]).toEqual([right, right]);
  });
});

describe("covers", () => {
  it("says yes only when the outer grant permits everything that the inner one permits", () => {
    const questions = actions.flatMap((action) =>
      names.flatMap((cache) => names.map((resource) => ({ action, cache, resource }))),
    );
    let covered = 0;
    fc.assert(
      fc.property(grant, grant, (outer, inner) => {
        if (!covers(outer, inner)) return;
        covered++;
        const [wide, narrow] = [principal([outer]), principal([inner])];
        expect(questions.filter((q) => ask(narrow, q) && !ask(wide, q))).toEqual([]);
      }),
      { numRuns: 2000 },
    );
    expect(covered).toBeGreaterThan(50);
  });

  it("says yes for the same grant, and for a narrower role or name", () => {
    fc.assert(fc.property(grant, (own) => covers(own, own)));
    const outer: TokenGrant = {
      resource: "topic",
      role: "publish-subscribe",
      cache: { all: true },
      topic: { prefix: "user:" },
    };
    const inner: TokenGrant = { resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { name: "user:1" } };
    expect([covers(outer, inner), covers(inner, outer)]).toEqual([true, false]);
    expect(covers(outer, { ...inner, topic: { prefix: "user:1" } })).toBe(true);
    expect(covers(outer, { ...inner, topic: { prefix: "use" } })).toBe(false);
    expect(covers({ ...outer, role: "publish" }, inner)).toBe(false);
  });

  it("says no for the reserved cache unless it is named", () => {
    const of = (cache: Selector): TokenGrant => ({ resource: "topic", role: "publish", cache, topic: { all: true } });
    expect(covers(of({ all: true }), of({ name: "events" }))).toBe(false);
    expect(covers(of({ prefix: "ev" }), of({ name: "events" }))).toBe(false);
    expect(covers(of({ name: "events" }), of({ name: "events" }))).toBe(true);
    expect(covers(of({ all: true }), of({ prefix: "ev" }))).toBe(true);
  });

  it("says no for the queues of users and notifications unless they are named", () => {
    const of = (queue: Selector): TokenGrant => ({ resource: "queue", role: "send", queue });
    expect(covers(of({ all: true }), of({ name: "notifications" }))).toBe(false);
    expect(covers(of({ prefix: "notif" }), of({ name: "notifications" }))).toBe(false);
    expect(covers(of({ name: "notifications" }), of({ name: "notifications" }))).toBe(true);
    expect(covers(of({ all: true }), of({ name: "notifications-2" }))).toBe(true);
  });

  it("compares keys as bytes", () => {
    const grantOn = (key: Selector): TokenGrant => ({ resource: "cache", role: "read", cache: { name: "c" }, key });
    const encode = (text: string) => Buffer.from(text).toString("base64url");
    expect(covers(grantOn({ prefix: encode("a") }), grantOn({ name: encode("ab") }))).toBe(true);
    expect(covers(grantOn({ prefix: encode("aaaa") }), grantOn({ prefix: encode("aaa") }))).toBe(false);
  });
});
