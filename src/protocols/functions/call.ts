import type { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { headerPairs } from "../lambda-events.ts";
import type { Claims } from "./caller.ts";

/** A request for a function, read. */
export interface FunctionCall {
  readonly method: string;
  /** As it was sent, behind what names the function or the API; `/` when there is nothing. */
  readonly path: string;
  /** Without the question mark. */
  readonly rawQuery: string;
  /** In order, with their spelling; those of one hop are not among them, and who speaks for whom is known. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly contentType: string | undefined;
  readonly body: Buffer;
  /** The client's. */
  readonly address: string;
  readonly userAgent: string;
  /** Host and port, as the client wrote them. */
  readonly domainName: string;
  /** `HTTP/1.1`. */
  readonly protocol: string;
  /** A UUID. */
  readonly requestId: string;
  readonly environment: string;
  /** Undefined: the function is for anybody. */
  readonly claims: Claims | undefined;
  /** Wall time. */
  readonly nowMs: number;
}

/** RFC 9110, 7.6.1: they say something of the line, not of the call. */
const ofOneHop = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"],
  ...["te", "trailer", "transfer-encoding", "upgrade", "expect"],
]);
/** Anybody could write them: they are written anew. */
const forwarded = new Set(["x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "forwarded"]);

/** The headers that a function gets. `address`: the client's. */
export function functionHeaders(
  { rawHeaders, headers, socket }: IncomingMessage,
  address: string,
  isBehindTls: boolean,
): readonly (readonly [name: string, value: string])[] {
  const named = new Set(headers.connection?.split(",").map((name) => name.trim().toLowerCase()));
  const kept = headerPairs(rawHeaders).filter(([spelling]) => {
    const name = spelling.toLowerCase();
    return !ofOneHop.has(name) && !forwarded.has(name) && !named.has(name);
  });
  const authority = headers[":authority"];
  const isSecure = isBehindTls || (socket as Partial<TLSSocket>).encrypted === true;
  return [
    ...(typeof authority === "string" && headers.host === undefined ? ([["Host", authority]] as const) : []),
    ...kept,
    ["X-Forwarded-For", address],
    ["X-Forwarded-Proto", isSecure ? "https" : "http"],
    ["X-Forwarded-Port", portOf(headers.host ?? authority?.toString(), isSecure)],
  ];
}

function portOf(host: string | undefined, isSecure: boolean): string {
  return /:(\d{1,5})$/.exec(host ?? "")?.[1] ?? (isSecure ? "443" : "80");
}

/** The first label of a host's name: what AWS calls the domain's prefix. */
export function labelOf(domainName: string): string {
  return domainName.split(/[.:]/, 1)[0] ?? "";
}
