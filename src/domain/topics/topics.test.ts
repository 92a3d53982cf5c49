import { setImmediate as nextTick } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryTopics } from "../../engines/embedded/memory-topics.ts";
import { TimerWheel } from "../../lib/timer-wheel.ts";
import { openPrincipal } from "../auth/open-access.ts";
import type { Principal } from "../auth/principal.ts";
import { silentBus } from "../bus.ts";
import type { Cache } from "../cache/cache.ts";
import type { CacheChange, Caches } from "../cache/caches.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { noRates, type Rates } from "../limiting/rates.ts";
import { limits } from "../limits.ts";
import type { Position } from "./position.ts";
import type { TopicItem, TopicStore } from "./store.ts";
import type { Discontinuity, Encoding, Sink, Subscription } from "./subscription.ts";
import { createTopics, type Topics } from "./topics.ts";

// Frames that can be read back: what a subscriber got, in order.
type Event = { item: TopicItem } | { gap: Discontinuity };
const frames = new WeakMap<Uint8Array, Event[]>();
let framesBuilt = 0;
function frameOf(events: Event[]): Uint8Array {
  framesBuilt++;
  const frame = new Uint8Array(1);
  frames.set(frame, events);
  return frame;
}
const encoding: Encoding = {
  items: (items) => frameOf(items.map((item) => ({ item }))),
  discontinuity: (gap) => frameOf([{ gap }]),
};

class Client implements Sink {
  readonly encoding = encoding;
  readonly events: Event[] = [];
  /** Frames it takes before it says that its buffer is full. */
  room = Number.POSITIVE_INFINITY;
  ended: TodokuError | undefined;
  subscription: Subscription | undefined;

  write(frame: Uint8Array): boolean {
    this.events.push(...(frames.get(frame) ?? []));
    return --this.room > 0;
  }
  close(error: TodokuError): void {
    this.ended = error;
  }
  texts(): string[] {
    return this.events.flatMap((event) => ("item" in event ? [Buffer.from(event.item.value.bytes).toString()] : []));
  }
  gaps(): Discontinuity[] {
    return this.events.flatMap((event) => ("gap" in event ? [event.gap] : []));
  }
}

function aCache(cacheId: number): Cache {
  return { environment: "dev", cache: "c", cacheId, durability: "memory", createdAtMs: 0 };
}

/** The service over a memory store whose appends can be held back and broken. */
function aService(
  store: TopicStore = new MemoryTopics(limits.memoryHistory, 1),
  rates: Pick<Rates, "openStream"> = noRates,
) {
  let nowMs = 1_000_000;
  let wallOffsetMs = 0;
  let cache: Cache | undefined = aCache(1);
  const listeners: ((change: CacheChange) => void)[] = [];
  const caches = {
    known: (_environment: string, name: string) => (name === "c" ? cache : undefined),
    get: async (_environment: string, name: string) => {
      if (name === "c" && cache) return cache;
      throw new TodokuError("not_found", `cache "${name}" does not exist`, { subject: "cache" });
    },
    onChange: (listener: (change: CacheChange) => void) => void listeners.push(listener),
  } as Partial<Caches> as Caches;
  let gate: Promise<void> | undefined;
  let isBroken = false;
  const gated: TopicStore = {
    append: async (batch) => {
      await gate;
      if (isBroken) throw new TodokuError("unavailable", "the disk is full");
      return store.append(batch);
    },
    read: (...args) => store.read(...args),
    head: (...args) => store.head(...args),
    forget: (...args) => store.forget(...args),
    trim: (...args) => store.trim(...args),
  };
  const engine = {
    topics: { memory: gated, disk: gated },
    bus: silentBus,
    isSingleNode: true,
  } as Partial<Engine> as Engine;
  const clock = { monotonicMs: () => nowMs, steadyMs: () => nowMs, wallMs: () => nowMs + wallOffsetMs };
  const wheel = new TimerWheel(clock);
  const topics = createTopics({ engine, caches, clock, wheel, messageMaxBytes: limits.messageMaxBytes, rates });
  return {
    topics,
    /** Sets the wall clock; the monotonic one does not notice. */
    setWall(ms: number) {
      wallOffsetMs = ms;
    },
    pass(ms: number) {
      nowMs += ms;
      wheel.runOnce();
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return resolve;
    },
    breakDisk(broken: boolean) {
      isBroken = broken;
    },
    async flush() {
      const was = cache as Cache;
      cache = aCache(was.cacheId + 1);
      await store.forget(was);
      for (const listener of listeners) listener({ kind: "flushed", was, now: cache });
    },
    async deleteCache() {
      const was = cache as Cache;
      cache = undefined;
      for (const listener of listeners) listener({ kind: "deleted", was });
    },
    now: () => nowMs,
  };
}

async function follow(topics: Topics, after?: Position, principal: Principal = openPrincipal): Promise<Client> {
  const client = new Client();
  client.subscription = await topics.subscribe(principal, "c", "t", after, client);
  client.subscription.drained();
  return client;
}

const text = (value: string) => ({ value: { isText: true, bytes: Buffer.from(value) } });
const say = (topics: Topics, value: string) => topics.publish(openPrincipal, "c", "t", text(value));

/** Lets everything that is ready happen. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await nextTick();
}

describe("streams that are counted", () => {
  it("leave no followed topic behind when they are refused", async () => {
    const refusal = new TodokuError("limit_exceeded", "subscribers: too many");
    const { topics } = aService(undefined, {
      openStream() {
        throw refusal;
      },
    });
    for (let i = 0; i < 5; i++) {
      await expect(topics.subscribe(openPrincipal, "c", `t${i}`, undefined, new Client())).rejects.toBe(refusal);
    }
    expect([...topics.stats().values()].reduce((sum, one) => sum + one.topics, 0)).toBe(0);
  });

  it("count no more when the topic cannot be read", async () => {
    const store = new MemoryTopics(limits.memoryHistory, 1);
    store.head = () => Promise.reject(new TodokuError("unavailable", "no disk"));
    let open = 0;
    const openStream = () => {
      open++;
      return () => void open--;
    };
    const { topics } = aService(store, { openStream });
    await expect(topics.subscribe(openPrincipal, "c", "t", undefined, new Client())).rejects.toThrow("no disk");
    expect(open).toBe(0);
  });
});

describe("publish", () => {
  it("numbers items from 1 and tells every live subscriber before the publisher", async () => {
    const { topics } = aService();
    const client = await follow(topics);
    const first = await say(topics, "a");
    expect(client.texts()).toEqual(["a"]);
    expect(first).toEqual({ position: { page: 1, sequence: 1 }, isRepeat: false });
    expect((await say(topics, "b")).position.sequence).toBe(2);
  });

  it("builds the frame of a batch once for all subscribers of an encoding", async () => {
    const { topics } = aService();
    const clients = await Promise.all(Array.from({ length: 50 }, () => follow(topics)));
    framesBuilt = 0;
    await Promise.all(["a", "b", "c"].map((value) => say(topics, value)));
    expect(framesBuilt).toBe(1);
    for (const client of clients) expect(client.texts()).toEqual(["a", "b", "c"]);
  });

  it("shows nobody what is not committed, and refuses all that waits when a commit fails", async () => {
    const service = aService();
    const client = await follow(service.topics);
    const release = service.hold();
    service.breakDisk(true);
    const failing = say(service.topics, "lost");
    await nextTick();
    const behind = say(service.topics, "behind");
    release();
    await expect(failing).rejects.toMatchObject({ code: "unavailable" });
    await expect(behind).rejects.toMatchObject({ code: "unavailable" });
    expect(client.texts()).toEqual([]);
    service.breakDisk(false);
    expect((await say(service.topics, "after")).position.sequence).toBe(1);
    expect(client.texts()).toEqual(["after"]);
  });

  it("refuses an empty text, a long message and a bad name, each with its bound", async () => {
    const { topics } = aService();
    expect(() => say(topics, "")).toThrow("a text message must not be empty");
    expect(() => say(topics, "x".repeat(262_145))).toThrow("262145 bytes; must be <= 262144");
    expect(() => topics.publish(openPrincipal, "c", " ", text("x"))).toThrow("topic name must not be empty");
    expect(() => topics.publish(openPrincipal, "c", "s\ud800", text("x"))).toThrow("topic name is not well-formed");
    expect(() => topics.publish(openPrincipal, "c", "t", { ...text("x"), messageId: "\udfff" })).toThrow(
      "messageId is not",
    );
    expect(() => topics.publish(openPrincipal, "c", "届".repeat(86), text("x"))).toThrow("258 bytes; must be <= 255");
    await expect(topics.publish(openPrincipal, "c2", "t", text("x"))).rejects.toMatchObject({ code: "not_found" });
  });

  it("keeps of a view into a network chunk neither the chunk nor what is written over it", async () => {
    const { topics, hold } = aService();
    const client = await follow(topics);
    const release = hold();
    const chunk = Buffer.from("head of a frame, hello, and the next one");
    const published = topics.publish(openPrincipal, "c", "t", {
      value: { isText: true, bytes: chunk.subarray(17, 22) },
    });
    chunk.fill(0);
    release();
    await published;
    expect(client.texts()).toEqual(["hello"]);
    const { items } = await topics.history(openPrincipal, "c", "t", { page: 0, sequence: 0 }, 10);
    expect(items[0]?.value.bytes.buffer.byteLength).toBe("hello".length);
  });

  it("answers the second of two publishes with one messageId with the first's position, and delivers one", async () => {
    const { topics } = aService();
    const client = await follow(topics);
    const message = { ...text("once"), messageId: "m-1" };
    const [first, second] = await Promise.all([
      topics.publish(openPrincipal, "c", "t", message),
      topics.publish(openPrincipal, "c", "t", message),
    ]);
    expect(second).toEqual({ position: first.position, isRepeat: true });
    expect(client.texts()).toEqual(["once"]);
  });
});

describe("renew", () => {
  const token = (about: Partial<Principal>): Principal => ({ ...openPrincipal, kind: "token", ...about });

  it("goes on until the new credential expires, though the old one has", async () => {
    const service = aService();
    const client = await follow(service.topics, undefined, token({ expiresAtMs: service.now() + 5000 }));
    service.topics.renew(client.subscription as Subscription, token({ expiresAtMs: service.now() + 60_000 }));
    service.pass(10_000);
    await say(service.topics, "on");
    expect(client.texts()).toEqual(["on"]);
    for (let i = 0; i < 6; i++) service.pass(10_000);
    expect(client.ended).toMatchObject({ code: "unauthenticated" });
  });

  it("ends what the new credential may not follow, whatever the old one may", async () => {
    const service = aService();
    const grants = [{ resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { name: "other" } }] as const;
    const client = await follow(service.topics);
    service.topics.renew(client.subscription as Subscription, token({ isSuperUser: false, grants }));
    expect(client.ended).toMatchObject({ code: "permission_denied" });
    const another = await follow(service.topics);
    service.topics.renew(another.subscription as Subscription, token({ environment: "prod" }));
    expect(another.ended).toMatchObject({ code: "permission_denied" });
    await say(service.topics, "x");
    expect([...client.texts(), ...another.texts()]).toEqual([]);
  });

  it("counts as a stream of the new principal alone, even where both share a bound of one", async () => {
    const open = new Map<Principal, number>();
    const openStream = (principal: Principal) => {
      if ([...open.values()].some((count) => count > 0)) throw new TodokuError("limit_exceeded", "one at a time");
      open.set(principal, 1);
      return () => void open.set(principal, 0);
    };
    const service = aService(undefined, { openStream });
    const [first, second] = [token({ jti: "1" }), token({ jti: "2" })];
    const client = await follow(service.topics, undefined, first);
    service.topics.renew(client.subscription as Subscription, second);
    expect([client.ended, open.get(first), open.get(second)]).toEqual([undefined, 0, 1]);
    client.subscription?.close();
    expect(open.get(second)).toBe(0);
  });
});

describe("subscribe", () => {
  it("gives one that was paused what it missed once it may go on, and nothing before", async () => {
    const { topics } = aService();
    const client = await follow(topics);
    await say(topics, "a");
    client.subscription?.pause();
    for (const value of ["b", "c"]) await say(topics, value);
    expect(client.texts()).toEqual(["a"]);
    await client.subscription?.drained();
    await say(topics, "d");
    expect(client.texts()).toEqual(["a", "b", "c", "d"]);
  });

  it("writes nothing to one that was paused while the log was being read for it", async () => {
    const store = new MemoryTopics(limits.memoryHistory, 1);
    const { topics } = aService(store);
    await say(topics, "a");
    const read = store.read.bind(store);
    const gate = Promise.withResolvers<void>();
    store.read = (...args) => gate.promise.then(() => read(...args));
    const client = await follow(topics, { page: 1, sequence: 0 });
    client.subscription?.pause();
    gate.resolve();
    await settle();
    expect(client.texts()).toEqual([]);
    await client.subscription?.drained();
    expect(client.texts()).toEqual(["a"]);
  });

  it("spares one that is full the rest of a great batch", async () => {
    const { topics } = aService();
    const [full, free] = [await follow(topics), await follow(topics)];
    full.room = 1;
    const values = Array.from({ length: 12 }, (_, i) => String(i).repeat(100_000 / String(i).length));
    await Promise.all(values.map((value) => say(topics, value)));
    expect(full.texts().length).toBeLessThan(4);
    expect(free.texts()).toEqual(values);
    full.room = Number.POSITIVE_INFINITY;
    await full.subscription?.drained();
    expect(full.texts()).toEqual(values);
  });

  it("gives a slow subscriber everything once it has drained, without holding up the others", async () => {
    const { topics } = aService();
    const slow = await follow(topics);
    const fast = await follow(topics);
    slow.room = 1;
    const all = Array.from({ length: 1000 }, (_, i) => `m${i}`);
    for (const value of all) await say(topics, value);
    expect(fast.texts()).toEqual(all);
    expect(slow.texts()).toEqual(["m0"]);
    slow.room = Number.POSITIVE_INFINITY;
    slow.subscription?.drained();
    await settle();
    expect(slow.texts()).toEqual(all);
    expect(slow.gaps()).toEqual([]);
    await say(topics, "live again");
    expect(slow.texts().at(-1)).toBe("live again");
  });

  it("tells of one gap when history has dropped what is asked for, and continues behind it", async () => {
    const { topics } = aService(new MemoryTopics({ ...limits.memoryHistory, maxItems: 16 }, 1));
    for (let i = 1; i <= 100; i++) await say(topics, `m${i}`);
    const late = await follow(topics, { page: 1, sequence: 3 });
    await settle();
    expect(late.gaps()).toHaveLength(1);
    const [gap] = late.gaps();
    expect(gap?.after).toEqual({ page: 1, sequence: 3 });
    expect(late.texts()[0]).toBe(`m${(gap?.now.sequence ?? 0) + 1}`);
    expect(late.texts().at(-1)).toBe("m100");
  });

  it("takes a position of a page that is gone, or ahead of the log, as one gap", async () => {
    const { topics } = aService();
    await say(topics, "a");
    const older = await follow(topics, { page: 0.5, sequence: 7 });
    const ahead = await follow(topics, { page: 1, sequence: 50 });
    await settle();
    expect([older.gaps().length, older.texts()]).toEqual([1, ["a"]]);
    expect([ahead.gaps().length, ahead.texts()]).toEqual([1, []]);
    await say(topics, "b");
    expect(ahead.texts()).toEqual(["b"]);
  });

  it("ends a subscription when its token expires, and not before", async () => {
    const service = aService();
    const principal: Principal = { ...openPrincipal, kind: "token", expiresAtMs: service.now() + 5000 };
    const client = await follow(service.topics, undefined, principal);
    service.pass(4900);
    expect(client.ended).toBeUndefined();
    service.pass(200);
    expect(client.ended).toMatchObject({ code: "unauthenticated" });
    await say(service.topics, "after");
    expect(client.texts()).toEqual([]);
  });

  it("ends a subscription soon after the wall clock was set past its token's expiry", async () => {
    const service = aService();
    const principal: Principal = { ...openPrincipal, kind: "token", expiresAtMs: service.now() + 3_600_000 };
    const client = await follow(service.topics, undefined, principal);
    service.setWall(7_200_000);
    service.pass(limits.expiryCheckMs);
    expect(client.ended).toMatchObject({ code: "unauthenticated" });
  });

  it("can be followed again when its head could not be read while the cache was flushed", async () => {
    const store = new MemoryTopics(limits.memoryHistory, 1);
    const gate = Promise.withResolvers<never>();
    const head = store.head.bind(store);
    store.head = () => gate.promise;
    const service = aService(store);
    const first = follow(service.topics);
    await service.flush();
    gate.reject(new TodokuError("unavailable", "the storage cannot be read"));
    await expect(first).rejects.toMatchObject({ code: "unavailable" });
    store.head = head;
    await settle();
    const client = await follow(service.topics);
    await say(service.topics, "a");
    expect(client.texts()).toEqual(["a"]);
  });

  it("keeps what came in memory for ten seconds after the last subscriber left, whoever left before", async () => {
    const store = new MemoryTopics(limits.memoryHistory, 1);
    const service = aService(store);
    const first = await follow(service.topics);
    first.subscription?.close();
    service.pass(9000);
    const second = await follow(service.topics);
    await say(service.topics, "a");
    second.subscription?.close();
    service.pass(2000); // ten seconds after the first one, two after the second
    store.read = () => Promise.reject(new Error("the log was read"));
    expect((await follow(service.topics, { page: 1, sequence: 0 })).texts()).toEqual(["a"]);
  });

  it("follows a flushed cache behind one discontinuity, and ends with a deleted one", async () => {
    const service = aService();
    const client = await follow(service.topics);
    await say(service.topics, "before");
    await service.flush();
    await settle();
    expect(client.gaps()).toEqual([{ after: { page: 1, sequence: 1 }, now: { page: 2, sequence: 0 } }]);
    expect((await say(service.topics, "after")).position).toEqual({ page: 2, sequence: 1 });
    expect(client.texts()).toEqual(["before", "after"]);
    await service.deleteCache();
    await settle();
    expect(client.ended).toMatchObject({ code: "not_found", subject: "cache" });
  });

  it("misses nothing that is committed while the topic's head is being read", async () => {
    const store = new MemoryTopics(limits.memoryHistory, 1);
    const held = Promise.withResolvers<void>();
    const slowHead: TopicStore = {
      append: (batch) => store.append(batch),
      read: (...args) => store.read(...args),
      forget: (...args) => store.forget(...args),
      trim: (...args) => store.trim(...args),
      async head(key) {
        const head = await store.head(key);
        await held.promise;
        return head;
      },
    };
    const { topics } = aService(slowHead);
    const opening = follow(topics, { page: 1, sequence: 0 });
    await say(topics, "meanwhile");
    held.resolve();
    const client = await opening;
    await settle();
    await say(topics, "then");
    expect(client.texts()).toEqual(["meanwhile", "then"]);
    expect(client.gaps()).toEqual([]);
  });

  it("needs a grant for the topic", async () => {
    const { topics } = aService();
    const grants = [{ resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { prefix: "t" } }] as const;
    const principal: Principal = { ...openPrincipal, kind: "token", isSuperUser: false, grants };
    await follow(topics, undefined, principal);
    expect(() => topics.publish(principal, "c", "t", text("x"))).toThrow(TodokuError);
    await expect(topics.subscribe(principal, "c", "other", undefined, new Client())).rejects.toMatchObject({
      code: "permission_denied",
    });
  });
});

it("delivers to every subscriber, fast or slow, early or late, exactly the log behind its start, in order", async () => {
  const command = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant("publish" as const), count: fc.integer({ min: 1, max: 40 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("subscribe" as const),
        back: fc.nat(30),
        room: fc.integer({ min: 1, max: 6 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("drain" as const),
        which: fc.nat(5),
        room: fc.integer({ min: 1, max: 6 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), which: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("pause" as const), which: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(15_000) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
      const service = aService();
      const log: string[] = [];
      const clients: { client: Client; from: number }[] = [];
      for (const step of commands) {
        if (step.kind === "publish") {
          const values = Array.from({ length: step.count }, (_, i) => `m${log.length + i + 1}`);
          log.push(...values);
          await Promise.all(values.map((value) => say(service.topics, value)));
        } else if (step.kind === "subscribe") {
          const from = Math.max(0, log.length - step.back);
          const client = new Client();
          client.room = step.room;
          client.subscription = await service.topics.subscribe(
            openPrincipal,
            "c",
            "t",
            { page: 1, sequence: from },
            client,
          );
          client.subscription.drained();
          clients.push({ client, from });
        } else if (step.kind === "drain") {
          const { client } = clients[step.which % Math.max(1, clients.length)] ?? {};
          if (client && client.room <= 0) {
            client.room = step.room;
            client.subscription?.drained();
          }
        } else if (step.kind === "pause") {
          clients[step.which % Math.max(1, clients.length)]?.client.subscription?.pause();
        } else if (step.kind === "leave")
          clients.splice(step.which % Math.max(1, clients.length), 1)[0]?.client.subscription?.close();
        else service.pass(step.ms);
      }
      for (const { client, from } of clients) {
        client.room = Number.POSITIVE_INFINITY;
        client.subscription?.drained();
        await settle();
        expect(client.texts()).toEqual(log.slice(from));
        expect(client.gaps()).toEqual([]);
      }
    }),
    { numRuns: process.env.TEST_LONG ? 2000 : 100 },
  );
});
