import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedEngine, openEmbeddedEngine } from "../../src/engines/embedded/index.ts";

type EngineOptions = Omit<Parameters<typeof openEmbeddedEngine>[0], "dataDir">;

const recordKinds = [
  ...["api-key", "cache", "data-key", "environment", "queue", "queue-move"],
  ...["notification-cursor", "revocation", "secret", "signing-key", "subscription"],
];

/**
 * An embedded engine in a directory of its own. Opening one starts two threads (100 ms of a core), so a test file opens one for all its
 * tests, and empties it after each.
 */
export async function anEngine(options: EngineOptions) {
  const dataDir = await mkdtemp(join(tmpdir(), "todoku-engine-"));
  let engine = await openEmbeddedEngine({ dataDir, ...options });
  return {
    /** The one that is open: another one after a `restart`. */
    get engine(): EmbeddedEngine {
      return engine;
    },
    /** Closes it and opens it again; what was made over it before is of no use any more. */
    async restart(): Promise<void> {
      await engine.close();
      engine = await openEmbeddedEngine({ dataDir, ...options });
    },
    /** Removes every record, and so what lies in caches, queues and subscriptions; and who was announced. */
    async empty(): Promise<void> {
      const { records, environments, presence } = engine;
      const all = (await Promise.all(recordKinds.map((kind) => records.list(kind)))).flat();
      await Promise.all(all.map((record) => records.remove(record)));
      const left = await environments.names();
      if (left.length > 0) throw new Error(`records of another kind are left in ${left}`);
      for (
        let open = await presence.read(undefined, 1000);
        open.length > 0;
        open = await presence.read(undefined, 1000)
      ) {
        const offline = open.map((row) => ({ ...row, status: "OFFLINE" as const, atMs: 0 }));
        const seqs = await presence.announce(offline);
        await presence.told(offline.map((row, n) => ({ ...row, seq: seqs[n] ?? 0 })));
      }
      while (await presence.sweep(Number.MAX_SAFE_INTEGER));
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await engine.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** What {@link anEngine} answers. */
export type TestEngine = Awaited<ReturnType<typeof anEngine>>;
