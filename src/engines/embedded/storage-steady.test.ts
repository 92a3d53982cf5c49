// How the data file remembers the steady clock: see docs/design/clocks.md.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type EmbeddedEngine, openEmbeddedEngine } from "./index.ts";

const secondMs = 1000;
const startMs = Date.UTC(2026, 0, 2);
let dataDir: string;
let nowMs: number;
let engine: EmbeddedEngine;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "todoku-steady-"));
  nowMs = startMs;
  engine = await open();
});
afterEach(async () => {
  await engine.close();
  rmSync(dataDir, { recursive: true });
});

const open = () => openEmbeddedEngine({ dataDir, wallMs: () => nowMs });

const write = () => engine.records.create({ kind: "cache", environment: "dev", name: `c${nowMs}` }, {});

/** What upkeep does each second, with nothing to do. */
async function idle(): Promise<void> {
  await engine.topics.disk.trim(nowMs);
  await engine.items.disk.sweep(nowMs);
}

/** Ends it as kill -9 does, and opens the directory again. */
async function crash(): Promise<void> {
  await engine.storage.writer.terminate();
  await engine.close();
  engine = await open();
}

it("knows no steady time of a new file", () => {
  expect(engine.lastSteadyMs).toBe(0);
});

it("remembers the steady time of a clean end, whatever was written", async () => {
  nowMs += 12_345;
  await engine.close();
  engine = await open();
  expect(engine.lastSteadyMs).toBe(startMs + 12_345);
});

it("remembers after a crash the steady time of the last commit that changed something", async () => {
  await write();
  nowMs += 10 * secondMs;
  await write();
  nowMs += 20 * secondMs;
  await idle();
  await crash();
  expect(engine.lastSteadyMs).toBe(startMs + 10 * secondMs);
});

it("writes once a minute while nothing changes, not once a second", async () => {
  await write();
  await idle();
  const grew: number[] = [];
  for (let second = 1; second <= 130; second++) {
    const before = engine.stats().walBytes;
    nowMs += secondMs;
    await idle();
    if (engine.stats().walBytes > before) grew.push(second);
  }
  expect(grew).toEqual([61, 122]);
  await crash();
  expect(engine.lastSteadyMs).toBe(startMs + 122 * secondMs);
});

it("does not go back for a program that knows the wall clock only, but from a time that was wrong by more than a day", async () => {
  nowMs += 3_600_000;
  await engine.close();
  nowMs -= 3_600_000;
  engine = await open();
  await write();
  await engine.close();
  engine = await open();
  expect(engine.lastSteadyMs).toBe(startMs + 3_600_000);
  nowMs -= 86_400_000;
  await write();
  await crash();
  expect(engine.lastSteadyMs).toBe(startMs - 86_400_000);
});
