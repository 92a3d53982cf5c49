import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Logger } from "pino";
import { Secrets } from "../../task-notifications/shared/secrets.ts";
import { Todoku } from "../../task-notifications/shared/todoku.ts";
import { TaskQueue } from "../../task-notifications/worker/task-queue.ts";
import { names } from "../shared/names.ts";
import { answer, type Tools } from "./answer.ts";
import { type Channel, channels } from "./channels.ts";
import { connectedUsers } from "./connected-users.ts";
import { DisplayNames } from "./display-names.ts";
import { parseIncoming } from "./incoming.ts";
import { type MayMessage, mayMessage } from "./may-message.ts";
import type { PageSettings } from "./page-settings.ts";
import { startQueueLoop } from "./queue-loop.ts";
import { createRoutes } from "./routes.ts";

/** How the backend is run. */
export interface BackendOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly todokuUrl: string;
  /** Holds the bootstrap key. */
  readonly keyFile: string;
  readonly page: PageSettings;
  /** The built page. */
  readonly pageDirectory: string;
  /** Default: everybody may message everybody. */
  readonly mayMessage?: MayMessage;
}

/** A backend that takes messages. */
export interface RunningBackend {
  readonly url: string;
  /** Takes no more, and lets what was begun end. */
  close(): Promise<void>;
}

/** A request must be whole by then; Todoku gives a delivery up after 5 s. */
const requestTimeoutMs = 15_000;
const closeGraceMs = 3000;

/** @throws what `listen` throws. */
export async function startBackend(options: BackendOptions, log: Logger): Promise<RunningBackend> {
  const secrets = new Secrets({ todokuUrl: options.todokuUrl, keyFile: options.keyFile, log });
  const todoku = new Todoku(options.todokuUrl, secrets.key(names.backendSecret));
  const displayNames = new DisplayNames();
  const tools: Tools = {
    mayMessage: options.mayMessage ?? mayMessage,
    nameOf: (userId) => displayNames.get(userId),
    connectedUsers: connectedUsers(todoku),
  };
  const take = async (channel: Channel, id: string, text: string | undefined, attributes: unknown) => {
    const incoming = parseIncoming(id, text, attributes);
    const request = incoming && (await answer(incoming, tools));
    if (request) await channel(request);
    else log.info({ id }, "passed over: no message of a user, and no presence");
  };
  const { topic, queue } = channels(todoku);
  const routes = createRoutes({
    ...{ page: options.page, pageDirectory: options.pageDirectory, displayNames, log },
    signingSecret: secrets.text(names.signingSecret),
    take: (id, text, attributes) => take(topic, id, text, attributes),
  });
  const serverOptions = { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs };
  const server = createAdaptorServer({ fetch: routes.fetch, serverOptions }) as Server;
  server.listen(options.port, options.host);
  await once(server, "listening");
  const loop = startQueueLoop({
    queue: new TaskQueue(todoku, names.messagesQueue),
    handle: ({ messageId, body, attributes }) => take(queue, messageId, body, attributes),
    log,
  });
  return {
    url: urlOf(options.host, (server.address() as AddressInfo).port),
    async close() {
      const closed = once(server, "close");
      server.close();
      const timer = setTimeout(() => server.closeAllConnections(), closeGraceMs);
      await Promise.all([closed, loop.close()]);
      clearTimeout(timer);
    },
  };
}

const urlOf = (host: string, port: number) => `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
