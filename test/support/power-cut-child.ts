// A process that writes to the embedded engine and notes each acknowledgement in $POWER_CUT_DIR/acks: one JSON line per write,
// in one write call, so that the shim's log has it in its place. The same lines go to stdout. Arguments: data directory, synchronous, rounds.
import { openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { openEmbeddedEngine } from "../../src/engines/embedded/index.ts";

/** What the child notes. `cacheId` comes first, once per cache. */
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
  | { readonly kind: "record"; readonly name: string; readonly id: number };

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

async function session(name: string, cacheId: number | undefined, closes: boolean): Promise<number> {
  const engine = await openEmbeddedEngine({ dataDir, wallMs: Date.now, synchronous: synchronous as "FULL" | "OFF" });
  const cacheKey = { kind: "cache", environment: "dev", name: "c" };
  const id = cacheId ?? (await engine.records.create(cacheKey, { durability: "disk" })).id;
  if (cacheId === undefined) acknowledge({ kind: "cache", cacheId: id });
  const cache = { environment: "dev", cache: "c", cacheId: id };

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

  await Promise.all(Array.from({ length: 20 }, (_, n) => writer(`t${n % 7}`, `k${n}`)));
  if (closes) await engine.close();
  return id;
}

const id = await session("first", undefined, true);
await session("second", id, false);
// An ordinary exit would let SQLite close its files.
process.kill(process.pid, "SIGKILL");
