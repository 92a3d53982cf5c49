import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerResponse, ServerHttp2Stream } from "node:http2";
import { isGone } from "./response.ts";

/** Whether the client of a call is still there, for an answer that may come late. */
export interface ClientPresence {
  /** False once the client has left, or has said that it sends nothing more: it does not wait for the answer. */
  isOpen(): boolean;
  /** Aborted when the client left before the whole answer was handed to its socket. */
  readonly closed: AbortSignal;
  /** Calls `listener` once the whole answer was handed to its socket, or never will be. */
  onEnd(listener: () => void): void;
}

/** Watches the client of one call, of HTTP/1.1 or of HTTP/2. */
export function watchClient(request: IncomingMessage, response: ServerResponse): ClientPresence {
  const { stream } = response as unknown as Partial<Http2ServerResponse>;
  const closed = new AbortController();
  const ended = Promise.withResolvers<void>();
  response.on("close", () => {
    if (!isWritten(response, stream)) closed.abort();
    ended.resolve();
  });
  if (isGone(response)) {
    closed.abort();
    ended.resolve();
  }
  return {
    isOpen: () =>
      !closed.signal.aborted && !isGone(response) && (stream ? isStreamOpen(stream) : isSocketOpen(request)),
    closed: closed.signal,
    onEnd: (listener) => void ended.promise.then(listener),
  };
}

/** Node's HTTP/2 response says `finish` for a reset stream too: the stream itself knows. */
function isWritten(response: ServerResponse, stream: ServerHttp2Stream | undefined): boolean {
  return stream ? stream.writableFinished && !stream.aborted : response.writableFinished;
}

function isStreamOpen({ writable, session }: ServerHttp2Stream): boolean {
  return writable && session?.destroyed === false;
}

function isSocketOpen({ socket }: IncomingMessage): boolean {
  return socket.writable && !socket.readableEnded;
}
