// kill -9 while the items of a topic go to a queue: each that matches the filter is in the queue exactly once.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openTopicToQueue } from "../support/topic-to-queue.ts";

const child = new URL("../support/topic-to-queue-child.ts", import.meta.url).pathname;
let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "todoku-crash-"));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

/** Kills the child after so many lines, at whatever it does then. */
async function killAfter(lines: number): Promise<void> {
  const writer = spawn(process.execPath, [child, dataDir], {
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(writer, "exit");
  let seen = 0;
  for await (const _ of createInterface({ input: writer.stdout })) if (++seen === lines) writer.kill("SIGKILL");
  expect((await ended)[1]).toBe("SIGKILL");
}

it("brings each item that matches to the queue exactly once, and no other, over kills", async () => {
  for (const lines of [3, 20, 60, 33]) await killAfter(lines);
  const parts = await openTopicToQueue(dataDir);
  await parts.settled();
  const published = await parts.published();
  expect(published.length).toBeGreaterThan(116 * 20 - 1);
  const queued = await parts.queued();
  expect(queued.sort((a, b) => a - b)).toEqual(published.filter((n) => n % 2 === 0));
  const { cursor, counters, deadLetters } = await parts.state();
  expect(cursor).toMatchObject({ position: { sequence: published.length }, pending: [] });
  expect(counters).toMatchObject({ failures: 0, dead: 0, missed: 0 });
  expect(deadLetters.count).toBe(0);
  await parts.close();
});
