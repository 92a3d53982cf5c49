import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { resolve } from "node:path";
import type { Config } from "../config/schema.ts";
import type { EngineHealth } from "../domain/engine.ts";
import { TodokuError } from "../domain/errors.ts";
import { type EmbeddedEngine, openEmbeddedEngine } from "../engines/embedded/index.ts";
import { systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { isLoopbackAddress } from "../lib/loopback.ts";
import { TimerWheel } from "../lib/timer-wheel.ts";
import { createHttpDoor } from "../protocols/http/index.ts";
import { createMomentoDoor } from "../protocols/momento/index.ts";
import { createDomain } from "./domain.ts";
import { createListener, type Doors } from "./listener.ts";
import { createMetrics } from "./metrics.ts";
import { version } from "./version.ts";

// Open requests get this long to end when the server closes.
const closeGraceMs = 3000;

/** A server that accepts connections. */
export interface RunningServer {
  readonly port: number;
  /** http://host:port as a local client writes it. */
  readonly url: string;
  readonly dataDir: string;
  /** Of `--dev-key`: a super user of `dev` for this run. */
  readonly devKey: string | undefined;
  /** Resolves when the engine has failed: the server has told its clients, and the process should exit with 70. */
  readonly failed: Promise<EngineHealth>;
  /** Ends subscriptions so that clients reconnect, lets writes commit, frees the port and the data directory. */
  close(): Promise<void>;
}

/** What a test switches off to show what it is for. */
export interface ServerTraits {
  /** Default true; see the Momento door's ResumePlaces. */
  readonly endsStreamsBeforeDeadline?: boolean;
}

/**
 * Starts a server in dev mode.
 * @throws TodokuError `failed_precondition`: the data directory is in use, or the bind is not allowed; else what `listen` throws.
 */
export async function startServer(config: Config, log: Log, traits: ServerTraits = {}): Promise<RunningServer> {
  if (!isLoopbackHost(config.host) && !config.devKey) {
    throw new TodokuError(
      "failed_precondition",
      `host ${config.host} can be reached from other machines, and dev mode asks for no credential: add --dev-key, or bind to 127.0.0.1`,
    );
  }
  const dataDir = resolve(config.dataDir);
  const engine = await openEmbeddedEngine({
    dataDir,
    wallMs: systemClock.wallMs,
    log: (message) => log.info({ area: "engine" }, message),
  });
  try {
    return await serve(config, log, engine, dataDir, traits);
  } catch (error) {
    await engine.close();
    throw error;
  }
}

async function serve(
  config: Config,
  log: Log,
  engine: EmbeddedEngine,
  dataDir: string,
  traits: ServerTraits,
): Promise<RunningServer> {
  const clock = systemClock;
  const wheel = new TimerWheel(clock, { onError: (error) => log.error({ err: error }, "a deadline failed") });
  wheel.start();
  const devKey = config.devKey ? `todoku_dev_${randomBytes(32).toString("base64url")}` : undefined;
  const domain = await createDomain({ config, engine, clock, wheel, log, devKey });
  const { topics, queueMessages } = domain;

  let endpoint = config.publicEndpoint ?? "";
  let phase: "starting" | "ready" | "draining" = "starting";
  const parts = { ...domain, clock, wheel, messageMaxBytes: config.messageMaxBytes };
  const momento = createMomentoDoor({
    ...parts,
    endpoint: () => endpoint,
    endsStreamsBeforeDeadline: traits.endsStreamsBeforeDeadline ?? true,
    onInternalError: (error, path) => log.error({ err: error.cause ?? error, path }, "a call failed"),
  });
  const http = createHttpDoor({
    ...parts,
    endpoint: () => endpoint,
    health: engine.health,
    isReady: () => phase === "ready",
    isDraining: () => phase === "draining",
    metrics: () => metrics(),
    version,
    log,
  });
  const doors: Doors = {
    handleHttp: (request, response) => (momento.accepts(request) ? momento : http).handle(request, response),
    handleGrpc: momento.handleGrpc,
  };
  const listener = createListener(doors, wheel);
  const metrics = createMetrics({ topics, queueMessages, listener, health: engine.health, engine: engine.stats });

  const failed = new Promise<EngineHealth>((tell) => {
    engine.onHealth((health) => {
      log[health.status === "open" ? "info" : "error"]({ area: "engine", ...health }, `the engine is ${health.status}`);
      if (health.status !== "failed") return;
      const error = new TodokuError("unavailable", "the server's storage has failed");
      topics.closeAll(error);
      queueMessages.closeAll(error);
      tell(health);
    });
  });

  const port = await listener.listen(config.port, config.host);
  endpoint ||= `${localName(config.host)}:${port}`;
  phase = "ready";
  return {
    port,
    url: `http://${localName(config.host)}:${port}`,
    dataDir,
    devKey,
    failed,
    async close() {
      phase = "draining";
      topics.closeAll(new TodokuError("unavailable", "the server is stopping; reconnect"));
      queueMessages.closeAll();
      momento.close();
      http.close();
      await listener.close(closeGraceMs);
      await domain.upkeep.stop();
      wheel.stop();
      await engine.close();
    },
  };
}

function isLoopbackHost(host: string): boolean {
  return host === "localhost" || (isIP(host) !== 0 && isLoopbackAddress(host));
}

/** What a client on this machine dials: an address that means "all of them" is none to dial. */
function localName(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
