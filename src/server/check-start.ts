import type { Config, Mode } from "../config/schema.ts";
import { TodokuError } from "../domain/errors.ts";
import { createClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { unknownHandlers } from "./handler-names.ts";
import { definitionsOf } from "./handlers.ts";
import { createIdentityService } from "./identity.ts";
import { readMasterKey } from "./master-key.ts";
import { checkProductionSettings, isLoopbackHost, productionWarnings } from "./production.ts";
import { readCertificate } from "./tls-certificate.ts";

/**
 * What a start would refuse before it opens its data and its port: settings that must not be so, and files that they name. `masterKeyCommand` is not
 * run, and the data directory may be on another machine. `log` is warned of what a start would warn of.
 * @throws TodokuError `failed_precondition`, or ConfigError.
 */
export async function checkStart(config: Config, mode: Mode, env: NodeJS.ProcessEnv, log: Log): Promise<void> {
  if (mode === "dev") checkDevHost(config);
  else {
    checkProductionSettings(config, env);
    for (const warning of productionWarnings(config)) log.warn({ area: "config" }, warning);
  }
  await createIdentityService({ mode, config, clock: createClock(), log }).close();
  definitionsOf(config.handlers, mode);
  for (const warning of unknownHandlers(config, mode)) log.warn({ area: "config" }, warning);
  const { certFile, keyFile } = config.tls;
  if (certFile !== undefined && keyFile !== undefined) await readCertificate({ certFile, keyFile });
  const { masterKeyFile: file, masterKeyCommand: command } = config;
  const wouldRun = command !== undefined && file === undefined && !env.TODOKU_MASTER_KEY;
  if (!wouldRun) await readMasterKey({ file, command, env });
}

/** @throws TodokuError `failed_precondition`. */
export function checkDevHost({ host, devKey }: Pick<Config, "host" | "devKey">): void {
  if (isLoopbackHost(host) || devKey) return;
  throw new TodokuError(
    "failed_precondition",
    `host ${host} can be reached from other machines, and dev mode asks for no credential: add --dev-key, or bind to 127.0.0.1`,
  );
}
