// Two nodes over one store, with a bus that loses, doubles and delays hints: the truth is in the store.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTick } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type EmbeddedEngine, openEmbeddedEngine } from "../../engines/embedded/index.ts";
import { createClock } from "../../lib/clock.ts";
import { silentLog } from "../../lib/log.ts";
import { TimerWheel } from "../../lib/timer-wheel.ts";
import { createAccess } from "../auth/access.ts";
import { openPrincipal } from "../auth/open-access.ts";
import type { Bus, Hint } from "../bus.ts";
import type { Durability } from "../cache/cache.ts";
import { createCaches } from "../cache/caches.ts";
import { MasterKey } from "../encryption/master-key.ts";
import { createSealer } from "../encryption/sealer.ts";
import type { Engine } from "../engine.ts";
import { createEnvironments } from "../environments/environments.ts";
import { limits } from "../limits.ts";
import { createQueueMessages } from "../queues/messages.ts";
import { createQueues } from "../queues/queues.ts";
import { UpkeepWorker } from "../upkeep-worker.ts";
import type { TopicItem } from "./store.ts";
import type { Sink } from "./subscription.ts";
import { createTopics } from "./topics.ts";

type Fate = "kept" | "lost" | "doubled" | "late";

/** Two ends of one wire; `fate` decides about each hint. */
function aLossyBus(fate: () => Fate): [Bus, Bus] {
  const listeners: Set<(hint: Hint) => void>[] = [new Set(), new Set()];
  const end = (own: number): Bus => ({
    send(hint) {
      const deliver = () => {
        for (const listener of listeners[1 - own] as Set<(hint: Hint) => void>) listener(hint);
      };
      const what = fate();
      if (what === "lost") return;
      if (what === "late") setTimeout(deliver, 5);
      else setImmediate(deliver);
      if (what === "doubled") setImmediate(deliver);
    },
    listen(onHint) {
      (listeners[own] as Set<(hint: Hint) => void>).add(onHint);
      return () => void (listeners[own] as Set<(hint: Hint) => void>).delete(onHint);
    },
  });
  return [end(0), end(1)];
}

function aNode(engine: Engine) {
  const clock = createClock();
  const wheel = new TimerWheel(clock);
  const sealer = createSealer(engine.records, new MasterKey(randomBytes(32)));
  const access = createAccess({ engine, sealer, wallMs: clock.wallMs });
  const caches = createCaches(engine, { defaultDurability: "disk", wallMs: clock.wallMs });
  const topics = createTopics({ engine, caches, clock, wheel, messageMaxBytes: limits.messageMaxBytes });
  const queues = createQueues(engine, clock.wallMs);
  const queueMessages = createQueueMessages({ engine, queues, clock, wheel, log: silentLog });
  const environments = createEnvironments(engine, clock.wallMs);
  const registry = { async refresh() {} };
  const eventTopics = { async refresh() {} };
  const deliveries = { async runOnce() {} };
  const domain = { engine, environments, access, caches, topics, queues, queueMessages, registry, deliveries };
  const upkeep = new UpkeepWorker({
    ...domain,
    eventTopics,
    queueMoves: { runOnce: async () => {} },
    log: silentLog,
    clock,
  });
  return { caches, topics, tick: () => upkeep.runOnce(clock.steadyMs()) };
}

class Follower implements Sink {
  readonly texts: string[] = [];
  gaps = 0;
  ended: unknown;
  readonly encoding = {
    items: (items: readonly TopicItem[]) =>
      Buffer.from(`${items.map((item) => Buffer.from(item.value.bytes)).join("\n")}\n`),
    discontinuity: () => Buffer.from("gap\n"),
  };
  write(frame: Uint8Array): boolean {
    for (const line of Buffer.from(frame).toString().trimEnd().split("\n")) {
      if (line === "gap") this.gaps++;
      else this.texts.push(line);
    }
    return true;
  }
  close(error: unknown): void {
    this.ended = error;
  }
}

let directory: string;
let engine: EmbeddedEngine;
let nodes: [ReturnType<typeof aNode>, ReturnType<typeof aNode>];
let fate: () => Fate;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "todoku-nodes-"));
  fate = () => "kept";
  const [one, two] = aLossyBus(() => fate());
  engine = await openEmbeddedEngine({ dataDir: directory, wallMs: Date.now, bus: one });
  nodes = [aNode(engine), aNode(engine.secondHandle(two))];
  for (const node of nodes) await node.caches.start();
});
afterEach(async () => {
  await engine.close();
  await rm(directory, { recursive: true });
});

const fates: [string, Durability, () => Fate][] = [
  ["kept", "disk", () => "kept"],
  ["all lost", "disk", () => "lost"],
  ["all doubled", "disk", () => "doubled"],
  [
    "lost, doubled and delayed at random",
    "disk",
    () => (["kept", "lost", "doubled", "late"] as const)[Math.floor(Math.random() * 4)] as Fate,
  ],
  ["all lost", "memory", () => "lost"],
];

it.each(fates)(
  "with hints %s, followers on both nodes see one log of a %s cache, in order",
  async (_, durability, decide) => {
    fate = decide;
    await nodes[0].caches.create(openPrincipal, "c", durability);
    const followers = await Promise.all(
      nodes.map(async ({ topics }) => {
        const follower = new Follower();
        (await topics.subscribe(openPrincipal, "c", "t", { page: 0, sequence: 0 }, follower)).drained();
        return follower;
      }),
    );
    const value = (text: string) => ({ value: { isText: true, bytes: Buffer.from(text) } });
    for (let round = 0; round < 20; round++) {
      const publishes = nodes.map(({ topics }, n) => topics.publish(openPrincipal, "c", "t", value(`${round}.${n}`)));
      await Promise.all(publishes);
      if (round % 5 === 0) await Promise.all(nodes.map((node) => node.tick()));
    }
    // What the tick of each second does, until the last catch-up has come back.
    for (let i = 0; i < 50 && followers.some((f) => f.texts.length < 40); i++) {
      await Promise.all(nodes.map((node) => node.tick()));
      await nextTick();
    }
    const { items } = await nodes[0].topics.history(openPrincipal, "c", "t", { page: 0, sequence: 0 }, 1000);
    const log = items.map((item) => Buffer.from(item.value.bytes).toString());
    expect(log).toHaveLength(40);
    for (const follower of followers) expect(follower).toMatchObject({ texts: log, gaps: 0, ended: undefined });
  },
);

it("lets a node use a cache that another has just made, and ends its followers when it is deleted there", async () => {
  fate = () => "lost";
  await nodes[0].caches.create(openPrincipal, "c");
  const follower = new Follower();
  (await nodes[1].topics.subscribe(openPrincipal, "c", "t", undefined, follower)).drained();
  await nodes[0].caches.delete(openPrincipal, "c");
  await nodes[1].tick();
  await nextTick();
  expect(follower.ended).toMatchObject({ code: "not_found" });
});
