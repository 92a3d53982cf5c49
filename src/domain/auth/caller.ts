import type { IncomingHttpHeaders } from "node:http";
import { isLoopbackAddress } from "../../lib/loopback.ts";
import { hopsOf, TrustedProxies } from "../../lib/trusted-proxies.ts";
import type { Caller } from "./principal.ts";

const noProxies = new TrustedProxies();

/** What a request over HTTP/1.1 or HTTP/2 tells of its caller: one place says which headers count, for every door. */
export function toCaller(peerAddress: string | undefined, headers: IncomingHttpHeaders, proxies = noProxies): Caller {
  return {
    call: headers,
    address: proxies.clientOf(peerAddress, headers),
    isLoopbackPeer: isLoopbackAddress(peerAddress),
    // HTTP/2 names the host in `:authority`, and that one counts where there are both (RFC 9113, 8.3.1).
    host: (headers[":authority"] as string | undefined) ?? headers.host,
    forwardedFor: forwardedFor(headers),
    origin: headers.origin,
    secFetchSite: headers["sec-fetch-site"] as string | undefined,
  };
}

/** Whom proxies say that they speak for, in whatever header they say it. */
function forwardedFor(headers: IncomingHttpHeaders): string | undefined {
  const { forwarded } = headers;
  const { "x-forwarded-for": by, "x-real-ip": real } = headers;
  if (by === undefined && real === undefined && forwarded === undefined) return undefined;
  const said = [by, real, forwarded && hopsOf("forwarded", forwarded).join()];
  const given = said.filter((one) => one !== undefined);
  return given.join();
}
