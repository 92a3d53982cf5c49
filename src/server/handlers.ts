import { statSync } from "node:fs";
import type { HandlerSettings } from "../config/handlers.ts";
import { ConfigError } from "../config/problems.ts";
import type { Config, Mode } from "../config/schema.ts";
import { openPrincipal } from "../domain/auth/open-access.ts";
import type { Engine } from "../domain/engine.ts";
import { toTodokuError } from "../domain/errors.ts";
import { checkDefinition } from "../domain/handlers/check-definition.ts";
import type { HandlerDefinition, HandlerRun, HandlerSource } from "../domain/handlers/handler.ts";
import { createHandlers, type HandlersOptions } from "../domain/handlers/handler-service.ts";
import type { Handlers } from "../domain/handlers/handlers.ts";
import { toGrants } from "../domain/handlers/statements.ts";
import { limits } from "../domain/limits.ts";
import { eventsCache } from "../domain/names.ts";
import { parseFilter } from "../domain/subscriptions/filter.ts";
import { createGuardedClient } from "../lib/guarded-client/guarded-client.ts";
import { createCommandRuntime } from "../outbound/handlers/command-runtime.ts";
import { createEndpointRuntime } from "../outbound/handlers/endpoint-runtime.ts";
import { functionEnvironment } from "./functions.ts";
import { version } from "./version.ts";

/** Functions of the operator's own, and what runs them. */
export interface HandlerService {
  /** Not started: they call back, so the port is open first. */
  readonly handlers: Handlers;
  /** What endpoints may be besides public addresses and those that the configuration names itself. */
  permit(allowed: readonly string[]): void;
  /** Once they are stopped. */
  close(): Promise<void>;
}

/** What it is made of. */
export interface HandlerServiceParts extends Omit<HandlersOptions, "definitions" | "runtimes" | "records"> {
  readonly mode: Mode;
  readonly config: Pick<Config, "functions" | "handlers" | "outbound">;
  readonly engine: Pick<Engine, "records">;
  /** http(s)://host:port of this server, as its handlers call it. */
  readonly url: () => string;
}

/** @throws ConfigError that names the place in the configuration. */
export function createHandlerService({ mode, config, engine, url, ...parts }: HandlerServiceParts): HandlerService {
  const definitions = definitionsOf(config.handlers, mode);
  // Where the operator says that a handler is, it is: on this machine, or in a network of its own.
  const named = definitions.flatMap(({ run }) =>
    run.kind === "endpoint" ? [new URL(run.url).hostname.replace(/^\[|\]$|\.$/g, "")] : [],
  );
  const client = createGuardedClient({
    allowed: [...named, ...config.outbound.allow],
    permitsLoopback: false,
    connectionsPerOrigin: limits.handler.concurrencyMax,
  });
  const { wallMs } = parts.clock;
  const handlers = createHandlers({
    ...parts,
    records: engine.records,
    definitions,
    hasFunctionUrls: (environment) => environment === functionEnvironment(mode, config),
    runtimes: {
      command: createCommandRuntime({ url, wallMs, env: process.env }),
      endpoint: createEndpointRuntime({ client, wallMs, version }),
    },
  });
  return { handlers, permit: (allowed) => client.permit([...named, ...allowed]), close: () => client.destroy() };
}

/** @throws ConfigError with every problem. */
export function definitionsOf(handlers: Config["handlers"], mode: Mode): readonly HandlerDefinition[] {
  const problems: string[] = [];
  const definitions = Object.entries(handlers).flatMap(([name, settings]) => {
    try {
      return [toDefinition(name, settings, mode)];
    } catch (error) {
      if (error instanceof ConfigError) problems.push(...error.problems);
      else problems.push(`handlers.${name}: ${toTodokuError(error).message}`);
      return [];
    }
  });
  for (const environment of new Set(definitions.map((definition) => definition.environment))) {
    const count = definitions.filter((definition) => definition.environment === environment).length;
    if (count <= limits.handler.perEnvironment) continue;
    problems.push(`handlers: ${count} of environment "${environment}" must be <= ${limits.handler.perEnvironment}`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return definitions;
}

function toDefinition(name: string, settings: HandlerSettings, mode: Mode): HandlerDefinition {
  const { concurrency, env: variables, secrets, functionUrl } = settings;
  const environment = settings.environment ?? (mode === "dev" ? openPrincipal.environment : undefined);
  if (environment === undefined) {
    throw new ConfigError([`handlers.${name}.environment: must be given: todoku start has no default`]);
  }
  const { directory } = settings;
  if (directory !== undefined && !statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new ConfigError([`handlers.${name}.directory: there is no directory ${directory}`]);
  }
  const definition: HandlerDefinition = {
    ...{ environment, name, concurrency, variables, secrets },
    run: toRun(settings),
    sources: settings.sources.map(toSource),
    timeoutMs: Math.round(settings.timeoutSeconds * 1000),
    grants: toGrants(settings.grants),
    functionUrl: functionUrl && { auth: functionUrl },
  };
  checkDefinition(definition);
  return definition;
}

function toRun({ command, directory, url = "", urlSecret: secret }: HandlerSettings): HandlerRun {
  return command ? { kind: "command", command, directory } : { kind: "endpoint", url, secret };
}

function toSource(source: HandlerSettings["sources"][number]): HandlerSource {
  const { queue, topic = "", cache = eventsCache, filter, filterScope = "attributes" } = source;
  if (queue === undefined) {
    const stored = filter && parseFilter(JSON.stringify(filter), filterScope);
    return { kind: "topic", cache, topic, ...(stored && { filter: stored }) };
  }
  const { batchSize = limits.queue.batchMaxMessages, windowSeconds = 0 } = source;
  return { kind: "queue", queue, batchSize, windowMs: Math.round(windowSeconds * 1000) };
}
