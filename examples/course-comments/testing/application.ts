import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type StartedProcess, startProcess } from "../../../test/support/process.ts";
import { aDirectory } from "../../../test/support/server.ts";
import { fixedCredential } from "../../task-notifications/shared/credential.ts";
import { Todoku } from "../../task-notifications/shared/todoku.ts";
import { names } from "../shared/names.ts";
import { setUp } from "../shared/set-up.ts";

const receiverMain = fileURLToPath(new URL("../receiver/main.ts", import.meta.url));

/** A Todoku in dev mode in which the set-up has run, and its receiver, a process that can be killed and started again. */
export interface SetUpTodoku extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** As a super user. */
  readonly admin: Todoku;
  readonly stateDir: string;
  receiver: StartedProcess;
  startReceiver(): Promise<void>;
  /** Publishes as that user, with a token that carries the id. @throws Error when the answer is an error, or there is none. */
  publish(userId: string, topic: string, message: unknown): Promise<void>;
}

/** Makes what the example needs in the Todoku at `url`. */
export async function aSetUpTodoku(url: string): Promise<SetUpTodoku> {
  const directory = await aDirectory();
  const stateDir = join(directory.path, "state");
  const receiverPort = await aFreePort();
  await setUp({ todokuUrl: url, stage: "dev", stateDir, receiverUrl: `http://127.0.0.1:${receiverPort}` });
  const admin = new Todoku(url, fixedCredential(undefined));
  const environment = { TODOKU_URL: url, STATE_DIR: stateDir, PORT: String(receiverPort), LOG_LEVEL: "warn" };
  const startReceiver = () => startProcess(receiverMain, [], environment, /^Receiver listens on (\S+)\n/);
  const tokens = new Map<string, Promise<string>>();
  const parts: SetUpTodoku = {
    ...{ url, port: Number(new URL(url).port), admin, stateDir },
    receiver: await startReceiver(),
    async startReceiver() {
      parts.receiver = await startReceiver();
    },
    async publish(userId, topic, message) {
      const token = tokens.get(userId) ?? aToken(url, userId);
      tokens.set(userId, token);
      const response = await fetch(`${url}/v1/topics/${names.cache}/${encodeURIComponent(topic)}`, {
        method: "POST",
        headers: { authorization: `Bearer ${await token}`, "content-type": "application/json" },
        body: JSON.stringify({ text: JSON.stringify(message) }),
      });
      if (!response.ok) throw new Error(await response.text());
    },
    async [Symbol.asyncDispose]() {
      await parts.receiver.end("SIGKILL");
      await directory[Symbol.asyncDispose]();
    },
  };
  return parts;
}

/** To publish what the example's users publish. */
async function aToken(url: string, tokenId: string): Promise<string> {
  const cache = { name: names.cache };
  const grants = Object.values(names.topics).map((name) => ({
    resource: "topic",
    role: "publish",
    cache,
    topic: { name },
  }));
  const response = await fetch(`${url}/v1/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ grants, validForSeconds: 600, tokenId }),
  });
  return ((await response.json()) as { token: string }).token;
}

/** Free a moment ago: for what has to be named before it listens. */
export async function aFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await once(server.close(), "close");
  return port;
}
