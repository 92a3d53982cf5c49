// kill -9 at random moments while everything that can be written is being written: what was answered holds, what was answered as gone or
// revoked stays so, and of a destroyed environment no row is left. TEST_LONG runs 50 rounds instead of 3.
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import {
  EnvironmentWriter,
  KeyRotationWriter,
  KeyWriter,
  RevocationWriter,
  SigningKeyWriter,
} from "../support/access-writers.ts";
import { orphansOf, rowsOf } from "../support/database-rows.ts";
import { isBrokenConnection, JsonApi, judge } from "../support/json-api.ts";
import { gone } from "../support/ledger.ts";
import { type DevProcess, startDevProcess } from "../support/process.ts";
import { aDirectory } from "../support/server.ts";
import {
  ContainerWriter,
  ItemWriter,
  MessageWriter,
  SecretWriter,
  TopicWriter,
  type Writer,
} from "../support/writers.ts";

const rounds = process.env.TEST_LONG ? 50 : 3;
/** Of what did not change in a round, one in so many is looked at after it, and everything after the last one. */
const sample = 10;

/** What is refused is asked for thousands of times here. */
const unlimited = ["--rates-failed-credentials-per-minute", "0"];
let server: DevProcess;
async function start(dataDir: string, port = 0): Promise<number> {
  server = await startDevProcess(["--port", String(port), "--data-dir", dataDir, "--log-level", "warn", ...unlimited]);
  return server.port;
}
afterEach(async () => {
  if (server.child.exitCode === null && server.child.signalCode === null) await server.end("SIGKILL");
});

/** What a broken connection says is not of interest, everything else is. */
async function untilKilled(writer: Writer): Promise<void> {
  await writer.write().catch((error: unknown) => {
    if (!isBrokenConnection(error)) throw error;
  });
}

/** Resolves when no row is left of environments that are gone: also of those whose making or destroying the kill broke off. */
function swept(dataDir: string, goneNames: readonly string[]): Promise<void> {
  const names = new Set(goneNames);
  const left = () => {
    const rows = rowsOf(dataDir).filter((row) => row.match(/\bE-\w+-x\b/g)?.some((name) => names.has(name)));
    return [...orphansOf(dataDir), ...rows.map((row) => row.slice(0, 200))];
  };
  return expect.poll(left, { timeout: 10_000, interval: 100 }).toEqual([]);
}

it(
  "loses nothing that was answered and brings nothing back, whatever was being written",
  async () => {
    await using directory = await aDirectory();
    const port = await start(directory.path);
    const environments = new EnvironmentWriter(port);
    const writers = [
      ...[new ContainerWriter(port), new TopicWriter(port), new MessageWriter(port), new ItemWriter(port)],
      ...[new SecretWriter(port), new KeyWriter(port), new SigningKeyWriter(port), new RevocationWriter(port)],
      ...[new KeyRotationWriter(port), environments],
    ];
    for (const writer of writers) await writer.prepare();

    for (let round = 1; round <= rounds; round++) {
      const written = writers.map(untilKilled);
      await wait(300 + Math.random() * 1200); // the random moment is the test
      expect(await server.end("SIGKILL")).toMatchObject({ signal: "SIGKILL" });
      await Promise.all(written);
      await start(directory.path, port);
      for (const writer of writers) {
        const names = writer.ledger.due(round === rounds ? 1 : sample, round);
        expect(names.length, "writers have had their turn").toBeGreaterThan(0);
        expect(writer.ledger.compare(await writer.look(names))).toEqual([]);
      }
      await swept(directory.path, environments.ledger.namesOf(gone));
    }
    expect(environments.ledger.namesOf(gone).length).toBeGreaterThan(0);
    expect(await server.end("SIGTERM")).toEqual({ code: 0, signal: null });
  },
  60_000 + rounds * 20_000,
);

it("finishes at a later start what it was destroying when it was killed, and lets nobody in meanwhile", async () => {
  await using directory = await aDirectory();
  const port = await start(directory.path);
  const api = new JsonApi(port);
  const { key } = await api.post("/v1/environments", { name: "E-big-x" });
  const own = new JsonApi(port, key.apiKey);
  await own.post("/v1/queues", { name: "q" });
  // What takes many steps to remove: some 5 ms each.
  const fill = async (_: unknown, worker: number) => {
    for (let n = 0; n < 25; n++) {
      const bodies = Array.from({ length: 10 }, (_, i) => `in E-big-x ${worker}.${n}.${i}`);
      await own.post("/v1/queues/q/send", { messages: bodies.map((body) => ({ body, messageId: body })) });
    }
  };
  await Promise.all(Array.from({ length: 40 }, fill));
  const rowsLeft = () => rowsOf(directory.path).filter((row) => row.includes("E-big-x")).length;
  expect(rowsLeft()).toBeGreaterThan(2 * 10_000);
  const destroyed = api.status("DELETE", "/v1/environments/E-big-x").catch((error: Error) => error.message);
  for (let state = "live"; state !== "destroying"; ) {
    const { environments } = await api.get("/v1/environments");
    ({ state } = environments.find(({ name }: { name: string }) => name === "E-big-x"));
  }
  await server.end("SIGKILL");
  expect(await destroyed).toBe("fetch failed");
  expect(rowsLeft()).toBeGreaterThan(1);
  // Killed as soon as it listens, too: what one start has not finished is for the next one.
  for (let starts = 1; starts <= 2; starts++) {
    await start(directory.path, port);
    expect(await judge(port, key.apiKey)).toBe("refused");
    if (starts === 1) await server.end("SIGKILL");
  }
  await swept(directory.path, ["E-big-x"]);
  await api.post("/v1/environments", { name: "E-big-x" });
  expect(await judge(port, key.apiKey)).toBe("refused");
  await server.end("SIGTERM");
});
