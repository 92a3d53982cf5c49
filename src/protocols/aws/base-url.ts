import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { AwsOptions } from "./options.ts";

/** What URLs begin with that lead back here: as the caller has reached us. */
export function baseUrlOf(
  request: IncomingMessage,
  { isBehindTls, endpoint }: Pick<AwsOptions, "isBehindTls" | "endpoint">,
): string {
  const { socket, headers } = request;
  const isSecure = isBehindTls || (socket as Partial<TLSSocket>).encrypted === true;
  const host = headers[":authority"]?.toString() ?? headers.host ?? "";
  return `${isSecure ? "https" : "http"}://${/^[\w.-]+(:\d{1,5})?$|^\[[0-9a-f:.]+\](:\d{1,5})?$/i.test(host) ? host : endpoint()}`;
}
