import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Server as NetServer, Socket } from "node:net";

/** A request as it came. */
export interface Received {
  readonly headers: IncomingMessage["headers"];
  readonly path: string;
  readonly body: Buffer;
}

/** An HTTP server on a free port of loopback (all of 127/8 on Linux) that counts who connects to it. `listener` is called when the body is whole. */
export async function aTarget(
  listener: (received: Received, ...[request, response]: Parameters<RequestListener>) => void = (_, __, response) =>
    void response.end("ok"),
) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    const one = { headers: request.headers, path: request.url ?? "", body };
    received.push(one);
    listener(one, request, response);
  });
  return { received, ...(await listening(server)) };
}

/** Listens on a free port; counts. */
export async function listening<S extends Server | NetServer>(server: S, host = "127.0.0.1") {
  const sockets = new Set<Socket>();
  const counts = { connections: 0 };
  server.on("connection", (socket: Socket) => {
    counts.connections += 1;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
  });
  await once(server.listen(0, host), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    ...{ server, port, counts, sockets, url: `http://${host}:${port}/` },
    async [Symbol.asyncDispose]() {
      const closed = once(server.close(), "close");
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
