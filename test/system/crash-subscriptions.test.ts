// kill -9 while cursors, deliveries and dead letters are saved: what was acknowledged is there, and of each save all or nothing.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, it } from "vitest";
import { limits } from "../../src/domain/limits.ts";
import { openEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { openAll } from "../support/subscription-crash.ts";

const child = new URL("../support/subscription-crash-child.ts", import.meta.url).pathname;
const all = { maxItems: 1e6, maxBytes: 1e9 };
let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "todoku-crash-"));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

/** Kills the child after `saves` acknowledged saves, at whatever it does then; the last cursor that it acknowledged. */
async function killAfter(saves: number): Promise<number> {
  const writer = spawn(process.execPath, [child, dataDir], {
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(writer, "exit");
  let [seen, last] = [0, 0];
  for await (const line of createInterface({ input: writer.stdout })) {
    last = Number(line);
    if (++seen === saves) writer.kill("SIGKILL");
  }
  expect((await ended)[1]).toBe("SIGKILL");
  return last;
}

const upTo = (last: number) => Array.from({ length: last }, (_, n) => n + 1);

async function check(acknowledged: number): Promise<void> {
  const engine = await openEmbeddedEngine({ dataDir, wallMs: Date.now });
  const { subscriptions, topics } = engine;
  const { topic, saving, idle, cursor } = await openAll(engine);
  const done = cursor.position.sequence;
  expect(done).toBeGreaterThanOrEqual(acknowledged);
  const dead = upTo(done).filter((n) => n % 3 === 0);
  const { items } = await topics.disk.read(topic, { page: 0, sequence: 0 }, all);
  const lost = upTo((items[0]?.sequence ?? 1) - 1);
  for (const key of saving) {
    const state = await subscriptions.state(key);
    const letters = await subscriptions.deadLetters(key, all);
    const refused = letters.filter(({ reason }) => reason === "refused");
    expect(state.cursor).toEqual(cursor);
    expect(state.counters).toMatchObject({ delivered: done - dead.length, failures: dead.length });
    expect(refused.map(({ item }) => item.sequence)).toEqual(dead);
    expect(state.counters.dead).toBe(letters.length);
    expect(state.deadLetters.count).toBe(letters.length);
    const deliveries = await subscriptions.deliveries(key, limits.webhook.logMax);
    const kept = Math.min(done, limits.webhook.logMax);
    expect(deliveries.map(({ number }) => number)).toEqual(upTo(done).slice(-kept).toReversed());
  }
  const letters = await subscriptions.deadLetters(idle, all);
  expect(letters.map(({ item }) => item.sequence)).toEqual(lost);
  expect((await subscriptions.state(idle)).counters.dead).toBe(lost.length);
  await engine.close();
}

it("keeps every acknowledged save whole, and makes each dropped item one dead letter, over kills", async () => {
  let acknowledged = 0;
  for (const saves of [1, 40, 97]) {
    acknowledged = Math.max(acknowledged, await killAfter(saves));
    await check(acknowledged);
  }
  expect(acknowledged).toBeGreaterThan(1000);
});
