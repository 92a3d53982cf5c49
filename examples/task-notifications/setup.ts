// `node examples/task-notifications/setup.ts [--rotate]`: makes what the application needs in a running Todoku. May be run again at any time.

import { fixedCredential } from "./shared/key-file.ts";
import { setUp } from "./shared/set-up.ts";
import { readCommonSettings, SettingsError } from "./shared/settings.ts";
import { Todoku } from "./shared/todoku.ts";

try {
  const { names, stateDir, todokuUrl } = readCommonSettings(process.env);
  const todoku = new Todoku(todokuUrl, fixedCredential(process.env.TODOKU_API_KEY || undefined));
  const isRotation = process.argv.includes("--rotate");
  for (const line of await setUp({ todoku, todokuUrl, names, stateDir, isRotation })) process.stdout.write(`${line}\n`);
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof SettingsError ? 2 : 1;
}
