import { isIPv4 } from "node:net";
import { isIn, isNetwork, networksOf } from "../networks.ts";
import { isLoopback, isPublicAddress, plainForm } from "./addresses.ts";

/** Both protocols, for whoever listens to one of them. */
const loopbackAddresses = ["127.0.0.1", "::1"];

/** Is this an address, a network, a host name, or `*.` and a host name? */
export function isPermission(text: string): boolean {
  return isNetwork(text) || isHostPattern(text);
}

/** What looks like an address, or a part of one, is no name: it would never be found. */
function isHostPattern(text: string): boolean {
  const labels = text.replace(/^\*\./, "").split(".");
  return labels.every((label) => /^[a-z0-9_-]{1,63}$/i.test(label)) && !/^\d+$/.test(labels.at(-1) as string);
}

/** Whom one may call: what is public, and what the operator permits. Deny by default. */
export class Permissions {
  readonly #permitsLoopback: boolean;
  readonly #networks: ReturnType<typeof networksOf>;
  readonly #names: ReadonlySet<string>;
  readonly #suffixes: readonly string[];

  /** `allowed`: each as `isPermission` takes it; what is none permits nothing. */
  constructor(allowed: readonly string[], permitsLoopback: boolean) {
    const names = allowed.filter(isHostPattern).map((name) => name.toLowerCase());
    this.#permitsLoopback = permitsLoopback;
    this.#networks = networksOf(allowed.filter(isNetwork));
    this.#names = new Set(names.filter((name) => !name.startsWith("*")));
    this.#suffixes = names.filter((name) => name.startsWith("*")).map((name) => name.slice(1));
  }

  /** May one connect to `address`, to which `host` leads? `host`: lower case, without a dot at its end. */
  permits(host: string, address: string): boolean {
    return isPublicAddress(address) || this.#permitsAddress(address) || this.permitsName(host);
  }

  /** Where `localhost` leads to: no name server is asked, which could say anything. */
  loopback(host: string): readonly string[] {
    return loopbackAddresses.filter((address) => this.permits(host, address));
  }

  /** Has the operator named it? */
  permitsName(host: string): boolean {
    return this.#names.has(host) || this.#suffixes.some((suffix) => host.endsWith(suffix));
  }

  #permitsAddress(address: string): boolean {
    return (this.#permitsLoopback && isLoopback(address)) || isIn(this.#networks, plainForm(address));
  }
}

/** Is this a name of this machine? RFC 6761: nobody else may have it. */
export function isLocalhost(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost");
}

/** A name as it is compared. */
export function comparableHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}

/** `family` as sockets want it. */
export function familyOf(address: string): 4 | 6 {
  return isIPv4(address) ? 4 : 6;
}
