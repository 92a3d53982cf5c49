import { readFileSync } from "node:fs";
import { ConfigError } from "../config/problems.ts";
import type { Config, Mode } from "../config/schema.ts";
import type { ConnectHook } from "../domain/auth/connect-hook.ts";
import type { Identity } from "../domain/auth/identity.ts";
import { openPrincipal } from "../domain/auth/open-access.ts";
import { limits } from "../domain/limits.ts";
import type { Clock } from "../lib/clock.ts";
import { createGuardedClient, type GuardedClient } from "../lib/guarded-client/guarded-client.ts";
import type { Log } from "../lib/log.ts";
import { redactUrl } from "../lib/redact-url.ts";
import type { AuthorizerSettings } from "../outbound/identity/authorizer.ts";
import { createConnectHook } from "../outbound/identity/connect-hook.ts";
import { createIdentity } from "../outbound/identity/identity.ts";
import { readPublicKeys } from "../outbound/identity/public-keys.ts";
import { isLoopbackHost } from "./production.ts";
import { version } from "./version.ts";

type Authorizers = Config["gateway"]["authorizers"];
type Endpoint = Config["gateway"]["endpoints"][number];

/** Who says who somebody is, besides this server. */
export interface IdentityService {
  /** Undefined: there is no authorizer. */
  readonly tokens: Identity | undefined;
  /** Of an endpoint that has one. */
  connectHook(endpoint: Pick<Endpoint, "hook">): ConnectHook | undefined;
  /** Reads the keys of all providers meanwhile; who is not there yet is asked again when a user comes. */
  start(): void;
  /** What may be called beside public addresses and those that the configuration names itself. */
  permit(allowed: readonly string[]): void;
  close(): Promise<void>;
}

/** What it is made of. */
export interface IdentityServiceParts {
  readonly mode: Mode;
  readonly config: Pick<Config, "host" | "gateway" | "outbound">;
  readonly clock: Pick<Clock, "monotonicMs" | "wallMs">;
  readonly log: Log;
}

/** @throws ConfigError that names the place in the configuration: an environment is missing, or a file cannot be used. */
export function createIdentityService({ mode, config, clock, log }: IdentityServiceParts): IdentityService {
  const { authorizers, endpoints, connectSeconds } = config.gateway;
  for (const [i, endpoint] of endpoints.entries()) checkEndpoint(endpoint, i, mode);
  const settings = authorizers.map((authorizer, i) => toSettings(authorizer, i, mode, endpoints));
  for (const warning of [...authorizers.flatMap(warningsOf), ...endpoints.flatMap(hookWarnings)])
    log.warn({ area: "config" }, warning);
  // Where the operator says that keys are, they are: on this machine, or in a network of its own.
  const named = [...authorizers.flatMap(urlsOf), ...endpoints.flatMap(({ hook }) => (hook ? [hook.url] : []))].map(
    hostOf,
  );
  const options = {
    permitsLoopback: mode === "dev" && isLoopbackHost(config.host),
    connectionsPerOrigin: limits.webhook.originInFlightMax,
  };
  const client = createGuardedClient({ ...options, allowed: [...named, ...config.outbound.allow] });
  const outside = createGuardedClient({ ...options, allowed: config.outbound.allow });
  checkAddresses(client, authorizers, endpoints);
  const tokens =
    settings.length === 0 ? undefined : createIdentity({ authorizers: settings, client, outside, clock, log });
  return {
    tokens,
    connectHook: ({ hook }) =>
      hook && createConnectHook({ client, ...hook, timeoutMs: connectSeconds * 1000, clock, log, version }),
    start: () => void tokens?.start(),
    permit(allowed) {
      client.permit([...named, ...allowed]);
      outside.permit(allowed);
    },
    async close() {
      // Nobody waits for what a slow backend would say.
      await Promise.all([client.destroy(), outside.destroy()]);
    },
  };
}

function checkAddresses(
  client: Pick<GuardedClient, "refusal">,
  authorizers: Authorizers,
  endpoints: readonly Endpoint[],
): void {
  for (const [i, authorizer] of authorizers.entries()) {
    const problem = urlsOf(authorizer).map((url) => client.refusal(url))[0];
    if (problem !== undefined)
      throw wrong(`gateway.authorizers[${i}]: the address of its keys cannot be called: ${problem}`);
  }
  for (const [i, { hook }] of endpoints.entries()) {
    const problem = hook && client.refusal(hook.url);
    if (problem !== undefined) throw wrong(`gateway.endpoints[${i}].hook.url: cannot be called: ${problem}`);
  }
}

function toSettings(
  authorizer: Authorizers[number],
  index: number,
  mode: Mode,
  endpoints: readonly Endpoint[],
): AuthorizerSettings {
  const path = `gateway.authorizers[${index}]`;
  const [one, ...others] = new Set(endpoints.map(({ environment }) => environment));
  const inherited = others.length === 0 ? one : undefined;
  const environment = authorizer.environment ?? inherited ?? (mode === "dev" ? openPrincipal.environment : undefined);
  if (environment === undefined)
    throw wrong(`${path}.environment: must be given: where are the users of ${authorizer.issuer}?`);
  if (authorizer.jwksFile !== undefined) checkFile(`${path}.jwksFile`, authorizer.jwksFile);
  return { ...authorizer, environment };
}

/** Of a user that a hook lets in nothing else says where it is. */
function checkEndpoint({ hook, environment }: Endpoint, index: number, mode: Mode): void {
  if (hook && environment === undefined && mode === "production") {
    throw wrong(`gateway.endpoints[${index}].environment: must be given: where are the users of its hook?`);
  }
}

function hookWarnings({ hook }: Endpoint, index: number): readonly string[] {
  if (!hook?.url.startsWith("http:") || isLoopbackHost(hostOf(hook.url))) return [];
  return [`gateway.endpoints[${index}].hook.url: users' credentials go there without TLS`];
}

function checkFile(path: string, file: string): void {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw wrong(`${path}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  try {
    readPublicKeys(text);
  } catch (error) {
    throw wrong(`${path}: ${file}: ${(error as Error).message}`);
  }
}

function warningsOf(authorizer: Authorizers[number], index: number): readonly string[] {
  const path = `gateway.authorizers[${index}]`;
  const { issuer, audiences } = authorizer;
  const plain = urlsOf(authorizer).filter((url) => url.startsWith("http:") && !isLoopbackHost(hostOf(url)));
  return [
    ...(audiences.length > 0
      ? []
      : [`${path}.audiences is empty: whoever has a token of ${issuer}, for whatever application, is let in`]),
    ...plain.map(
      (url) =>
        `${path}: ${redactUrl(url)} is read without TLS: whoever can change it on its way can sign in as anybody`,
    ),
  ];
}

/** Where its keys are asked for. */
function urlsOf({ issuer, jwksUri, x509Uri, jwksFile }: Authorizers[number]): readonly string[] {
  if (jwksFile !== undefined) return [];
  return [jwksUri ?? x509Uri ?? issuer];
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, "");
}

function wrong(problem: string): ConfigError {
  return new ConfigError([problem]);
}
