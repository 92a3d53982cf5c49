// Preloaded with `node --import` into a client: `momento.test` and all below it is this machine, as a line in /etc/hosts would say. The
// SDK, gRPC and their TLS stay as they are, and so do the names that they ask for and verify.
import dns from "node:dns";

const original = dns.promises.lookup;
const isOurs = (hostname: string) => hostname === "momento.test" || hostname.endsWith(".momento.test");

dns.promises.lookup = ((hostname: string, ...options: [dns.LookupAllOptions]) =>
  original(isOurs(hostname) ? "127.0.0.1" : hostname, ...options)) as typeof original;
