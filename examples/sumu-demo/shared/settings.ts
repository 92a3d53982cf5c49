import { join } from "node:path";
import { type Environment, readCommonSettings } from "../../task-notifications/shared/settings.ts";
import { stateDirName } from "./names.ts";

/** What the siblings' processes know, with a directory of this example's own. @throws SettingsError. */
export function readExampleSettings(environment: Environment): ReturnType<typeof readCommonSettings> {
  const settings = readCommonSettings(environment);
  return { ...settings, stateDir: environment.STATE_DIR || join(".todoku", stateDirName(settings.stage)) };
}

/** Where the backend's bootstrap key is kept. */
export function keyFileIn(stateDir: string): string {
  return join(stateDir, "backend.key");
}
