import { hash } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

/** A client's opening handshake that may be accepted. */
export interface Handshake {
  readonly key: string;
  /** What the client offers, in its order; may carry a credential. */
  readonly protocols: readonly string[];
}

/** The answer to a request that is no handshake. */
export interface RefusedHandshake {
  readonly status: number;
  readonly message: string;
  readonly headers: Record<string, string>;
}

const version = "13";
/** RFC 6455, 1.3: proves that the server speaks WebSocket. */
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** Base64 of 16 bytes: of the last character two bits count. */
const keyPattern = /^[A-Za-z0-9+/]{21}[AQgw]==$/;
/** RFC 9110, 5.6.2. */
const tokenPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** RFC 6455, 4.2.1. Extensions are passed over; no message quotes a protocol, which may be a credential. */
export function readHandshake(request: IncomingMessage): Handshake | RefusedHandshake {
  const { headers } = request;
  const { "sec-websocket-key": key } = headers;
  const refusal = refusalOf(request);
  if (refusal) return refusal;
  if (!key || !keyPattern.test(key)) return refuse(400, "sec-websocket-key must be 16 bytes in base64");
  const protocols = listOf(headers["sec-websocket-protocol"]);
  if (!protocols.every((protocol) => tokenPattern.test(protocol)) || new Set(protocols).size < protocols.length)
    return refuse(400, "sec-websocket-protocol must be a list of different names");
  return { key, protocols };
}

/** `protocol`: one of those that the handshake offers. */
export function switchingProtocols(key: string, protocol?: string): string {
  const accept = hash("sha1", key + guid, "base64");
  const chosen = protocol === undefined ? "" : `sec-websocket-protocol: ${protocol}\r\n`;
  return `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n${chosen}\r\n`;
}

function refusalOf({
  method,
  headers,
  httpVersionMajor,
  httpVersionMinor,
}: IncomingMessage): RefusedHandshake | undefined {
  if (method !== "GET") return refuse(405, "a WebSocket begins with GET", { allow: "GET" });
  if (httpVersionMajor !== 1 || httpVersionMinor < 1) return refuse(400, "a WebSocket begins with HTTP/1.1");
  if (!headers.host) return refuse(400, "host is missing");
  if (!names(headers, "upgrade", "websocket") || !names(headers, "connection", "upgrade"))
    return refuse(426, "this is a WebSocket: upgrade must be websocket, and connection upgrade", {
      upgrade: "websocket",
      connection: "upgrade",
    });
  const { "sec-websocket-version": given } = headers;
  if (given === version) return undefined;
  const found = given === undefined ? "is missing" : `is ${JSON.stringify(given.slice(0, 32))}`;
  return refuse(426, `sec-websocket-version ${found}: it must be ${version}`, {
    upgrade: "websocket",
    connection: "upgrade",
    "sec-websocket-version": version,
  });
}

function names(headers: IncomingHttpHeaders, header: "upgrade" | "connection", value: string): boolean {
  const given = headers[header]?.toLowerCase();
  return given === value || listOf(given).includes(value);
}

/** Empty elements are allowed in a list, and mean nothing (RFC 9110, 5.6.1). */
function listOf(header: string | undefined): string[] {
  if (header === undefined) return [];
  return header
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

function refuse(status: number, message: string, headers: Record<string, string> = {}): RefusedHandshake {
  return { status, message, headers };
}
