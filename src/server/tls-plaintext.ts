import { Buffer } from "node:buffer";
import { STATUS_CODES } from "node:http";
import { constants } from "node:http2";
import type { Socket } from "node:net";
import { commonHeaders } from "../lib/response.ts";

const sentence =
  "this port speaks TLS only: use https://, or a client with TLS. What was sent without it was not looked at.";

/** What a client that speaks HTTP without TLS is told, in its own protocol, where that is not allowed. */
export function refusePlaintext(socket: Socket, isHttp2: boolean): void {
  // What still comes is not wanted, but to leave it unread would reset the connection, and our answer with it.
  socket.resume();
  socket.end(isHttp2 ? http2Refusal() : http1Refusal());
}

/** RFC 9110 7.8: 426 names what to change to. */
function http1Refusal(): string {
  const status = 426;
  const body = JSON.stringify({
    type: "about:blank",
    title: STATUS_CODES[status],
    status,
    detail: sentence,
    code: "failed_precondition",
  });
  const headers = {
    upgrade: "TLS/1.2, HTTP/1.1",
    connection: "Upgrade, close",
    "content-type": "application/problem+json",
    "content-length": String(Buffer.byteLength(body)),
    ...commonHeaders,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n${body}`;
}

/** A server's first frame must be SETTINGS (RFC 9113 3.4); then GOAWAY with INADEQUATE_SECURITY. */
function http2Refusal(): Buffer {
  const [settings, goaway] = [4, 7];
  const detail = Buffer.from(sentence);
  const head = Buffer.alloc(8); // no stream was taken: 0; then the code
  head.writeUInt32BE(constants.NGHTTP2_INADEQUATE_SECURITY, 4);
  return Buffer.concat([http2Frame(settings, Buffer.alloc(0)), http2Frame(goaway, Buffer.concat([head, detail]))]);
}

/** A frame without flags on stream 0. */
function http2Frame(type: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  return Buffer.concat([head, payload]);
}
