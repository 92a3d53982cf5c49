// `node examples/sumu-demo/setup.ts [--stage feat-x]`: makes what the application needs in a running Todoku. May be run again at any time,
// and has to be when the backend's address changes.
import { z } from "zod";
import { httpUrl, readSettings, readStageOptions, SettingsError } from "../task-notifications/shared/settings.ts";
import { setUp } from "./shared/set-up.ts";
import { readExampleSettings } from "./shared/settings.ts";

const settingsSchema = z.object({ BACKEND_URL: httpUrl().default("http://127.0.0.1:3000") });

try {
  const { stageOptions, rest } = readStageOptions(process.argv.slice(2));
  if (rest.length > 0) throw new SettingsError(`there is no argument ${rest[0]}; there is --stage`);
  const environment = { ...process.env, ...stageOptions };
  const { stage, secretsStage, stateDir, todokuUrl } = readExampleSettings(environment);
  if (secretsStage !== undefined) throw new SettingsError("this example has no secrets that stages share");
  const { BACKEND_URL: backendUrl } = readSettings(settingsSchema, environment);
  const apiKey = process.env.TODOKU_API_KEY || undefined;
  for (const line of await setUp({ todokuUrl, apiKey, stage, stateDir, backendUrl })) process.stdout.write(`${line}\n`);
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof SettingsError ? 2 : 1;
}
