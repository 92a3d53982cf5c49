// kill -9 at random moments under load: everything acknowledged is there, in order, none twice, and subscribers that follow by
// position see no discontinuity. TEST_LONG runs 50 rounds instead of 3.

import { CacheGet, CacheSet } from "@gomomento/sdk";
import { expect, it } from "vitest";
import { aSession, type GrpcCall, publishByHand, subscribeByHand } from "../support/grpc.ts";
import { localCredential, momentoClients, subscribe } from "../support/momento-node.ts";
import { type DevProcess, startDevProcess } from "../support/process.ts";
import { aDirectory } from "../support/server.ts";

const rounds = process.env.TEST_LONG ? 50 : 3;
const publishers = 8;

interface Acknowledged {
  /** By topic: texts `publisher:number`, in the order in which they were acknowledged to their publisher. */
  readonly texts: Map<string, string[]>;
  readonly items: Map<string, string>;
}

/** Publishes and sets as fast as answers come, until the connection breaks. */
async function load(port: number, round: number, done: Acknowledged): Promise<void> {
  using session = aSession(port);
  const clients = momentoClients(localCredential(port));
  let isRunning = true;
  const publisher = async (id: number) => {
    const topic = `t${id % 2}`;
    for (let n = 0; isRunning; n++) {
      const text = `${round}.${id}:${n}`;
      const { status } = await publishByHand(session, "c", topic, text);
      if (status !== 0) return;
      done.texts.set(topic, [...(done.texts.get(topic) ?? []), text]);
    }
  };
  const setter = async () => {
    for (let n = 0; isRunning; n++) {
      const [key, value] = [`k${n % 50}`, `${round}.${n}`];
      if (!((await clients.cache.set("c", key, value)) instanceof CacheSet.Success)) return;
      done.items.set(key, value);
    }
  };
  await Promise.all([...Array.from({ length: publishers }, (_, id) => publisher(id)), setter()]);
  isRunning = false;
  clients[Symbol.dispose]();
}

/** The whole log of a topic, read from its first item. */
async function readLog(port: number, topic: string, count: number) {
  using session = aSession(port);
  const call: GrpcCall = subscribeByHand(session, "c", topic, { resumeAt: 1 });
  await publishByHand(session, "c", topic, "end of log");
  await call.until(() => call.items().some((item) => item.has_item && item.item.value.text === "end of log"));
  const items = call.items();
  expect(items.every((item) => item.has_item)).toBe(true);
  expect(items.length).toBeGreaterThan(count);
  return items.map(({ item }) => ({
    sequence: item.topic_sequence_number,
    page: item.sequence_page,
    text: item.value.text,
  }));
}

function expectLogToHold(log: Awaited<ReturnType<typeof readLog>>, acknowledged: readonly string[]): void {
  expect(log.map((item) => item.sequence)).toEqual(log.map((_, i) => i + 1));
  expect(new Set(log.map((item) => item.page)).size).toBe(1);
  const place = new Map(log.filter((item) => item.text !== "end of log").map((item, i) => [item.text, i]));
  expect(place.size).toBe(log.filter((item) => item.text !== "end of log").length);
  expect(acknowledged.filter((text) => !place.has(text))).toEqual([]);
  for (let id = 0; id < publishers; id++) {
    const own = acknowledged
      .filter((text) => text.split(":")[0]?.endsWith(`.${id}`))
      .map((text) => place.get(text) as number);
    expect(own).toEqual(own.toSorted((a, b) => a - b));
  }
}

it(
  "loses nothing acknowledged, doubles nothing and shows no discontinuity",
  async () => {
    await using directory = await aDirectory();
    const done: Acknowledged = { texts: new Map(), items: new Map() };
    let server: DevProcess = await startDevProcess([
      "--port",
      "0",
      "--data-dir",
      directory.path,
      "--log-level",
      "warn",
    ]);
    const { port } = server;
    const args = ["--port", String(port), "--data-dir", directory.path, "--log-level", "warn"];
    const follower = momentoClients(localCredential(port));
    await follower.cache.createCache("c");
    const received = await subscribe(follower.topics, "c", "t0");

    for (let round = 1; round <= rounds; round++) {
      const loaded = load(port, round, done);
      await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 800)); // the random moment is the test
      expect(await server.end("SIGKILL")).toMatchObject({ signal: "SIGKILL" });
      await loaded;
      server = await startDevProcess(args);
    }

    const log = await readLog(port, "t0", done.texts.get("t0")?.length ?? 0);
    expectLogToHold(log, done.texts.get("t0") ?? []);
    expectLogToHold(await readLog(port, "t1", 0), done.texts.get("t1") ?? []);
    for (const [key, value] of done.items) {
      const hit = await follower.cache.get("c", key);
      // A set that was not acknowledged may have been committed all the same: then it is a later one.
      expect(hit, key).toBeInstanceOf(CacheGet.Hit);
      const [round, n] = (hit as CacheGet.Hit).valueString().split(".").map(Number);
      const [ackRound, ackN] = value.split(".").map(Number);
      expect((round as number) * 1e9 + (n as number)).toBeGreaterThanOrEqual(
        (ackRound as number) * 1e9 + (ackN as number),
      );
    }
    const items = await received.waitFor(log.length, 30_000);
    expect(items.map((item) => item.valueString())).toEqual(log.map((item) => item.text));
    expect(received).toMatchObject({ discontinuities: [], errors: [] });
    received.subscription.unsubscribe();
    follower[Symbol.dispose]();
    expect(await server.end("SIGTERM")).toEqual({ code: 0, signal: null });
  },
  60_000 + rounds * 10_000,
);
