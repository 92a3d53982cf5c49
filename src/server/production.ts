import { statSync } from "node:fs";
import { isIP } from "node:net";
import { join, resolve } from "node:path";
import type { Config } from "../config/schema.ts";
import { TodokuError } from "../domain/errors.ts";
import { isLoopbackAddress } from "../lib/loopback.ts";

/** Is it an address that only this machine reaches? */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || (isIP(host) !== 0 && isLoopbackAddress(host));
}

/** Names of a data directory without an environment, and what to do about it. */
export function notInitialised(dataDir: string): TodokuError {
  const text = `the data directory ${dataDir} has no environment: \`todoku init --data-dir ${dataDir}\` makes one, and an operator's key`;
  return new TodokuError("failed_precondition", text);
}

/**
 * Looks at what must be so before a server for production opens its data and its port.
 * @throws TodokuError `failed_precondition` with every reason against it, each with what to do.
 */
export function checkProduction(config: Config, env: NodeJS.ProcessEnv): void {
  checkProductionSettings(config, env);
  // Opening would make the directory: a misspelt name would begin an empty server.
  const dataDir = resolve(config.dataDir);
  if (!exists(join(dataDir, "todoku.db"))) throw notInitialised(dataDir);
}

/** The same of what does not need the data directory to be there. @throws TodokuError `failed_precondition`. */
export function checkProductionSettings(config: Config, env: NodeJS.ProcessEnv): void {
  const { tls, masterKeyFile, masterKeyCommand } = config;
  const dataDir = resolve(config.dataDir);
  const reasons = [
    ...devReasons(config),
    ...bindReasons(config),
    ...((masterKeyFile ?? masterKeyCommand ?? (env.TODOKU_MASTER_KEY || undefined)) ? [] : [noMasterKey]),
    ...modeReasons("the data directory", dataDir, 0o007),
    ...(tls.keyFile === undefined ? [] : modeReasons("the key file", resolve(tls.keyFile), 0o007)),
  ];
  if (reasons.length > 0) throw new TodokuError("failed_precondition", reasons.join("\nerror: "));
}

/** What may be meant so, but is worth a look. */
export function productionWarnings({ behindProxy, trustedProxies }: Config): readonly string[] {
  if (!behindProxy || trustedProxies.length > 0) return [];
  return [
    "behindProxy without trustedProxies: all clients count as one address, the proxy's, and share its limits; one that guesses credentials " +
      "or goes on when it is refused keeps the others out",
  ];
}

const noMasterKey =
  "there is no master key: name it with masterKeyFile, masterKeyCommand or TODOKU_MASTER_KEY; `todoku init --master-key-file FILE` makes one";

function devReasons({ devKey, devOrigins, faultAdminPort }: Config): readonly string[] {
  return [
    ...(devKey ? ["devKey is for todoku dev: remove it, and make keys with `todoku key create`"] : []),
    ...(devOrigins.length > 0 ? ["devOrigins is for todoku dev, where no credential is needed: remove it"] : []),
    ...(faultAdminPort === undefined ? [] : ["faultAdminPort is for todoku dev, where clients are tested: remove it"]),
  ];
}

function bindReasons({ host, behindProxy, tls }: Config): readonly string[] {
  if (isLoopbackHost(host) || behindProxy || tls.certFile !== undefined) return [];
  return [
    `host ${host} can be reached from other machines, and there is no TLS: give tls.certFile and tls.keyFile, ` +
      "bind to 127.0.0.1, or say behindProxy: true when a proxy in front terminates TLS",
  ];
}

/** What is not there yet is no reason: whoever reads it says so. */
function modeReasons(what: string, path: string, forbidden: number): readonly string[] {
  if (!exists(path)) return [];
  const mode = statSync(path).mode & 0o777;
  if ((mode & forbidden) === 0) return [];
  const shown = mode.toString(8).padStart(4, "0");
  return [`${what} ${path} has mode ${shown}, so every user of this machine can use it: chmod o-rwx ${path}`];
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
