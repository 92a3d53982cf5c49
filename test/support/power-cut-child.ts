// A process that writes to the embedded engine and notes each acknowledgement in $POWER_CUT_DIR/acks: one JSON line per write,
// in one write call, so that the shim's log has it in its place. The same lines go to stdout. Arguments: data directory, synchronous, rounds.
import { openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "../../src/domain/engine.ts";
import { openEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { hiddenMs } from "./power-cut-losses.ts";

/** What the child notes. `cacheId` and `queueId` come first, once. Of sent messages only those with an even number are ever deleted. */
export type Acknowledgement =
  | { readonly kind: "cache"; readonly cacheId: number }
  | {
      readonly kind: "append";
      readonly topic: string;
      readonly page: number;
      readonly sequence: number;
      readonly text: string;
    }
  | { readonly kind: "item"; readonly key: string; readonly count: number }
  | { readonly kind: "record"; readonly name: string; readonly id: number }
  | { readonly kind: "queue"; readonly queueId: number; readonly deadId: number }
  | { readonly kind: "sent" | "deleted"; readonly message: number }
  | { readonly kind: "received"; readonly message: number; readonly receiveCount: number };

const [dataDir = "", synchronous = "FULL", rounds = "100"] = process.argv.slice(2);
const acks = openSync(join(dataDir, "acks"), "a", 0o600);
const bytes = (text: string) => new TextEncoder().encode(text);
const padding = ".".repeat(1500);
let count = 0;

function acknowledge(ack: Acknowledgement): void {
  const line = `${JSON.stringify(ack)}\n`;
  writeSync(acks, line);
  process.stdout.write(line);
}

interface Ids {
  readonly cacheId: number;
  readonly queueId: number;
  readonly deadId: number;
}

async function createAll(engine: Engine): Promise<Ids> {
  const create = async (kind: string, name: string) =>
    (await engine.records.create({ kind, environment: "dev", name }, { durability: "disk" })).id;
  const ids = {
    cacheId: await create("cache", "c"),
    queueId: await create("queue", "q"),
    deadId: await create("queue", "dead"),
  };
  acknowledge({ kind: "cache", cacheId: ids.cacheId });
  acknowledge({ kind: "queue", queueId: ids.queueId, deadId: ids.deadId });
  return ids;
}

/** Sends one, receives some, deletes the even ones, again and again; what is received too often goes to the dead letters. */
async function useQueue({ queues }: Engine, ids: Ids): Promise<void> {
  const key = { environment: "dev", queue: "q", queueId: ids.queueId };
  const deadLetter = { key: { environment: "dev", queue: "dead", queueId: ids.deadId }, maxReceives: 2 };
  for (let round = 0; round < Number(rounds); round++) {
    const [message, nowMs] = [count++, Date.now()];
    const body = `${message} ${message % 3 === 0 ? padding : ""}`;
    const from = { sender: "", traceHeader: undefined };
    const times = { sentAtMs: nowMs, readyAtMs: nowMs };
    await queues.send(key, [
      { messageId: `${message}`, isIdChosen: true, body, attributes: undefined, ...from, ...times },
    ]);
    acknowledge({ kind: "sent", message });
    const request = { maxMessages: 3, nowMs, hiddenUntilMs: nowMs + hiddenMs, deadLetter };
    const { messages } = await queues.receive(key, request);
    for (const { messageId, receiveCount } of messages) {
      acknowledge({ kind: "received", message: Number(messageId), receiveCount });
    }
    const even = messages.filter(({ messageId }) => Number(messageId) % 2 === 0);
    const outcomes = await queues.delete(
      key,
      even.map(({ receipt }) => receipt),
    );
    for (const [n, { messageId }] of even.entries()) {
      if (outcomes[n] === "done") acknowledge({ kind: "deleted", message: Number(messageId) });
    }
  }
}

async function session(name: string, known: Ids | undefined, closes: boolean): Promise<Ids> {
  const engine = await openEmbeddedEngine({ dataDir, wallMs: Date.now, synchronous: synchronous as "FULL" | "OFF" });
  const ids = known ?? (await createAll(engine));
  const cache = { environment: "dev", cache: "c", cacheId: ids.cacheId };

  async function writer(topic: string, key: string): Promise<void> {
    for (let round = 0; round < Number(rounds); round++) {
      const text = `${count++} ${padding}`;
      const value = { isText: true, bytes: bytes(text) };
      const item = {
        key: { cache, topic },
        value,
        attributes: undefined,
        tokenId: "",
        publishedAtMs: Date.now(),
        messageId: text.slice(0, 9),
      };
      const [result] = await engine.topics.disk.append([item]);
      if (result === undefined || result instanceof Error) throw result;
      acknowledge({ kind: "append", topic, ...result.position, text: text.slice(0, 20) });
      if (round % 10 === 0) await writeOther(key, round);
    }
  }

  async function writeOther(key: string, round: number): Promise<void> {
    // Only this writer sets this key, so what is found later is never less than what was acknowledged.
    const mine = count++;
    await engine.items.disk.set(cache, bytes(key), { value: bytes(`${mine}`), expiresAtMs: 9e12 });
    acknowledge({ kind: "item", key, count: mine });
    if (round % 50 !== 0) return;
    const record = await engine.records.create(
      { kind: "key", environment: "dev", name: `${name} ${key} ${round}` },
      {},
    );
    acknowledge({ kind: "record", name: record.name, id: record.id });
  }

  const writers = Array.from({ length: 20 }, (_, n) => writer(`t${n % 7}`, `k${n}`));
  await Promise.all([...writers, ...Array.from({ length: 5 }, () => useQueue(engine, ids))]);
  if (closes) await engine.close();
  return ids;
}

const ids = await session("first", undefined, true);
await session("second", ids, false);
// An ordinary exit would let SQLite close its files.
process.kill(process.pid, "SIGKILL");
