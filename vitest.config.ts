import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

// Tests that need a process, load or a browser stand in projects of their own: scripts/test.ts runs those one after the other.

const systemFiles = (...names: string[]) => names.map((name) => `test/system/${name}.test.ts`);
/** What puts load on the machine and measures nothing. Two at a time: each waits for processes a third of the time. */
const loads = systemFiles("crash-*", "key-rotation", "power-cut", "soak");
/** What measures: one file at a time. */
const alone = systemFiles("clock-steps", "drain", "limits", "listener", "momento-first-stream");

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "scripts/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: ["**/node_modules/**"],
          testTimeout: 20_000,
          // A process for each of 200 files, each with all modules compiled anew, took half of the time.
          isolate: false,
          // One more than there are cores: a third of the time they wait for the disk, or for a second to pass.
          maxWorkers: availableParallelism() + 1,
        },
      },
      {
        test: {
          name: "system",
          include: ["test/system/**/*.test.ts"],
          exclude: [...loads, ...alone],
          // As above: the SDKs alone take a second to load.
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // They wait for processes a third of the time.
          maxWorkers: availableParallelism() + 1,
        },
      },
      {
        test: {
          name: "load",
          include: loads,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: "alone",
          include: alone,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          // Playwright, Vite and the SDKs take 2 s to load.
          isolate: false,
          // Two thirds of the time a file waits: for its page, for a process, for a second to pass.
          maxWorkers: 2,
        },
      },
    ],
  },
});
