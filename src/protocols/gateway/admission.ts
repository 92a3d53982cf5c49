import type { IncomingMessage } from "node:http";
import { toCaller } from "../../domain/auth/caller.ts";
import { openPrincipal } from "../../domain/auth/open-access.ts";
import type { Caller, Principal } from "../../domain/auth/principal.ts";
import { problemOfUserId } from "../../domain/auth/user-id.ts";
import { TodokuError } from "../../domain/errors.ts";
import { readCredential } from "./credential.ts";
import type { Scene, Visit } from "./events.ts";
import type { Integrations } from "./integrations.ts";
import type { EndpointSettings, GatewayOptions } from "./options.ts";
import type { Throttle } from "./throttle.ts";

/** Who may open a connection. */
export interface Admitted {
  readonly principal: Principal;
  /** Whose connection it is; undefined: nobody's. */
  readonly userId: string | undefined;
  readonly address: string;
  /** What events of handlers say of it; undefined: nothing on its endpoint is a handler. */
  readonly scene: Scene | undefined;
}

/** A handshake as far as it has been read. */
export interface Knock {
  readonly request: IncomingMessage;
  readonly protocols: readonly string[];
  readonly query: URLSearchParams;
  /** The id of the connection to come; undefined: nothing on its endpoint is a handler. */
  readonly connectionId: string | undefined;
}

/** Who it is, and what an authorizer said of them. */
interface Known {
  readonly principal: Principal;
  readonly authorizer?: Scene["authorizer"];
}

type AdmissionParts = Pick<GatewayOptions, "auth" | "tickets" | "hookOf" | "proxies" | "isBehindTls" | "clock"> & {
  readonly throttle: Throttle;
  readonly integrations: Pick<Integrations, "authorize">;
  readonly origins: () => readonly string[];
};

/** Decides who may connect. What costs nothing is looked at first. */
export class Admission {
  readonly #parts: AdmissionParts;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  /**
   * At once for credentials that are known.
   * @throws TodokuError `permission_denied`, `unauthenticated`, `invalid_argument`, `limit_exceeded`, `unavailable`.
   */
  admit(endpoint: EndpointSettings, knock: Knock): Admitted | Promise<Admitted> {
    const { request, protocols, query } = knock;
    const { headers, socket } = request;
    const { clock, throttle, proxies } = this.#parts;
    this.#checkOrigin(headers.origin);
    const caller = toCaller(socket.remoteAddress, headers, proxies);
    if (endpoint.environment !== undefined) throttle.admitConnection(endpoint.environment, clock.monotonicMs());
    const visit = this.#visit(endpoint, knock, caller);
    // An authorizer reads for itself what there is.
    const brought = endpoint.authorizer ? undefined : readCredential(headers, protocols, query);
    const identify = (key: Principal | undefined): Known | Promise<Known> => {
      if (!brought) return this.#askAuthorizer(endpoint, knock, visit, caller, key);
      const principal = this.#identify(endpoint, brought, knock, caller, key);
      return principal instanceof Promise ? principal.then(toKnown) : toKnown(principal);
    };
    const keyed = endpoint.apiKeyRequired ? this.#authenticateKey(headers["x-api-key"], caller) : undefined;
    const known = keyed instanceof Promise ? keyed.then(identify) : identify(keyed);
    const finish = (one: Known) => this.#finish(endpoint, one, knock, visit, caller);
    return known instanceof Promise ? known.then(finish) : finish(known);
  }

  #visit({ path }: EndpointSettings, { request, connectionId }: Knock, { address }: Caller): Visit | undefined {
    if (connectionId === undefined) return undefined;
    const { host = "", "user-agent": userAgent = "" } = request.headers;
    const { clock, isBehindTls } = this.#parts;
    return {
      ...{ connectionId, path, domainName: host, address, userAgent, isBehindTls },
      connectedAtMs: clock.wallMs(),
    };
  }

  /** The operator's own handler says who it is. */
  async #askAuthorizer(
    { authorizer, environment = openPrincipal.environment }: EndpointSettings,
    knock: Knock,
    visit: Visit | undefined,
    caller: Caller,
    key: Principal | undefined,
  ): Promise<Known> {
    const { auth, integrations } = this.#parts;
    if (!authorizer || !visit) throw new TodokuError("internal", "internal error");
    let said: Scene["authorizer"];
    const principal = await auth.identify(caller, async () => {
      const authorized = await integrations.authorize(authorizer, environment, visit, knock);
      said = authorized.authorizer;
      return authorized.principal;
    });
    checkSameEnvironment(key, principal);
    return { principal, authorizer: said };
  }

  #checkOrigin(origin: string | undefined): void {
    const allowed = this.#parts.origins();
    // Only browsers send it: whoever is none may say what he likes.
    if (origin === undefined || allowed.length === 0 || allowed.includes(origin)) return;
    const text = `the origin ${JSON.stringify(origin.slice(0, 256))} may not connect; gateway.origins lists those that may`;
    throw new TodokuError("permission_denied", text);
  }

  /** Says which application it is, not who connects. */
  #authenticateKey(key: string | readonly string[] | undefined, caller: Caller): Principal | Promise<Principal> {
    if (typeof key !== "string" || key === "") {
      throw new TodokuError("permission_denied", "the header x-api-key must have an API key");
    }
    const checked = (principal: Principal) => {
      if (principal.kind === "key") return principal;
      throw new TodokuError("permission_denied", "the header x-api-key has no API key");
    };
    const known = this.#parts.auth.authenticate(key, caller);
    return known instanceof Promise ? known.then(checked) : checked(known);
  }

  #identify(
    endpoint: EndpointSettings,
    brought: ReturnType<typeof readCredential>,
    { request, query }: Knock,
    caller: Caller,
    key: Principal | undefined,
  ): Principal | Promise<Principal> {
    const { auth, tickets, hookOf } = this.#parts;
    const checked = (principal: Principal) => checkSameEnvironment(key, principal);
    if ("ticket" in brought) {
      const redeemed = auth.identify(caller, async () => tickets.redeem(brought.ticket, "GET", endpoint.path));
      // A ticket must not carry the empty credential of dev mode to where that is not accepted itself.
      return redeemed.then((known) => (known.kind === "open" ? auth.authenticate("", caller) : known)).then(checked);
    }
    const { credential } = brought;
    const hook = hookOf?.(endpoint.path);
    const question = { credential, headers: request.headers, path: endpoint.path, address: caller.address };
    const known = hook
      ? auth.identify(caller, () => hook({ ...question, query: publicQuery(query) }))
      : auth.authenticate(credential, caller);
    return known instanceof Promise ? known.then(checked) : checked(known);
  }

  #finish(
    endpoint: EndpointSettings,
    { principal, authorizer }: Known,
    { query }: Knock,
    visit: Visit | undefined,
    { address }: Caller,
  ): Admitted {
    const { environment } = principal;
    if (endpoint.environment !== undefined && endpoint.environment !== environment) {
      const text = `this endpoint is of the environment "${endpoint.environment}", and the credential of another one`;
      throw new TodokuError("permission_denied", text);
    }
    const { clock, throttle } = this.#parts;
    if (endpoint.environment === undefined) throttle.admitConnection(environment, clock.monotonicMs());
    // To an authorizer "user" is a parameter like any other.
    const userId = endpoint.authorizer ? principal.userId : userIdOf(principal, query);
    const said = authorizer ?? (userId === undefined ? undefined : { principalId: userId });
    return { principal, userId, address, scene: visit && { ...visit, environment, authorizer: said } };
  }
}

function toKnown(principal: Principal): Known {
  return { principal };
}

/** @throws TodokuError `permission_denied`. */
function checkSameEnvironment(key: Principal | undefined, principal: Principal): Principal {
  if (!key || key.environment === principal.environment) return principal;
  throw new TodokuError("permission_denied", "the API key is of another environment than the credential");
}

/** @throws TodokuError `permission_denied`, `invalid_argument`. */
function userIdOf(principal: Principal, query: URLSearchParams): string | undefined {
  const wanted = query.get("user");
  if (wanted === null) return principal.userId;
  if (!principal.isSuperUser) {
    if (wanted === principal.userId) return wanted;
    throw new TodokuError("permission_denied", "only a super user may connect as somebody else");
  }
  const problem = problemOfUserId(wanted);
  if (problem !== undefined) throw new TodokuError("invalid_argument", `"user" ${problem}`);
  return wanted;
}

/** What a backend may see of the query: no credential. */
function publicQuery(query: URLSearchParams): Readonly<Record<string, string>> {
  const secret = new Set(["authorization", "token", "ticket"]);
  return Object.fromEntries([...query].filter(([name]) => !secret.has(name.toLowerCase())));
}
