import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { TodokuError } from "../../domain/errors.ts";
import { newId } from "../../lib/random-ids.ts";
import { commonHeaders } from "../../lib/response.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { closeFrame } from "../../lib/websocket/frames.ts";
import { switchingProtocols } from "../../lib/websocket/handshake.ts";
import { refusalOf, toErrorJson } from "./answers.ts";

/** How long a refused client may take to read why. */
const readMs = 2000;
/** Offered by clients that want to hear a reason, which browsers hide of a refused handshake: then the socket opens, and is closed with it. */
const ownProtocols = ["todoku.v1", "sumu.v1", "sumu"];

/** The subprotocol of ours that a client offers first. */
export function chooseProtocol(protocols: readonly string[]): string | undefined {
  return protocols.find((protocol) => ownProtocols.includes(protocol));
}

/** Says no as API Gateway does: JSON with the name of the error in a header. */
export function refuseWithStatus(socket: Socket, error: TodokuError, wheel: Pick<TimerWheel, "schedule">): void {
  const { status, message, type } = refusalOf(error);
  const body = { message, connectionId: newId(), requestId: newId(), error: toErrorJson(error) };
  const more: Record<string, string> = { "x-amzn-ErrorType": type };
  if (error.retryAfterMs !== undefined) more["retry-after"] = String(Math.ceil(error.retryAfterMs / 1000));
  endWith(socket, httpAnswer(status, body, more), wheel);
}

/** Says no to what is no handshake. */
export function refuseRequest(
  socket: Socket,
  {
    status,
    message,
    headers,
  }: { readonly status: number; readonly message: string; readonly headers: Record<string, string> },
  wheel: Pick<TimerWheel, "schedule">,
): void {
  endWith(socket, httpAnswer(status, { message }, headers), wheel);
}

/** Says no behind an accepted handshake. */
export function refuseWithClose(
  socket: Socket,
  error: TodokuError,
  { key, protocol }: { readonly key: string; readonly protocol: string },
  wheel: Pick<TimerWheel, "schedule">,
): void {
  const head = Buffer.from(switchingProtocols(key, protocol), "latin1");
  endWith(socket, Buffer.concat([head, closeFrame(refusalOf(error).closeCode, error.message)]), wheel);
}

function httpAnswer(status: number, body: object, more: Record<string, string>): Buffer {
  const text = JSON.stringify(body);
  const headers = {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(text)),
    connection: "close",
    ...commonHeaders,
    ...more,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n${text}`);
}

/** What the client still sends is thrown away: a socket that is closed with unread bytes takes the answer with it. */
function endWith(socket: Socket, bytes: Buffer, wheel: Pick<TimerWheel, "schedule">): void {
  if (socket.destroyed) return;
  const cut = wheel.schedule(readMs, () => socket.destroy());
  socket.once("close", () => cut.cancel());
  // Both sides have to end: the socket may be half open.
  socket.once("end", () => socket.destroySoon());
  socket.resume();
  socket.end(bytes);
}
