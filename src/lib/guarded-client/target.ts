import { isIP } from "node:net";
import { comparableHost, isLocalhost, type Permissions } from "./permissions.ts";

/** Where a URL leads, as far as it can be said without looking up its name. */
export interface Target {
  readonly origin: string;
  /** With the query. */
  readonly path: string;
}

/** Reads a URL; a sentence when it is none that may be called. */
export function targetOf(text: string, permissions: Permissions): Target | string {
  if (!URL.canParse(text)) return "it is no URL";
  const url = new URL(text);
  const wrong = wrongPart(url);
  if (wrong !== undefined) return wrong;
  // The parser has brought each spelling of an address (octal, one number, IPv6) into one form.
  const host = comparableHost(url.hostname.replace(/^\[|\]$/g, ""));
  if (isIP(host) !== 0 && !permissions.permits(host, host)) return `${host} is no public address, and not permitted`;
  if (isLocalhost(host) && permissions.loopback(host).length === 0) return `${host} is this machine: not permitted`;
  return { origin: url.origin, path: url.pathname + url.search };
}

function wrongPart(url: URL): string | undefined {
  if (url.protocol !== "http:" && url.protocol !== "https:")
    return `its scheme is ${url.protocol} where only http: and https: can be called`;
  if (url.username !== "" || url.password !== "") return "it has a user name or a password";
  if (url.hash !== "") return "it has a fragment, which is never sent";
  return url.port === "0" ? "its port is 0" : undefined;
}
