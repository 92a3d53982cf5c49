import { join } from "node:path";
import { type Environment, readCommonSettings } from "../../task-notifications/shared/settings.ts";
import { stateDirName } from "./names.ts";

/** What the sibling's processes know, with a directory of this example's own. @throws SettingsError. */
export function readExampleSettings(environment: Environment): ReturnType<typeof readCommonSettings> {
  const settings = readCommonSettings(environment);
  return { ...settings, stateDir: environment.STATE_DIR || join(".todoku", stateDirName(settings.stage)) };
}

export type ProcessName = "api" | "receiver";

/** Where the bootstrap key of that process is kept. */
export function keyFileIn(stateDir: string, name: ProcessName): string {
  return join(stateDir, `${name}.key`);
}
