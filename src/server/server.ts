import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { join, resolve } from "node:path";
import { type ConfigChanges, changesBetween } from "../config/changes.ts";
import type { Config, Mode } from "../config/schema.ts";
import { createTickets } from "../domain/auth/tickets.ts";
import { hasDataKeys } from "../domain/encryption/data-keys.ts";
import type { EngineHealth } from "../domain/engine.ts";
import { TodokuError } from "../domain/errors.ts";
import { type EmbeddedEngine, openEmbeddedEngine } from "../engines/embedded/index.ts";
import { createClock, type MachineClocks, type ServerClock } from "../lib/clock.ts";
import { leaveConnection } from "../lib/end-connection.ts";
import type { Log } from "../lib/log.ts";
import { redactUrl } from "../lib/redact-url.ts";
import { TimerWheel } from "../lib/timer-wheel.ts";
import { TrustedProxies } from "../lib/trusted-proxies.ts";
import { createHttpDoor } from "../protocols/http/index.ts";
import { createMomentoDoor } from "../protocols/momento/index.ts";
import { createAws } from "./aws.ts";
import { CallLog } from "./call-log.ts";
import { checkDevHost } from "./check-start.ts";
import { resumeClock, watchClock } from "./clock.ts";
import { createDomain } from "./domain.ts";
import { drain } from "./drain.ts";
import { type FaultAdmin, openFaultAdmin } from "./fault-admin.ts";
import { createFunctions } from "./functions.ts";
import { createGateway } from "./gateway.ts";
import { unknownHandlers } from "./handler-names.ts";
import { createListener, type Doors } from "./listener.ts";
import { ensureMasterKeyFile, readMasterKey } from "./master-key.ts";
import { createMetrics } from "./metrics.ts";
import { checkProduction, productionWarnings } from "./production.ts";
import { openTls } from "./tls-files.ts";
import { version } from "./version.ts";

/** A server that accepts connections. */
export interface RunningServer {
  readonly port: number;
  /** http://host:port as a local client writes it, or https:// where nobody comes without TLS. */
  readonly url: string;
  /** host:port that keys and tokens name. */
  readonly endpoint: string;
  /** It speaks TLS. */
  readonly isSecure: boolean;
  readonly dataDir: string;
  /** Where the port can be blocked; undefined: nowhere. */
  readonly faultAdminUrl: string | undefined;
  /** Of `--dev-key`: a super user of `dev` for this run. */
  readonly devKey: string | undefined;
  /** Resolves when the engine has failed: the server has told its clients, and the process should exit with 70. */
  readonly failed: Promise<EngineHealth>;
  /**
   * Takes what can change while it runs, from its next use on. Nothing is changed when it rejects: the certificate files that it names
   * cannot be used.
   */
  reload(config: Config): Promise<ConfigChanges>;
  /** Drains (see drain.ts): clients reconnect elsewhere; writes are committed, the port and the data directory are free. */
  close(): Promise<void>;
}

/** What is not configuration: how the server was started, and what a test switches off to show what it is for. */
export interface ServerTraits {
  /** Default: dev. */
  readonly mode?: Mode;
  /** Default true; see the Momento door's ResumePlaces. */
  readonly endsStreamsBeforeDeadline?: boolean;
  /** A machine whose clocks the test sets. */
  readonly machineClocks?: MachineClocks;
}

/**
 * Starts a server.
 * @throws TodokuError `failed_precondition`: the data directory is in use, or something must not be so in this mode; else what `listen` throws.
 */
export async function startServer(config: Config, log: Log, traits: ServerTraits = {}): Promise<RunningServer> {
  if (traits.mode === "production") checkProduction(config, process.env);
  else checkDevHost(config);
  if (traits.mode === "production") {
    for (const warning of productionWarnings(config)) log.warn({ area: "config" }, warning);
  }
  for (const warning of unknownHandlers(config, traits.mode ?? "dev")) log.warn({ area: "config" }, warning);
  const dataDir = resolve(config.dataDir);
  const clock = createClock(traits.machineClocks);
  const engine = await openEmbeddedEngine({
    dataDir,
    wallMs: clock.wallMs,
    steadyMs: clock.steadyMs,
    memoryItems: config.memory,
    log: (message) => log.info({ area: "engine" }, message),
  });
  try {
    resumeClock(clock, engine.lastSteadyMs, log);
    return await serve(config, log, clock, engine, dataDir, traits);
  } catch (error) {
    await engine.close();
    throw error;
  }
}

async function serve(
  config: Config,
  log: Log,
  clock: ServerClock,
  engine: EmbeddedEngine,
  dataDir: string,
  traits: ServerTraits,
): Promise<RunningServer> {
  const { mode = "dev" } = traits;
  const masterKey = await findMasterKey(config, mode, engine, dataDir);
  const wheel = new TimerWheel(clock, {
    onError: (error) => log.error({ area: "server", err: error }, "a deadline failed"),
  });
  wheel.start();
  watchClock(clock, wheel, log);
  const tls = await openTls(config.tls, { wheel, log, wallMs: clock.wallMs });
  const devKey = config.devKey ? `todoku_dev_${randomBytes(32).toString("base64url")}` : undefined;
  const proxies = new TrustedProxies();
  proxies.set(config.trustedProxies, config.forwardedHeader);
  let current = config;
  const currentConfig = () => current;
  let localUrl = "";
  const domain = await createDomain({
    mode,
    config,
    engine,
    clock,
    wheel,
    proxies,
    log,
    devKey,
    masterKey,
    currentConfig,
    localUrl: () => localUrl,
  });
  const { topics, queueMessages, deliveries, notificationWorker } = domain;

  let endpoint = config.publicEndpoint ?? "";
  let phase: "starting" | "ready" | "draining" | "leaving" = "starting";
  const calls = new CallLog(log, clock.monotonicMs);
  const gatewayPaths = config.gateway.endpoints.map(({ path }) => path);
  const tickets = createTickets(clock, wheel, gatewayPaths);
  const parts = { ...domain, auth: calls.watchAuth(domain.auth), tickets, clock, wheel, proxies };
  const momento = createMomentoDoor({
    ...parts,
    endpoint: () => endpoint,
    injectsFaults: mode === "dev",
    endsStreamsBeforeDeadline: traits.endsStreamsBeforeDeadline ?? true,
    onInternalError: (error, path) =>
      log.error({ area: "momento", err: error.cause ?? error, path: redactUrl(path) }, "a call failed"),
  });
  const isDraining = () => phase === "draining" || phase === "leaving";
  const http = createHttpDoor({
    ...parts,
    endpoint: () => endpoint,
    health: engine.health,
    isReady: () => phase === "ready",
    isDraining,
    metrics: (namesEnvironments) => metrics(namesEnvironments),
    version,
    log,
  });
  const aws = createAws({ ...parts, config, gatewayPaths, endpoint: () => endpoint, isDraining, log });
  const gateway = createGateway({ ...parts, mode, config, log });
  const functions = createFunctions({ ...parts, mode, config, log });
  domain.environments.onGone((environment) => gateway.forgetEnvironment(environment));
  const doorOf = (request: IncomingMessage) => {
    if (functions.accepts(request)) return ["http", functions] as const;
    if (momento.accepts(request)) return ["momento", momento] as const;
    return aws?.accepts(request) ? (["aws", aws] as const) : (["http", http] as const);
  };
  const doors: Doors = {
    handleUpgrade: (request, socket, head) => gateway.handleUpgrade(request, socket, head),
    handleHttp(request, response) {
      if (phase === "leaving") leaveConnection(response);
      // All AWS clients come to /, which may be a path of the gateway too.
      if (gateway.accepts(request) && !aws?.accepts(request)) return gateway.handleHttp(request, response);
      const [area, door] = doorOf(request);
      calls.http(area, request, response);
      door.handle(request, response);
    },
    handleGrpc(stream, headers) {
      calls.grpc(stream, headers);
      momento.handleGrpc(stream, headers);
    },
  };
  const listener = createListener(doors, wheel, {
    admitConnection: (address) => domain.connectionGuard.admitConnection(address),
    tls,
  });
  const metrics = createMetrics({
    gateway,
    aws,
    connections: domain.connections,
    notifier: domain.notifier,
    handlers: domain.handlers,
    topics,
    queueMessages,
    deliveries,
    listener,
    health: engine.health,
    engine: engine.stats,
    tls,
  });

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

  let faultAdmin: FaultAdmin | undefined;
  let closed: Promise<void> | undefined;
  const closeDoors = () => {
    momento.close();
    http.close();
    gateway.close();
  };
  async function close(): Promise<void> {
    phase = "draining";
    // Storage that has failed serves nobody: there is nothing to wait for.
    const times = engine.health().status === "failed" ? { ...current.drain, delaySeconds: 0 } : current.drain;
    const onLeaving = () => {
      phase = "leaving";
      gateway.leave();
    };
    await drain(
      {
        topics,
        connections: domain.connections,
        queueMessages,
        deliveries,
        handlers: domain.handlers,
        notificationWorker,
        notifier: domain.notifier,
        listener,
        closeDoors,
        onLeaving,
      },
      times,
    );
    await rest();
    await engine.close();
  }
  async function rest(): Promise<void> {
    await faultAdmin?.close();
    tls?.files.close();
    await domain.upkeep.stop();
    await domain.client.close();
    await domain.identity.close();
    await domain.handlerService.close();
    wheel.stop();
  }

  const undo = async (error: unknown) => {
    await rest();
    throw error;
  };
  const port = await listener.listen(config.port, config.host).catch(undo);
  if (config.faultAdminPort !== undefined) {
    const admin = openFaultAdmin({ auth: domain.auth, listener, log }, config.faultAdminPort, config.host);
    faultAdmin = await admin.catch(async (error: unknown) => {
      await listener.close(0);
      return undo(error);
    });
  }
  endpoint ||= `${localName(config.host)}:${port}`;
  localUrl = `${tls?.plaintext === "never" ? "https" : "http"}://${localName(config.host)}:${port}`;
  phase = "ready";
  await domain.presence.start();
  await deliveries.start();
  notificationWorker.start();
  // Not waited for: the first start of a handler may take its time, and is tried again until it works.
  void domain.handlers.start();
  return {
    port,
    url: localUrl,
    endpoint,
    isSecure: tls !== undefined,
    faultAdminUrl: faultAdmin && `http://${localName(config.host)}:${faultAdmin.port}`,
    dataDir,
    devKey,
    failed,
    async reload(next) {
      const { certFile, keyFile } = next.tls;
      if (tls && certFile !== undefined && keyFile !== undefined) await tls.files.reload({ certFile, keyFile });
      const isLive = (path: string) => !path.startsWith("tls.") || (tls !== undefined && certFile !== undefined);
      const changes = { ofRun: changesBetween(config, next), ofLast: changesBetween(current, next) };
      current = next;
      proxies.set(next.trustedProxies, next.forwardedHeader);
      domain.rates.configure(next.rates);
      gateway.configure(next.gateway);
      domain.client.permit(next.outbound.allow);
      domain.identity.permit(next.outbound.allow);
      domain.handlerService.permit(next.outbound.allow);
      return {
        changed: changes.ofLast.changed.filter(isLive),
        needRestart: [...changes.ofRun.needRestart, ...changes.ofRun.changed.filter((path) => !isLive(path))],
      };
    },
    close: () => (closed ??= close()),
  };
}

/** In dev mode nobody is asked to care for a master key: unless one is named, it lies in the data directory. */
async function findMasterKey(config: Config, mode: Mode, engine: EmbeddedEngine, dataDir: string) {
  const { masterKeyFile: file, masterKeyCommand: command } = config;
  const named = await readMasterKey({ file, command, env: process.env });
  if (named || mode === "production") return named;
  return ensureMasterKeyFile(join(dataDir, "master.key"), async () => !(await hasDataKeys(engine.records)));
}

/** What a client on this machine dials: an address that means "all of them" is none to dial. */
function localName(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
