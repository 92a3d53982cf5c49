import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Auth } from "../domain/auth/auth.ts";
import { toCaller } from "../domain/auth/caller.ts";
import { TodokuError, toTodokuError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import type { Log } from "../lib/log.ts";
import { commonHeaders } from "../lib/response.ts";
import type { Listener } from "./listener.ts";

interface FaultAdminParts {
  readonly auth: Pick<Auth, "authenticate">;
  readonly listener: Pick<Listener, "block" | "unblock">;
  readonly log: Log;
}

/** The second port of dev mode, over which the network of the first fails and works again. */
export interface FaultAdmin {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Listens for `/block` and `/unblock`, by GET as Momento has it, or POST. Only who could do anything on the server itself is heard: a
 * page of another origin, or another machine, could break a developer's server otherwise.
 * @throws TodokuError `failed_precondition`: it cannot bind.
 */
export async function openFaultAdmin(parts: FaultAdminParts, port: number, host: string): Promise<FaultAdmin> {
  const server = createServer({ maxHeaderSize: limits.http.headersMaxBytes }, (request, response) => {
    answer(parts, request)
      .catch((error: unknown) => refusal(toTodokuError(error), parts.log))
      .then(([status, text]) => response.writeHead(status, plain).end(`${text}\n`));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", ({ message }) => reject(notBound(port, message)));
    server.listen(port, host, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function notBound(port: number, message: string): TodokuError {
  return new TodokuError("failed_precondition", `faultAdminPort ${port} cannot be bound: ${message}`);
}

/** The client asks for one thing and goes: a kept connection would hold up the server's end. */
const plain = { ...commonHeaders, "content-type": "text/plain; charset=utf-8", connection: "close" };

type Answer = readonly [status: number, text: string];

async function answer({ auth, listener, log }: FaultAdminParts, request: IncomingMessage): Promise<Answer> {
  const { method = "", url = "", headers } = request;
  if (!["GET", "POST"].includes(method) || !["/block", "/unblock"].includes(url)) {
    return [404, "there are /block and /unblock, by GET or POST"];
  }
  const credential = headers.authorization?.replace(/^bearer +/i, "") ?? "";
  const caller = toCaller(request.socket.remoteAddress, headers);
  // Elsewhere no GET changes anything, so it may come from another port of localhost, as an image does: without an Origin.
  if (caller.origin === undefined && caller.secFetchSite === "same-site") {
    throw new TodokuError("unauthenticated", 'a page of another port is not heard: its Sec-Fetch-Site is "same-site"');
  }
  const principal = await auth.authenticate(credential, caller);
  if (!principal.isOperator) {
    throw new TodokuError("permission_denied", "the port may be blocked by who may do anything only");
  }
  if (url === "/block") listener.block();
  else listener.unblock();
  const state = url === "/block" ? "blocked" : "unblocked";
  log.info({ area: "server" }, `the port is ${state}`);
  return [200, state];
}

function refusal(error: TodokuError, log: Log): Answer {
  if (error.code === "unauthenticated") return [401, error.message];
  if (error.code === "permission_denied") return [403, error.message];
  if (error.code === "limit_exceeded") return [429, error.message];
  log.error({ area: "server", err: error.cause ?? error }, "the fault port failed");
  return [500, error.message];
}
