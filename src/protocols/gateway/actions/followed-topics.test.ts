import { setImmediate as nextTick } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openPrincipal } from "../../../domain/auth/open-access.ts";
import { silentBus } from "../../../domain/bus.ts";
import type { Cache } from "../../../domain/cache/cache.ts";
import type { Caches } from "../../../domain/cache/caches.ts";
import type { Engine } from "../../../domain/engine.ts";
import { limits } from "../../../domain/limits.ts";
import type { TopicStore } from "../../../domain/topics/store.ts";
import { createTopics } from "../../../domain/topics/topics.ts";
import { MemoryTopics } from "../../../engines/embedded/memory-topics.ts";
import { TimerWheel } from "../../../lib/timer-wheel.ts";
import { FrameParser } from "../../../lib/websocket/parser.ts";
import type { Session } from "../session.ts";
import { createTopicActions } from "./topics.ts";

const highWaterBytes = limits.gateway.topicHighWaterBytes;

interface Frame {
  readonly type: string;
  readonly topic: string;
  readonly position: string;
  readonly text: string;
  readonly error?: { readonly code: string };
}

/** A connection whose client reads only when it is told to. */
class StalledClient {
  /** Items that reached the client. */
  readonly received: Frame[] = [];
  readonly replies: Frame[] = [];
  #waiting: Uint8Array[] = [];
  waitingBytes = 0;
  maxWaitingBytes = 0;
  #drained: () => void = () => {};
  #closed: () => void = () => {};
  readonly session: Session;

  constructor() {
    const client = this;
    this.session = {
      ...{ principal: openPrincipal, environment: "dev", isOpen: true },
      reply: (json: object) => void this.replies.push(json as Frame),
      send(frame: Uint8Array) {
        client.#waiting.push(frame);
        client.waitingBytes += frame.length;
        client.maxWaitingBytes = Math.max(client.maxWaitingBytes, client.waitingBytes);
        return client.waitingBytes <= highWaterBytes;
      },
      onDrained: (listener: () => void) => {
        this.#drained = listener;
      },
      onClosed: (listener: () => void) => {
        this.#closed = listener;
      },
    } as Partial<Session> as Session;
  }

  /** Reads all that waits. */
  read(): void {
    const parser = new FrameParser(
      {
        text: (text) => this.received.push(JSON.parse(text)),
        ping() {},
        pong() {},
        close() {},
        failed: (_code, reason) => expect.fail(reason),
      },
      Number.MAX_SAFE_INTEGER,
    );
    for (const frame of this.#waiting) parser.push(masked(frame));
    this.#waiting = [];
    this.waitingBytes = 0;
    this.#drained();
  }

  close(): void {
    this.#closed();
  }

  texts(topic: string): string[] {
    return this.received.filter((frame) => frame.topic === topic).map(({ text }) => text);
  }
}

/** The parser is a server's: it reads frames of clients, which are masked; a mask of zeros changes nothing. */
function masked(frames: Uint8Array): Buffer {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < frames.length; ) {
    const short = (frames[at + 1] as number) & 0x7f;
    const view = new DataView(frames.buffer, frames.byteOffset + at);
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length = short < 126 ? short : short === 126 ? view.getUint16(2) : Number(view.getBigUint64(2));
    const copy = Buffer.from(frames.subarray(at, at + head));
    copy[1] = (copy[1] as number) | 0x80;
    parts.push(copy, Buffer.alloc(4), frames.subarray(at + head, at + head + length));
    at += head + length;
  }
  return Buffer.concat(parts);
}

function aDomain() {
  const cache: Cache = { environment: "dev", cache: "c", cacheId: 1, durability: "memory", createdAtMs: 0 };
  const caches = { known: () => cache, get: async () => cache, onChange() {} } as Partial<Caches> as Caches;
  const store: TopicStore = new MemoryTopics(limits.memoryHistory, 1);
  const engine = { topics: { memory: store, disk: store }, bus: silentBus, isSingleNode: true } as Partial<Engine>;
  let nowMs = 0;
  const clock = { monotonicMs: () => nowMs, steadyMs: () => nowMs, wallMs: () => nowMs };
  const wheel = new TimerWheel(clock);
  const messageMaxBytes = limits.messageMaxBytes;
  const topics = createTopics({ engine: engine as Engine, caches, clock, wheel, messageMaxBytes });
  const { actions } = createTopicActions({ topics });
  return {
    store,
    actions,
    say: (topic: string, text: string) =>
      topics.publish(openPrincipal, "c", topic, { value: { isText: true, bytes: Buffer.from(text) } }),
    /** What came until now is read from the log, not from memory. */
    forgetTails() {
      nowMs += 2 * limits.tailMinMs;
      wheel.runOnce();
    },
    subscriptions: () => topics.stats().get("dev")?.subscriptions ?? 0,
    act: (client: StalledClient, action: string, frame: object) => actions[action]?.(client.session, { ...frame }),
  };
}

const settle = async () => {
  for (let i = 0; i < 30; i++) await nextTick();
};

describe("a client that does not read", () => {
  it("holds the high-water mark, one frame and one chunk at most, however many topics it follows", async () => {
    const { act, say, forgetTails } = aDomain();
    const client = new StalledClient();
    const topics = Array.from({ length: 20 }, (_, i) => `t${i}`);
    for (const topic of topics) await act(client, "topics.subscribe", { cache: "c", topic });
    const sent = "x".repeat(40_000);
    for (let round = 0; round < 12; round++) {
      await Promise.all(topics.map((topic) => say(topic, `${round} ${sent}`)));
      if (round === 6) forgetTails();
    }
    const bound = highWaterBytes + sent.length + 1000 + limits.catchUpMaxBytes + 10 * 1000;
    expect(client.maxWaitingBytes).toBeGreaterThan(highWaterBytes);
    for (let reads = 0; client.waitingBytes > 0 && reads < 1000; reads++) {
      client.read();
      await settle();
    }
    expect(client.maxWaitingBytes).toBeLessThanOrEqual(bound);
    const all = Array.from({ length: 12 }, (_, round) => `${round} ${sent}`);
    for (const topic of topics) expect(client.texts(topic)).toEqual(all);
  });

  it("reads its topics on in turn: a long history of one does not hold up the others", async () => {
    const { act, say } = aDomain();
    const client = new StalledClient();
    for (let i = 0; i < 40; i++) await say("long", "x".repeat(100_000));
    for (let i = 0; i < 3; i++) await say("short", `s${i}`);
    const after = "0-0";
    await act(client, "topics.subscribe", { cache: "c", topic: "long", after });
    await act(client, "topics.subscribe", { cache: "c", topic: "short", after });
    for (let i = 0; i < 4; i++) {
      await settle();
      client.read();
    }
    expect(client.texts("short")).toEqual(["s0", "s1", "s2"]);
    expect(client.texts("long").length).toBeLessThan(40);
  });
});

it("reads the log for one topic of a connection at a time, a chunk for each in turn, though the client keeps up", async () => {
  const { store, act, say, forgetTails } = aDomain();
  for (let i = 0; i < 3000; i++) await say("long", `l${i}`);
  for (let i = 0; i < 300; i++) await say("short", `s${i}`);
  // A topic's tail goes some time after it was followed last.
  const before = new StalledClient();
  for (const topic of ["long", "short"]) await act(before, "topics.subscribe", { cache: "c", topic });
  before.close();
  forgetTails();
  let [reading, mostAtOnce, reads] = [0, 0, 0];
  const read = store.read.bind(store);
  store.read = async (...args) => {
    reads++;
    mostAtOnce = Math.max(mostAtOnce, ++reading);
    for (let i = 0; i < 3; i++) await nextTick();
    reading--;
    return read(...args);
  };
  const client = new StalledClient();
  for (const topic of ["long", "short"]) await act(client, "topics.subscribe", { cache: "c", topic, after: "1-0" });
  while (client.texts("long").length < 3000) {
    client.read();
    await nextTick();
  }
  expect([mostAtOnce, reads >= 14]).toEqual([1, true]);
  const order = client.received.map(({ text }) => text);
  expect(order.indexOf("s299")).toBeLessThan(order.indexOf("l1500"));
});

it("delivers to every client, whenever it reads, each topic's log from where it began, in order", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("say" as const), topic: fc.nat(2), count: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ kind: fc.constant("subscribe" as const), client: fc.nat(2), topic: fc.nat(2) }),
    fc.record({ kind: fc.constant("read" as const), client: fc.nat(2) }),
    fc.record({ kind: fc.constant("forget" as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { act, say, forgetTails } = aDomain();
      const clients = [new StalledClient(), new StalledClient(), new StalledClient()];
      const logs: string[][] = [[], [], []];
      const followed = new Map<string, { client: StalledClient; topic: number }>();
      for (const one of steps) {
        if (one.kind === "say") {
          const texts = Array.from(
            { length: one.count },
            (_, i) => `${(logs[one.topic]?.length ?? 0) + i}${"x".repeat(5000)}`,
          );
          logs[one.topic]?.push(...texts);
          await Promise.all(texts.map((text) => say(`t${one.topic}`, text)));
        } else if (one.kind === "subscribe") {
          const client = clients[one.client] as StalledClient;
          if (followed.has(`${one.client}/${one.topic}`)) continue;
          followed.set(`${one.client}/${one.topic}`, { client, topic: one.topic });
          await act(client, "topics.subscribe", { cache: "c", topic: `t${one.topic}`, after: "1-0" });
        } else if (one.kind === "read") clients[one.client]?.read();
        else forgetTails();
      }
      for (let i = 0; i < 200 && (i < 3 || clients.some(({ waitingBytes }) => waitingBytes > 0)); i++) {
        for (const client of clients) client.read();
        await nextTick();
        await nextTick();
      }
      for (const { client, topic } of followed.values()) expect(client.texts(`t${topic}`)).toEqual(logs[topic]);
    }),
    { numRuns: 40 },
  );
});

describe("what is left", () => {
  it("is nothing of a subscription that is under way when the connection closes", async () => {
    const { store, act, subscriptions } = aDomain();
    const gate = Promise.withResolvers<void>();
    const head = store.head.bind(store);
    store.head = (key) => gate.promise.then(() => head(key));
    const client = new StalledClient();
    const opening = act(client, "topics.subscribe", { cache: "c", topic: "t" });
    client.close();
    gate.resolve();
    await opening;
    expect(subscriptions()).toBe(0);
  });

  it("is an order of answers when a client unsubscribes before it has been told that it follows", async () => {
    const { act, subscriptions } = aDomain();
    const client = new StalledClient();
    const place = { cache: "c", topic: "t" };
    await Promise.all([act(client, "topics.subscribe", place), act(client, "topics.unsubscribe", place)]);
    expect(client.replies.map(({ type }) => type)).toEqual(["subscribed", "unsubscribed"]);
    expect(subscriptions()).toBe(0);
    await act(client, "topics.subscribe", place);
    expect(subscriptions()).toBe(1);
  });
});
