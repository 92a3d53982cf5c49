import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** One call that the receiver got. */
export interface ReceivedCall {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** As it came: what signatures are made of. */
  readonly body: Buffer;
  /** Wall time of the body's last byte. */
  readonly atMs: number;
}

/**
 * What it does with a call: a status, a whole answer, `cut` (the connection ends without an answer), `hang` (no answer until the caller
 * or the receiver ends it), or `hold` (the answer waits for `release`).
 */
type ReceiverAnswer =
  | number
  | "cut"
  | "hang"
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly hold?: true;
    };

/** A receiver of webhooks: a real HTTP server on a port of its own on 127.0.0.1. */
export interface WebhookReceiver {
  /** `http://127.0.0.1:<port>/hook`; the same after a stop and a start. */
  readonly url: string;
  readonly port: number;
  /** All calls so far, those too that were not answered with 2xx. */
  readonly calls: readonly ReceivedCall[];
  /** Answers what comes from here on; `n` counts all calls from 1 on. At first 200. */
  answer(with_: ReceiverAnswer | ((call: ReceivedCall, n: number) => ReceiverAnswer)): void;
  /** Resolves when there have been `count` calls in all, with the first `count` of them. */
  received(count: number): Promise<readonly ReceivedCall[]>;
  /** Resolves when `isDone` of all calls so far is true; it is asked after each call. */
  until(isDone: (calls: readonly ReceivedCall[]) => boolean): Promise<void>;
  /** Sends the answers that are held. */
  release(): void;
  /** Ends all connections and listens no more: connections are refused. */
  stop(): Promise<void>;
  /** Listens again, on the same port. */
  start(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts one. */
export async function aWebhookReceiver(): Promise<WebhookReceiver> {
  const calls: ReceivedCall[] = [];
  const [sockets, waiters, held] = [new Set<Socket>(), new Set<() => void>(), new Set<() => void>()];
  let answerTo: (call: ReceivedCall, n: number) => ReceiverAnswer = () => 200;

  const server = createServer((request, response) => {
    void readCall(request).then((call) => {
      if (call === undefined) return;
      const number = calls.push(call);
      respond(answerTo(call, number), request, response, held);
      for (const look of [...waiters]) look();
    });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const stop = async () => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    held.clear();
    await closed;
  };

  const port = await listen(0);
  const until = (isDone: (calls: readonly ReceivedCall[]) => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!isDone(calls)) return;
        waiters.delete(look);
        resolve();
      };
      waiters.add(look);
      look();
    });
  return {
    ...{ port, url: `http://127.0.0.1:${port}/hook`, calls, until, stop, [Symbol.asyncDispose]: stop },
    answer(with_) {
      answerTo = typeof with_ === "function" ? with_ : () => with_;
    },
    async received(count) {
      await until(() => calls.length >= count);
      return calls.slice(0, count);
    },
    release() {
      for (const send of held) send();
      held.clear();
    },
    async start() {
      await listen(port);
    },
  };
}

/** Undefined when the caller went away before its end. */
async function readCall(request: IncomingMessage): Promise<ReceivedCall | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return undefined;
  }
  const { method = "", url = "", headers } = request;
  return { method, path: url, headers, body: Buffer.concat(chunks), atMs: Date.now() };
}

function respond(answer: ReceiverAnswer, request: IncomingMessage, response: ServerResponse, held: Set<() => void>) {
  if (answer === "hang") return;
  if (answer === "cut") {
    request.socket.destroy();
    return;
  }
  const { status, headers = {}, body, hold } = typeof answer === "number" ? { status: answer } : answer;
  const send = () => response.writeHead(status, headers).end(body);
  if (hold) held.add(send);
  else send();
}
