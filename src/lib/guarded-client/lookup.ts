import type { LookupAddress } from "node:dns";
import { Resolver, lookup as systemLookup } from "node:dns/promises";

/** All addresses of a name. Rejects with an error whose code is one of `dns.lookup`. */
export type Lookup = (host: string) => Promise<readonly LookupAddress[]>;

/** Two tries of 1 s at each name server: a call has 5 s for all of it. */
const tries = { timeout: 1000, tries: 2 };

/**
 * Asks the name servers by itself. `dns.lookup` waits in one of two threads (libuv gives half of its four to it), for ten seconds and more: two names
 * whose servers do not answer would hold up every other one. Only it knows /etc/hosts and the search list, so names without a dot, and those that
 * `isTrusted`, are asked there. `servers` default: those of the system, as they are now.
 */
export function createLookup(isTrusted: (host: string) => boolean, servers?: readonly string[]): Lookup {
  return (host) => {
    if (!host.includes(".") || isTrusted(host)) return systemLookup(host, { all: true });
    const resolver = new Resolver(tries);
    if (servers) resolver.setServers(servers);
    return resolve(resolver, host);
  };
}

async function resolve(resolver: Resolver, host: string): Promise<readonly LookupAddress[]> {
  const [ipv4, ipv6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const addresses = [
    ...(ipv4.status === "fulfilled" ? ipv4.value.map((address) => ({ address, family: 4 })) : []),
    ...(ipv6.status === "fulfilled" ? ipv6.value.map((address) => ({ address, family: 6 })) : []),
  ];
  if (addresses.length > 0) return addresses;
  const isUnknown = [ipv4, ipv6].every((answer) => answer.status === "rejected" && isAbsence(answer.reason));
  throw Object.assign(new Error(`no address of ${host}`), { code: isUnknown ? "ENOTFOUND" : "EAI_AGAIN" });
}

/** The name server says that there is nothing; otherwise it says nothing at all. */
function isAbsence({ code }: Error & { readonly code?: string }): boolean {
  return code === "ENOTFOUND" || code === "ENODATA";
}
