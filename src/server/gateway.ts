import { ConfigError } from "../config/problems.ts";
import type { Config, Mode } from "../config/schema.ts";
import type { ConnectAnswer } from "../domain/auth/connect-hook.ts";
import { compileTemplates, defaultTemplates } from "../domain/auth/grant-templates.ts";
import { openPrincipal } from "../domain/auth/open-access.ts";
import type { Principal } from "../domain/auth/principal.ts";
import type { Users } from "../domain/auth/users.ts";
import { limits } from "../domain/limits.ts";
import type { Clock } from "../lib/clock.ts";
import { createGatewayDoor, type GatewayDoor, type GatewayOptions } from "../protocols/gateway/index.ts";
import type { IdentityService } from "./identity.ts";

type Hooks = NonNullable<GatewayOptions["hookOf"]>;

/** What comes of the configuration. */
type GatewaySet = "settings" | "hookOf" | "admitUser" | "isBehindTls" | "namesActions";

/** What the gateway is made of. */
export interface GatewayParts extends Omit<GatewayOptions, GatewaySet> {
  readonly mode: Mode;
  readonly config: Pick<Config, "behindProxy" | "gateway">;
  readonly users: Pick<Users, "admit">;
  readonly identity: Pick<IdentityService, "connectHook">;
}

/** @throws ConfigError that names the place in the configuration: an environment is missing. */
export function createGateway({ mode, config, users, identity, ...parts }: GatewayParts): GatewayDoor {
  const settings = config.gateway;
  for (const [i, endpoint] of settings.endpoints.entries()) checkAuthorizer(endpoint, i, mode);
  const hookOf = createHooks(settings.endpoints, users, identity, parts.clock);
  const admitUser = createAdmission(users, parts.clock);
  const isBehindTls = config.behindProxy;
  return createGatewayDoor({ ...parts, settings, hookOf, admitUser, isBehindTls, namesActions: mode === "dev" });
}

/** Of a user that an authorizer lets in nothing else says where it is. */
function checkAuthorizer(
  { authorizer, environment }: Config["gateway"]["endpoints"][number],
  index: number,
  mode: Mode,
) {
  if (!authorizer || environment !== undefined || mode === "dev") return;
  const problem = `gateway.endpoints[${index}].environment: must be given: where are its authorizer and its users?`;
  throw new ConfigError([problem]);
}

/** Whom an authorizer lets in may use every route of its endpoint, as in API Gateway; the rest is what a user may do by default. */
function createAdmission(users: Pick<Users, "admit">, clock: Pick<Clock, "wallMs">): GatewayOptions["admitUser"] {
  const grants = compileTemplates({ ...defaultTemplates, routes: ["*"] });
  return (environment, userId) =>
    users.admit({
      ...{ environment, userId, issuedAtMs: clock.wallMs(), leewayMs: 0, expiresAtMs: undefined },
      grants: grants({ sub: userId }, limits.tokenMaxGrants) ?? [],
    });
}

/** Of the endpoints that have one, by path: makes principals of those whom the operator's backend lets in. */
function createHooks(
  endpoints: Config["gateway"]["endpoints"],
  users: Pick<Users, "admit">,
  identity: Pick<IdentityService, "connectHook">,
  clock: Pick<Clock, "wallMs">,
): Hooks {
  const hooks = new Map<string, ReturnType<Hooks>>();
  const defaultGrants = compileTemplates(defaultTemplates);
  for (const endpoint of endpoints) {
    const hook = identity.connectHook(endpoint);
    if (!hook) continue;
    const environment = endpoint.environment ?? openPrincipal.environment;
    const admit = ({ userId, grants, expiresAtMs }: ConnectAnswer): Principal =>
      users.admit({
        ...{ environment, userId, issuedAtMs: clock.wallMs(), leewayMs: 0, expiresAtMs },
        grants: grants ?? defaultGrants({ sub: userId }, limits.tokenMaxGrants) ?? [],
      });
    hooks.set(endpoint.path, async (request) => admit(await hook.authorize({ ...request, environment })));
  }
  return (path) => hooks.get(path);
}
