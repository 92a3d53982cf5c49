// kill -9 at random moments while messages are sent, received and deleted over HTTP: nothing acknowledged is lost, nothing deleted
// comes back, and no receive that was answered is forgotten. TEST_LONG runs 30 rounds instead of 3.
import { expect, it } from "vitest";
import { type DevProcess, startDevProcess } from "../support/process.ts";
import { aDirectory } from "../support/server.ts";

const rounds = process.env.TEST_LONG ? 30 : 3;
const [senders, consumers] = [4, 4];
/** Poison: never deleted, so it ends in the dead letters after three receives. */
const isPoison = (body: string) => body.endsWith(".4");

interface ReceivedJson {
  readonly body: string;
  readonly receiptHandle: string;
  readonly receiveCount: number;
}

interface Acknowledged {
  readonly sent: Set<string>;
  readonly deleted: Set<string>;
  /** By body: the greatest receive count that was answered. */
  readonly received: Map<string, number>;
}

async function call(port: number, queue: string, action: string, body: object) {
  const response = await fetch(`http://127.0.0.1:${port}/v1/queues/${queue}/${action}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${action}: ${response.status} ${await response.text()}`);
  return (await response.json()) as { messages: ReceivedJson[]; outcomes: string[] };
}

async function send(port: number, id: string, done: Acknowledged): Promise<void> {
  for (let n = 0; ; n++) {
    const bodies = Array.from({ length: 5 }, (_, i) => `${id}:${n}.${i}`);
    await call(port, "q", "send", { messages: bodies.map((body) => ({ body })) });
    for (const body of bodies) done.sent.add(body);
  }
}

/** Receives and deletes until nothing comes for `waitSeconds`. */
async function consume(port: number, waitSeconds: number, done: Acknowledged): Promise<void> {
  for (;;) {
    const { messages } = await call(port, "q", "receive", { maxMessages: 10, waitSeconds, visibilitySeconds: 0.2 });
    if (messages.length === 0) return;
    for (const { body, receiveCount } of messages) {
      expect(done.deleted.has(body), `${body} was deleted`).toBe(false);
      expect(receiveCount).toBeGreaterThan(done.received.get(body) ?? 0);
      done.received.set(body, receiveCount);
    }
    const good = messages.filter(({ body }) => !isPoison(body));
    if (good.length === 0) continue;
    const { outcomes } = await call(port, "q", "delete", {
      receiptHandles: good.map(({ receiptHandle }) => receiptHandle),
    });
    good.forEach(({ body }, i) => {
      // Somebody else has it once its 200 ms are over; that one deletes it.
      if (outcomes[i] === "done") done.deleted.add(body);
    });
  }
}

/** Works until the server is gone; what it then says of the broken connection is not of interest, a failed expectation is. */
async function untilKilled(work: Promise<void>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!(error instanceof TypeError)) throw error;
  });
}

/** Everything that lies in a queue, by body. */
async function readAll(port: number, queue: string): Promise<Map<string, ReceivedJson>> {
  const found = new Map<string, ReceivedJson>();
  for (let after = 0; ; ) {
    const answer = (await call(port, queue, "peek", { after, maxMessages: 100 })) as unknown as {
      messages: ReceivedJson[];
      next: number;
    };
    for (const message of answer.messages) {
      expect(found.has(message.body), `${message.body} lies there twice`).toBe(false);
      found.set(message.body, message);
    }
    if (answer.messages.length === 0) return found;
    after = answer.next;
  }
}

async function create(port: number, settings: object): Promise<void> {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(settings) };
  expect((await fetch(`http://127.0.0.1:${port}/v1/queues`, init)).status).toBe(201);
}

it(
  "loses no acknowledged message, brings none back, forgets no receive",
  async () => {
    await using directory = await aDirectory();
    const args = (port: number) => ["--port", String(port), "--data-dir", directory.path, "--log-level", "warn"];
    const done: Acknowledged = { sent: new Set(), deleted: new Set(), received: new Map() };
    let server: DevProcess = await startDevProcess(args(0));
    const { port } = server;
    await create(port, { name: "dead" });
    await create(port, { name: "q", deadLetter: { queue: "dead", maxReceives: 3 } });

    for (let round = 1; round <= rounds; round++) {
      const work = [
        ...Array.from({ length: senders }, (_, id) => send(port, `${round}.${id}`, done)),
        ...Array.from({ length: consumers }, () => consume(port, 20, done)),
      ].map(untilKilled);
      await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 900)); // the random moment is the test
      expect(await server.end("SIGKILL")).toMatchObject({ signal: "SIGKILL" });
      await Promise.all(work);
      server = await startDevProcess(args(port));
    }

    await consume(port, 2, done);
    const [waiting, dead] = [await readAll(port, "q"), await readAll(port, "dead")];
    expect([...waiting.keys()]).toEqual([]);
    expect([...dead.keys()].filter((body) => done.deleted.has(body))).toEqual([]);
    const missing = [...done.sent].filter((body) => !dead.has(body) && !done.deleted.has(body));
    // A delete that was committed but not answered: then its message had been received.
    expect(missing.filter((body) => isPoison(body) || !done.received.has(body))).toEqual([]);
    expect(missing.length).toBeLessThanOrEqual(rounds * consumers * 10);
    expect([...dead.keys()].filter(isPoison).length).toBeGreaterThan(0);
    expect(done.deleted.size).toBeGreaterThan(0);
    expect(await server.end("SIGTERM")).toEqual({ code: 0, signal: null });
  },
  60_000 + rounds * 10_000,
);
