// kill -9 leaves the page cache to the kernel, so it proves no fsync. Here a shim logs each write and sync of a process; then the
// power is cut at many places of that log: the files are built again from what was synced (and, in a second way, from some of the
// rest too, torn at sectors), the engine opens them, and everything acknowledged before the cut must be there.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Acknowledgement } from "../support/power-cut-child.ts";
import { type CutOptions, type LogEntry, PowerCutDisk, parseLog } from "../support/power-cut-disk.ts";
import { findLosses } from "../support/power-cut-losses.ts";

const compiler = process.env.CC ?? "gcc";
const hasCompiler = spawnSync(compiler, ["--version"]).status === 0;
if (!hasCompiler && process.env.CI) throw new Error("gcc is missing: the power cut test cannot run in CI without it");
if (!hasCompiler)
  console.warn("SKIPPED: gcc is missing, nothing here proves that acknowledged writes survive a power cut");

const cuts = process.env.TEST_LONG ? 60 : 9;
const support = new URL("../support/", import.meta.url).pathname;
const isAck = (entry: LogEntry) => entry.path.endsWith("/acks") && entry.data.length > 0;
const isIgnored = (entry: LogEntry) => /\/acks$|-shm$|\/lock\.(db|json)(-journal)?$/.test(entry.path);

/** mulberry32: the same cuts for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe.skipIf(!hasCompiler)("a power cut", () => {
  let root: string;
  let shim: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "todoku-power-cut-"));
    shim = join(root, "power-cut.so");
    const built = spawnSync(compiler, [
      "-O1",
      "-shared",
      "-fPIC",
      "-o",
      shim,
      join(support, "power-cut.c"),
      "-ldl",
      "-lpthread",
    ]);
    if (built.status !== 0) throw new Error(`gcc: ${built.stderr}`);
  });
  afterAll(() => rmSync(root, { recursive: true }));

  async function record(synchronous: "FULL" | "OFF", rounds: number): Promise<{ log: LogEntry[]; dataDir: string }> {
    const dataDir = join(root, synchronous);
    const logFile = join(root, `${synchronous}.log`);
    mkdirSync(dataDir);
    const child = spawn(process.execPath, [join(support, "power-cut-child.ts"), dataDir, synchronous, String(rounds)], {
      env: { ...process.env, NODE_OPTIONS: "", LD_PRELOAD: shim, POWER_CUT_DIR: dataDir, POWER_CUT_LOG: logFile },
      stdio: ["ignore", "ignore", "inherit"],
    });
    const signal = await new Promise((resolve) => child.once("exit", (_, by) => resolve(by)));
    expect(signal).toBe("SIGKILL");
    return { log: parseLog(readFileSync(logFile)), dataDir };
  }

  /** The state of the disk, and what was acknowledged, as the log goes on. */
  function replay(log: readonly LogEntry[], dataDir: string) {
    const disk = new PowerCutDisk(dataDir);
    const acks: Acknowledgement[] = [];
    let at = 0;
    return {
      /** Cuts after `length` entries, more than before, and says what is wrong or missing after the next start. */
      async cutAt(length: number, options: CutOptions): Promise<string[]> {
        for (const entry of log.slice(at, length)) {
          if (isAck(entry)) acks.push(JSON.parse(entry.data.toString()));
          if (!isIgnored(entry)) disk.apply(entry);
        }
        at = length;
        const target = join(root, "after");
        disk.cut(target, options);
        try {
          return await findLosses(target, acks);
        } finally {
          rmSync(target, { recursive: true });
        }
      },
    };
  }

  function cutPoints(log: readonly LogEntry[], random: () => number): number[] {
    const afterAcks = log.flatMap((entry, n) => (isAck(entry) ? [n + 1] : []));
    const inCheckpoints = log.flatMap((entry, n) => (entry.path.endsWith("/todoku.db") ? [n + 1] : []));
    const pick = (from: readonly number[]) => from[Math.floor(random() * from.length)] ?? log.length;
    const places = [() => pick(afterAcks), () => pick(inCheckpoints), () => Math.floor(random() * log.length)];
    const chosen = Array.from({ length: cuts - 1 }, (_, n) => (places[n % 3] as () => number)());
    return [...chosen, log.length].sort((a, b) => a - b);
  }

  /** A write that the shim does not see would make every cut a false one. */
  function expectComplete(log: readonly LogEntry[], dataDir: string): void {
    const disk = new PowerCutDisk(dataDir);
    for (const entry of log) if (!isIgnored(entry)) disk.apply(entry);
    const files = disk.liveFiles();
    expect([...files.keys()].map((path) => basename(path)).sort()).toEqual(["todoku.db", "todoku.db-wal"]);
    for (const [path, content] of files) expect([path, readFileSync(path).equals(content)]).toEqual([path, true]);
  }

  it("loses nothing that was acknowledged, wherever it comes", async () => {
    const { log, dataDir } = await record("FULL", 150);
    expectComplete(log, dataDir);
    // Or the cuts would prove nothing about checkpoints and the log's second life.
    expect(log.filter((entry) => entry.path.endsWith("/todoku.db") && entry.data.length > 0).length).toBeGreaterThan(
      100,
    );
    const seed = Date.now() % 1_000_000;
    const random = randomFrom(seed);
    const disk = replay(log, dataDir);
    for (const length of cutPoints(log, random)) {
      for (const keeps of ["synced", "some"] as const) {
        const sectorBytes = random() < 0.5 ? 512 : 4096;
        const losses = await disk.cutAt(length, { keeps, sectorBytes, random });
        expect({ seed, length, keeps, losses }).toEqual({ seed, length, keeps, losses: [] });
      }
    }
  }, 600_000);

  it("would be noticed here: without syncs the acknowledged is lost", async () => {
    const { log, dataDir } = await record("OFF", 10);
    const options = { keeps: "synced", sectorBytes: 512, random: randomFrom(1) } as const;
    const losses = await replay(log, dataDir).cutAt(log.length, options);
    expect(losses.length).toBeGreaterThan(0);
  });
});
