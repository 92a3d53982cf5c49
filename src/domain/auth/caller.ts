import type { IncomingHttpHeaders } from "node:http";
import { isLoopbackAddress } from "../../lib/loopback.ts";
import type { Caller } from "./principal.ts";

/** What a request over HTTP/1.1 or HTTP/2 tells of its caller: one place says which headers count, for every door. */
export function toCaller(peerAddress: string | undefined, headers: IncomingHttpHeaders): Caller {
  return {
    isLoopbackPeer: isLoopbackAddress(peerAddress),
    // HTTP/2 names the host in `:authority`, and that one counts where there are both (RFC 9113, 8.3.1).
    host: (headers[":authority"] as string | undefined) ?? headers.host,
    forwardedFor: headers["x-forwarded-for"] as string | undefined,
    origin: headers.origin,
    secFetchSite: headers["sec-fetch-site"] as string | undefined,
  };
}
