// `node examples/task-notifications/setup.ts [--stage feat-x] [--secrets-stage dev]`: makes what the application needs in a running
// Todoku. May be run again at any time.

import { setUp } from "./shared/set-up.ts";
import { readCommonSettings, readStageOptions, SettingsError } from "./shared/settings.ts";

try {
  const { stageOptions, rest } = readStageOptions(process.argv.slice(2));
  if (rest.length > 0)
    throw new SettingsError(`there is no argument ${rest[0]}; there are --stage and --secrets-stage`);
  const { stage, secretsStage, stateDir, todokuUrl } = readCommonSettings({ ...process.env, ...stageOptions });
  const apiKey = process.env.TODOKU_API_KEY || undefined;
  for (const line of await setUp({ todokuUrl, apiKey, stage, secretsStage, stateDir }))
    process.stdout.write(`${line}\n`);
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof SettingsError ? 2 : 1;
}
