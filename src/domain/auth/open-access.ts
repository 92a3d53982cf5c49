import { isIP } from "node:net";
import { isLoopbackAddress } from "../../lib/loopback.ts";
import { TodokuError } from "../errors.ts";
import type { Caller, Principal } from "./principal.ts";

/**
 * Dev mode: may this caller be the super user without a credential? A web page of another origin, a name that somebody's
 * DNS points at 127.0.0.1, or another machine must not reach a developer's server.
 * @throws TodokuError `unauthenticated` that names the value that is in the way.
 */
export function checkOpenAccess(caller: Caller, devOrigins: readonly string[]): void {
  if (!caller.isLoopbackPeer) deny("it came from another machine");
  const forwardedFor = caller.forwardedFor?.split(",").find((address) => !isLoopbackAddress(address.trim()));
  if (forwardedFor !== undefined) deny("a proxy forwards it for another machine");
  if (!caller.host || !isLoopbackName(hostName(caller.host)))
    deny(`its Host "${caller.host ?? ""}" is not a loopback name`);
  if (caller.origin !== undefined && !isOwn(caller.origin, caller.host) && !devOrigins.includes(caller.origin)) {
    deny(`its Origin "${caller.origin}" is not this server's; start with --dev-origin ${caller.origin} to allow it`);
  }
  // An origin that the developer named is trusted however the browser calls it.
  if (caller.origin !== undefined && devOrigins.includes(caller.origin)) return;
  if (!["same-origin", "same-site", "none", undefined].includes(caller.secFetchSite)) {
    deny(`its Sec-Fetch-Site is "${caller.secFetchSite}"`);
  }
}

/**
 * Dev mode: why what is for anybody is not for this caller; undefined: it is. A web page of elsewhere, or one under a name that somebody's DNS points
 * here, must not reach a developer's server; pages on this machine are the developer's own, and who is no browser may be anywhere.
 * `origins`: of pages that may call besides, `*` for all, under whatever name.
 */
export function foreignPageProblem(
  { host = "", origin, secFetchSite }: Caller,
  origins: readonly string[],
): string | undefined {
  if (origins.includes("*")) return undefined;
  const name = hostName(host);
  if (!isLoopbackName(name) && isIP(name.replace(/^\[|\]$/g, "")) === 0) {
    return `its Host "${host.slice(0, 256)}" is neither a loopback name nor an address`;
  }
  if (origin !== undefined) {
    if (isOwn(origin, host) || origins.includes(origin) || isLoopbackOrigin(origin)) return undefined;
    return `its Origin "${origin.slice(0, 256)}" is of no page on this machine`;
  }
  if (["same-origin", "same-site", "none", undefined].includes(secFetchSite)) return undefined;
  return `its Sec-Fetch-Site is "${secFetchSite?.slice(0, 256)}"`;
}

/** The super user of the environment `dev`. */
export const openPrincipal: Principal = {
  kind: "open",
  environment: "dev",
  isSuperUser: true,
  isOperator: true,
  grants: [],
  tokenId: "",
  expiresAtMs: undefined,
};

function deny(reason: string): never {
  throw new TodokuError("unauthenticated", `a request without a credential is not accepted here: ${reason}`);
}

function isOwn(origin: string, host: string | undefined): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}

function isLoopbackOrigin(origin: string): boolean {
  const [, host = ""] = /^https?:\/\/([^/@]+)$/.exec(origin) ?? [];
  return isLoopbackName(hostName(host));
}

/** The host without its port; brackets of an IPv6 address stay. */
function hostName(host: string): string {
  return host.replace(/:\d*$/, "").toLowerCase();
}

/** Names that cannot be pointed elsewhere: RFC 6761 reserves `localhost` and all below it. */
function isLoopbackName(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost") || name === "[::1]" || /^127(\.\d{1,3}){3}$/.test(name);
}
