import type { IncomingHttpHeaders } from "node:http";
import { isIP, isIPv6 } from "node:net";
import { isIn, networksOf } from "./networks.ts";

/** The header in which proxies say whom they speak for. */
export type ForwardedHeader = "x-forwarded-for" | "forwarded";

/** Whose word on a client's address counts. It can be changed at any time; each call asks anew. */
export class TrustedProxies {
  #networks = networksOf([]);
  #isEmpty = true;
  #header: ForwardedHeader = "x-forwarded-for";

  /** `networks`: addresses, or networks like `10.0.0.0/8`. Only `header` is read: a proxy passes on what it does not know, whoever wrote it. */
  set(networks: readonly string[], header: ForwardedHeader): void {
    this.#networks = networksOf(networks);
    this.#isEmpty = networks.length === 0;
    this.#header = header;
  }

  /** Is this address, in the form of {@link plainAddress}, one of them? */
  has(address: string): boolean {
    return !this.#isEmpty && isIn(this.#networks, address);
  }

  /**
   * Who sent a request that came from `peer`: each trusted hop names the one before it, from the right, and the first that is not
   * trusted is the client. What it claims itself does not count. "" when the peer has gone.
   */
  clientOf(peer: string | undefined, headers: IncomingHttpHeaders): string {
    let address = plainAddress(peer ?? "");
    if (!this.has(address)) return address;
    const header = headers[this.#header];
    const hops = typeof header === "string" ? hopsOf(this.#header, header) : [];
    while (this.has(address)) {
      const hop = hops.pop();
      // Nobody said who was before, or in no form of an address: the last that is known.
      if (hop === undefined || isIP(hop) === 0) return address;
      address = hop;
    }
    return address;
  }
}

/** An address as everybody writes it: IPv4 in IPv6 form is IPv4, and IPv6 is short and in lower case. What is none stays as it is. */
export function plainAddress(address: string): string {
  if (!address.includes(":")) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address) || address.includes("%")) return address;
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(short) ?? [];
  if (high === undefined || low === undefined) return short;
  const bits = [high, low].map((group) => Number.parseInt(group, 16));
  return bits.flatMap((group) => [group >> 8, group & 255]).join(".");
}

/** The hops of a header from left to right; "" where one has no address. */
export function hopsOf(header: ForwardedHeader, value: string): string[] {
  if (header === "x-forwarded-for") return value.split(",").map(bareAddress);
  // RFC 7239 4: elements by commas, pairs by semicolons, and either may stand inside quotes.
  return splitOutsideQuotes(value, ",").map((element) => {
    const pair = splitOutsideQuotes(element, ";").find((one) => /^\s*for\s*=/i.test(one));
    return bareAddress(pair?.replace(/^[^=]*=/, "") ?? "");
  });
}

function splitOutsideQuotes(text: string, separator: string): readonly string[] {
  const parts = [""];
  let isQuoted = false;
  for (const character of text) {
    if (character === '"') isQuoted = !isQuoted;
    if (character === separator && !isQuoted) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts;
}

/** Without quotes, brackets and port. */
function bareAddress(node: string): string {
  const text = node.trim().replace(/^"(.*)"$/, "$1");
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1];
  return plainAddress(bracketed ?? text.replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1"));
}
