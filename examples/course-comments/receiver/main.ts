// `node examples/course-comments/receiver/main.ts`: the receiver as a process. What it takes from the environment is in the README.
import { z } from "zod";
import { createLog, runProcess } from "../../task-notifications/shared/processes.ts";
import { readSettings, wholeNumber } from "../../task-notifications/shared/settings.ts";
import { keyFileIn, readExampleSettings } from "../shared/settings.ts";
import { startReceiver } from "./start-receiver.ts";

const settingsSchema = z.object({
  HOST: z.string().default("127.0.0.1"),
  PORT: wholeNumber(0, 65_535).default(3002),
  TODOKU_KEY_FILE: z.string().optional(),
});

await runProcess(async () => {
  const common = readExampleSettings(process.env);
  const settings = readSettings(settingsSchema, process.env);
  const receiver = await startReceiver(
    {
      host: settings.HOST,
      port: settings.PORT,
      todokuUrl: common.todokuUrl,
      keyFile: settings.TODOKU_KEY_FILE ?? keyFileIn(common.stateDir, "receiver"),
    },
    createLog("receiver", common.logLevel),
  );
  process.stdout.write(`Receiver listens on ${receiver.url}\n`);
  return receiver;
});
