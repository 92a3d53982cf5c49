import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { type Context, Hono } from "hono";
import type { Logger } from "pino";
import { Secrets } from "../../task-notifications/shared/secrets.ts";
import { Caches } from "../shared/caches.ts";
import { type Kind, kinds, names, signingSecret } from "../shared/names.ts";
import { BodyTooLarge, readBody } from "./body.ts";
import { handleDelivery, type Tools } from "./handle.ts";
import { Publisher } from "./publisher.ts";
import { verifyWithKept } from "./signing-secret.ts";
import { PhraseTranslator, type Translator } from "./translator.ts";
import { Turns } from "./turns.ts";
import { type Delivery, DeliveryRefused } from "./verify.ts";

/** How the receiver is run. */
export interface ReceiverOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly todokuUrl: string;
  /** Holds the bootstrap key. */
  readonly keyFile: string;
  /** Default: the table of phrases. */
  readonly translator?: Translator;
}

/** A receiver that accepts connections. */
export interface RunningReceiver {
  readonly url: string;
  /** Takes no more connections, and lets deliveries end. */
  close(): Promise<void>;
}

/** A delivery must be whole by then; Todoku gives up after 5 s. */
const requestTimeoutMs = 10_000;
const closeGraceMs = 3000;

/** @throws what `listen` throws. */
export async function startReceiver(options: ReceiverOptions, log: Logger): Promise<RunningReceiver> {
  const { todokuUrl, keyFile } = options;
  const secrets = new Secrets({ todokuUrl, keyFile, log });
  const credential = secrets.key(names.receiverSecret);
  const kept = new Caches(todokuUrl, credential);
  const translator = options.translator ?? new PhraseTranslator();
  const tools = { kept, teller: new Publisher(todokuUrl, credential), translator, turns: new Turns(), log };
  const signing = new Map(kinds.map((kind) => [kind, secrets.text(signingSecret(kind))]));
  const verify = (kind: Kind, headers: Headers, body: Buffer) => {
    const secret = signing.get(kind);
    if (!secret) throw new Error(`no secret for ${kind}`);
    return verifyWithKept(secret, headers, body);
  };
  const serverOptions = { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs };
  const server = createAdaptorServer({ fetch: createApp(verify, tools, log).fetch, serverOptions }) as Server;
  server.listen(options.port, options.host);
  await once(server, "listening");
  return {
    url: urlOf(options.host, (server.address() as AddressInfo).port),
    async close() {
      const closed = once(server, "close");
      server.close();
      const timer = setTimeout(() => server.closeAllConnections(), closeGraceMs);
      await closed;
      clearTimeout(timer);
      kept.close();
    },
  };
}

const urlOf = (host: string, port: number) => `http://${host.includes(":") ? `[${host}]` : host}:${port}`;

/** The receiver without a server. `verify` throws DeliveryRefused for what is not Todoku's. */
export function createApp(
  verify: (kind: Kind, headers: Headers, body: Buffer) => Promise<Delivery>,
  tools: Tools,
  log: Pick<Logger, "warn">,
): Hono {
  const app = new Hono();
  const receive = (kind: Kind) => async (context: Context) => {
    const body = await readBody(context.req.raw);
    const delivery = await verify(kind, context.req.raw.headers, body);
    await handleDelivery(tools, kind, delivery);
    return context.body(null, 204);
  };
  for (const kind of kinds) app.post(`/webhooks/${kind}`, receive(kind));
  app.onError((error, context) => {
    const { path } = context.req;
    if (error instanceof DeliveryRefused) {
      log.warn({ path, reason: error.message }, "a delivery is refused");
      return context.json({ message: error.message }, 401);
    }
    if (error instanceof BodyTooLarge) return context.json({ message: error.message }, 413);
    // Whatever it is that does not work, Todoku delivers again: 1, 2, 4 ... 60 s from now.
    log.warn({ path, err: error }, "a delivery has to come again");
    return context.json({ message: "Not now; deliver it again" }, 503);
  });
  return app;
}
