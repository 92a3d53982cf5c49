import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { limits } from "../domain/limits.ts";
import type { Certificate } from "./tls-certificate.ts";

/** What a connection speaks once its handshake is done. */
export type Protocol = "http1" | "http2";

/** The TLS side of the one port. */
export interface Tls {
  /** Takes a socket on which a TLS handshake has begun. The caller's deadline ends one that is never done. */
  accept(socket: Socket): void;
  /** New handshakes use it; connections that are open stay as they are. */
  use(certificate: Certificate): void;
}

/**
 * One TLS server behind the sniffing listener: ALPN chooses between HTTP/2 and HTTP/1.1, which is also what a client without ALPN gets.
 * @param secured the handshake on `socket` is done, and `secure` is its inside.
 */
export function createTls(
  certificate: Certificate,
  secured: (socket: Socket, secure: TLSSocket, protocol: Protocol) => void,
): Tls {
  /** Unfinished handshakes by their other end, the oldest first. */
  const handshakes = new Map<string, Socket>();
  const server = createServer({ ...contextOf(certificate), ALPNProtocols: ["h2", "http/1.1"] });
  server.on("secureConnection", (secure) => {
    secure.on("error", () => {}); // a reset; `close` follows
    const socket = handshakes.get(peerOf(secure));
    handshakes.delete(peerOf(secure));
    if (!socket) secure.destroy();
    else secured(socket, secure, secure.alpnProtocol === "h2" ? "http2" : "http1");
  });
  server.on("tlsClientError", (_error, secure) => secure.destroy());
  return {
    accept(socket) {
      const peer = peerOf(socket);
      handshakes.set(peer, socket);
      socket.once("close", () => {
        if (handshakes.get(peer) === socket) handshakes.delete(peer);
      });
      if (handshakes.size > limits.tls.handshakesMax) dropOldest(handshakes);
      server.emit("connection", socket);
    },
    use: (next) => server.setSecureContext(contextOf(next)),
  };
}

function contextOf({ cert, key }: Certificate) {
  // A renegotiation costs its client nothing and us a handshake; TLS 1.3 has none.
  return { cert, key, minVersion: "TLSv1.2", secureOptions: constants.SSL_OP_NO_RENEGOTIATION } as const;
}

/** The server says who has finished by the inside of the connection only. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** An honest handshake takes a round trip or two: the one that has taken longest is the least likely to be one. */
function dropOldest(handshakes: Map<string, Socket>): void {
  for (const [peer, socket] of handshakes) {
    handshakes.delete(peer);
    socket.destroy();
    return;
  }
}
