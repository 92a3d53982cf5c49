// `node examples/task-notifications/worker/main.ts`: the worker as a process. What it takes from the environment is in the README.
import { join } from "node:path";
import { z } from "zod";
import { names } from "../shared/names.ts";
import { createLog, runProcess } from "../shared/processes.ts";
import { keyFileIn, readCommonSettings, readSettings, wholeNumber } from "../shared/settings.ts";
import { startWorker } from "./start-worker.ts";

const settingsSchema = z.object({
  TODOKU_KEY_FILE: z.string().optional(),
  CONCURRENCY: wholeNumber(1, 1000).default(8),
  TASK_MS: wholeNumber(0, 3_600_000).default(5000),
  VISIBILITY_SECONDS: wholeNumber(2, 43_200).default(30),
  DRAIN_MS: wholeNumber(0, 3_600_000).default(10_000),
});

await runProcess(async () => {
  const common = readCommonSettings(process.env);
  const settings = readSettings(settingsSchema, process.env);
  const worker = startWorker(
    {
      todokuUrl: common.todokuUrl,
      keyFile: settings.TODOKU_KEY_FILE ?? keyFileIn(common.stateDir, "worker"),
      cursorFile: join(common.stateDir, "dead-letters.json"),
      concurrency: settings.CONCURRENCY,
      taskMs: settings.TASK_MS,
      visibilitySeconds: settings.VISIBILITY_SECONDS,
      drainMs: settings.DRAIN_MS,
    },
    createLog("worker", common.logLevel),
  );
  process.stdout.write(`Worker polls ${names.taskQueue} at ${common.todokuUrl}\n`);
  return worker;
});
