// kill -9 in the middle of writing: the next start needs no repair, finds the lock free, and has everything acknowledged.
import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { backupDataDirectory, openEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import type { Acknowledgement } from "../support/power-cut-child.ts";
import { findLosses } from "../support/power-cut-losses.ts";

const child = new URL("../support/power-cut-child.ts", import.meta.url).pathname;
let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "todoku-crash-"));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

/** Acknowledgements that the child has noted; a line that it was killed in does not count. */
function readAcks(): Acknowledgement[] {
  const lines = readFileSync(join(dataDir, "acks"), "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

/** Starts the child, and kills it once `acks` writes are acknowledged. `whileAlive` runs just before. */
async function killAfter(acks: number, whileAlive: () => Promise<void> = async () => {}): Promise<void> {
  const writer = spawn(process.execPath, [child, dataDir, "FULL", "1000000"], {
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => writer.once("exit", (_, signal) => resolve(signal)));
  let seen = 0;
  await new Promise<void>((resolve) => {
    writer.stdout.on("data", (chunk) => {
      seen += String(chunk).split("\n").length - 1;
      if (seen >= acks) resolve();
    });
    writer.once("exit", () => resolve());
  });
  await whileAlive();
  writer.kill("SIGKILL");
  expect(await ended).toBe("SIGKILL");
}

it("keeps what was acknowledged before a kill -9, and starts at once", async () => {
  await killAfter(2000);
  const acks = readAcks();
  expect(acks.length).toBeGreaterThanOrEqual(2000);
  expect(await findLosses(dataDir, acks)).toEqual([]);
});

it("a second process is refused while the first lives, and a backup taken beside it has all that was acknowledged", async () => {
  let early: Acknowledgement[] = [];
  await killAfter(500, async () => {
    const second = openEmbeddedEngine({ dataDir, wallMs: Date.now });
    await expect(second).rejects.toMatchObject({ code: "failed_precondition" });
    early = readAcks();
    await backupDataDirectory(dataDir, join(dataDir, "beside.db"));
  });
  // The crash left a write-ahead log beside the file: a backup that no server runs beside reads it too.
  await backupDataDirectory(dataDir, join(dataDir, "after.db"));
  expect(early.length).toBeGreaterThanOrEqual(500);
  for (const [copy, acks] of [
    ["beside.db", early],
    ["after.db", readAcks()],
  ] as const) {
    const restored = join(dataDir, `restored ${copy}`);
    mkdirSync(restored);
    copyFileSync(join(dataDir, copy), join(restored, "todoku.db"));
    expect(await findLosses(restored, acks, { isRestored: true })).toEqual([]);
  }
});
