import { isIP, isIPv4 } from "node:net";
import ipaddr from "ipaddr.js";

/** The first three bits of all that is given out as public IPv6: 2000::/3. */
const globalUnicast = 0b001;

/** A public address by its range, at which Azure's machines find their own host's agent: settings and secrets of the machine, as at 169.254.169.254. */
const azureHost = "168.63.129.16";

/**
 * Is this an address of the public internet, and of one machine? An IPv4 address that stands in an IPv6 one (mapped, NAT64, 6to4) is judged
 * itself: whoever routes such an address goes to it. What is no address is not public.
 */
export function isPublicAddress(text: string): boolean {
  const address = parse(text);
  if (address === undefined) return false;
  return address instanceof ipaddr.IPv6 ? isPublicIpv6(address) : isPublicIpv4(address);
}

/** Is this the machine itself? */
export function isLoopback(text: string): boolean {
  return parse(text)?.range() === "loopback";
}

/** In the form that lists are compared with: a mapped IPv4 address is that address. */
export function plainForm(text: string): string {
  return parse(text)?.toString() ?? text;
}

function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (isIP(text) === 0) return undefined;
  if (isIPv4(text)) return ipaddr.IPv4.parse(text);
  // In hexadecimal: the library takes ::8.8.8.8 for a mapped address. A zone (fe80::1%eth0) changes nothing.
  const short = new URL(`http://[${text.replace(/%.*/, "")}]`).hostname.slice(1, -1);
  return ipaddr.process(short);
}

function isPublicIpv6(address: ipaddr.IPv6): boolean {
  const bytes = address.toByteArray();
  const range = address.range();
  if (range === "6to4") return isPublicIpv4(new ipaddr.IPv4(bytes.slice(2, 6)));
  // RFC 6052: 64:ff9b::/96. RFC 8215's 64:ff9b:1::/48, which the library counts to it, is for networks that are not public.
  if (range === "rfc6052")
    return bytes.slice(4, 12).every((byte) => byte === 0) && isPublicIpv4(new ipaddr.IPv4(bytes.slice(12)));
  return range === "unicast" && (bytes[0] as number) >> 5 === globalUnicast;
}

function isPublicIpv4(address: ipaddr.IPv4): boolean {
  return address.range() === "unicast" && address.toString() !== azureHost;
}
