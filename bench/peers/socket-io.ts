// socket.io as its documentation shows it, without compression and long polling: a client joins the room that its query
// names; `["pub", room, text]` is emitted to a room. The folder that it is installed in is the argument.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";

interface Client {
  readonly handshake: { readonly query: Readonly<Record<string, string | undefined>> };
  join(room: string): void;
  on(event: "pub", listener: (room: string, text: string) => void): void;
}

interface SocketIo {
  on(event: "connection", listener: (client: Client) => void): void;
  to(room: string): { emit(event: string, text: string): void };
}

type SocketIoServer = new (server: ReturnType<typeof createServer>, options: object) => SocketIo;

const { Server } = createRequire(`${process.argv[2]}/x`)("socket.io") as { Server: SocketIoServer };
const server = createServer();
const options = { transports: ["websocket"], perMessageDeflate: false, httpCompression: false, serveClient: false };
const io = new Server(server, options);
io.on("connection", (client) => {
  const { room } = client.handshake.query;
  if (room !== undefined) client.join(room);
  client.on("pub", (to, text) => io.to(to).emit("m", text));
});
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
  console.log(`listens on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
