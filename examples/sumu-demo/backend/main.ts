// `node examples/sumu-demo/backend/main.ts`: the backend as a process. What it takes from the environment is in the README.
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { createLog, runProcess } from "../../task-notifications/shared/processes.ts";
import { readSettings, wholeNumber } from "../../task-notifications/shared/settings.ts";
import { keyFileIn, readExampleSettings } from "../shared/settings.ts";
import { signInSettings, toPageSettings } from "./page-settings.ts";
import { startBackend } from "./start-backend.ts";

const settingsSchema = signInSettings.extend({
  HOST: z.string().default("127.0.0.1"),
  PORT: wholeNumber(0, 65_535).default(3000),
  TODOKU_KEY_FILE: z.string().optional(),
});

await runProcess(async () => {
  const common = readExampleSettings(process.env);
  const settings = readSettings(settingsSchema, process.env);
  const backend = await startBackend(
    {
      host: settings.HOST,
      port: settings.PORT,
      todokuUrl: common.todokuUrl,
      keyFile: settings.TODOKU_KEY_FILE ?? keyFileIn(common.stateDir),
      page: toPageSettings(settings, common.todokuUrl),
      pageDirectory: fileURLToPath(new URL("../web/dist", import.meta.url)),
    },
    createLog("backend", common.logLevel),
  );
  process.stdout.write(`Backend listens on ${backend.url}\n`);
  return backend;
});
