import type { LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { buildConnector } from "undici";
import { BlockedError } from "./failure.ts";
import type { Lookup } from "./lookup.ts";
import { comparableHost, familyOf, isLocalhost, type Permissions } from "./permissions.ts";

/** No call waits longer: limits.webhook.timeoutMs. */
const connectMaxMs = 5000;
const notFound = Object.assign(new Error("no address"), { code: "ENOTFOUND" });

/** Connects to checked addresses only. `permissions` is asked for each connection. */
export function checkedConnector(permissions: () => Permissions, lookup: Lookup): buildConnector.connector {
  const connect = buildConnector({
    ...{ allowH2: false, timeout: connectMaxMs, autoSelectFamily: true },
    lookup: checkedLookup(permissions, lookup),
  } as buildConnector.BuildOptions);
  return (target, callback) => {
    // Sockets look up names only.
    const address = target.hostname;
    if (isIP(address) === 0 || permissions().permits(address, address)) return connect(target, callback);
    callback(new BlockedError(`${address} is no public address, and not permitted`), null);
  };
}

/** The socket connects to what this answers, and asks no second time. */
function checkedLookup(permissions: () => Permissions, lookup: Lookup): LookupFunction {
  return (name, options, callback) => {
    const host = comparableHost(name);
    const found = (addresses: readonly LookupAddress[]) => {
      const refusal = refusalOf(host, addresses, permissions());
      const [first] = addresses;
      if (refusal || !first) return callback(refusal ?? notFound, "");
      if (options.all) callback(null, [...addresses]);
      else callback(null, first.address, first.family);
    };
    addressesOf(host, permissions(), lookup).then(found, (error: Error) => callback(error, ""));
  };
}

async function addressesOf(host: string, permissions: Permissions, lookup: Lookup): Promise<readonly LookupAddress[]> {
  if (!isLocalhost(host)) return lookup(host);
  const loopback = permissions.loopback(host);
  if (loopback.length === 0) throw new BlockedError(`${host} is this machine: not permitted`);
  return loopback.map((address) => ({ address, family: familyOf(address) }));
}

/** One address that is not permitted is enough: who mixes them hopes that it is taken at the next try. */
function refusalOf(
  host: string,
  addresses: readonly LookupAddress[],
  permissions: Permissions,
): BlockedError | undefined {
  if (addresses.every(({ address }) => permissions.permits(host, address))) return undefined;
  return new BlockedError(`${host} leads to an address that is not public, and not permitted`);
}
