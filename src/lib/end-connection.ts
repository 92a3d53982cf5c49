import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerResponse, type Http2Session } from "node:http2";

// The answers that are under way leave first.
const graceMs = 1000;

/** What the client's requests come over: its session over HTTP/2, its socket over HTTP/1.1. */
export function connectionOf({ socket }: IncomingMessage, response: ServerResponse): object {
  return sessionOf(response) ?? socket;
}

/** Takes no more requests over the connection of this one, whose head is not written yet, and closes it behind the answer. */
export function endConnection(response: ServerResponse): void {
  const session = sessionOf(response);
  if (session) endSession(session);
  else if (!response.headersSent) response.setHeader("connection", "close");
}

/** The server stops: nothing more is asked over the connection of this answer, which is finished. What else is open on it goes on. */
export function leaveConnection(response: ServerResponse): void {
  const { socket } = response;
  const session = sessionOf(response);
  if (session) session.close();
  else if (!response.headersSent) response.setHeader("connection", "close");
  // Its head has promised more answers; who asks over a line that has just been closed asks again over another one.
  else response.once("finish", () => socket?.destroySoon());
}

/** Ends a call without an answer, as a broken line does. */
export function cutCall(response: ServerResponse): void {
  const { stream } = response as unknown as Partial<Http2ServerResponse>;
  if (stream) stream.close(constants.NGHTTP2_REFUSED_STREAM);
  else response.destroy();
}

/** Tells the client that it asks for too much, and ends its session. What it opens from then on is passed over. */
export function endSession(session: Http2Session): void {
  if (session.destroyed) return;
  session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  setTimeout(() => session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM), graceMs).unref();
}

function sessionOf(response: ServerResponse): Http2Session | undefined {
  return (response as unknown as Partial<Http2ServerResponse>).stream?.session;
}
