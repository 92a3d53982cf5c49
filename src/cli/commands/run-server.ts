import type { LoadedConfig } from "../../config/load.ts";
import { ConfigError } from "../../config/problems.ts";
import type { Mode } from "../../config/schema.ts";
import { createLog, type LeveledLog } from "../../lib/leveled-log.ts";
import type { RunningServer } from "../../server/server.ts";

/** sysexits.h: an internal failure. The engine will not write again; a supervisor should start us anew. */
const exitFailed = 70;

/**
 * Runs a server until a signal or a failure ends the process: SIGTERM and SIGINT drain it, a second one ends it at once, SIGHUP
 * calls `load` again. Resolves when it listens. @throws what `startServer` throws.
 */
export async function runServer(mode: Mode, load: () => LoadedConfig): Promise<RunningServer> {
  const { config, warnings } = load();
  const log = createLog(config.log);
  for (const warning of warnings) log.warn({ area: "config" }, warning);
  // Loaded here: the client commands, which need none of it, start in half the time.
  const { startServer } = await import("../../server/server.ts");
  const server = await startServer(config, log, { mode });

  let isStopping = false;
  const stop = async (exitCode: number) => {
    if (isStopping) process.exit(exitCode || 1); // asked twice: at once
    isStopping = true;
    await server
      .close()
      .catch((error: unknown) => log.error({ area: "server", err: error }, "the server did not close cleanly"));
    process.exit(exitCode);
  };
  process.on("SIGINT", () => void stop(0));
  process.on("SIGTERM", () => void stop(0));
  process.on("SIGHUP", () => void reload(server, log, load));
  void server.failed.then(() => stop(exitFailed));
  return server;
}

/** A configuration that is wrong changes nothing: nobody may lose a running server to a typing error. */
async function reload(server: RunningServer, log: LeveledLog, load: () => LoadedConfig): Promise<void> {
  const area = "config";
  try {
    const { config, warnings } = load();
    for (const warning of warnings) log.warn({ area }, warning);
    const { changed, needRestart } = await server.reload(config);
    log.setLevels(config.log);
    log.info({ area, changed }, "the configuration was read again");
    if (needRestart.length > 0) log.warn({ area, needRestart }, "these fields changed too, but need a restart");
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [String(error)];
    log.error({ area, problems }, "the configuration is wrong: everything stays as it was");
  }
}
