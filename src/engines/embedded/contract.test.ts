import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bus, silentBus } from "../../domain/bus.ts";
import { collectionContract } from "../../domain/cache/collection.contract.ts";
import { dictionaryKind, dictionaryStoreContract } from "../../domain/cache/dictionary-store.contract.ts";
import { listStoreContract } from "../../domain/cache/list-store.contract.ts";
import { setKind, setStoreContract } from "../../domain/cache/set-store.contract.ts";
import { sortedSetKind, sortedSetStoreContract } from "../../domain/cache/sorted-set-store.contract.ts";
import { itemStoreContract } from "../../domain/cache/store.contract.ts";
import { itemChangesContract } from "../../domain/cache/store-changes.contract.ts";
import { presenceStoreContract } from "../../domain/connections/store.contract.ts";
import type { Engine } from "../../domain/engine.ts";
import { environmentStoreContract } from "../../domain/environments/store.contract.ts";
import { queueStoreContract } from "../../domain/queues/store.contract.ts";
import { type EngineSubject, recordStoreContract, type SubjectOptions } from "../../domain/records/store.contract.ts";
import { subscriptionStoreContract } from "../../domain/subscriptions/store.contract.ts";
import { topicStoreContract } from "../../domain/topics/store.contract.ts";
import { backupDataDirectory, type EmbeddedEngine, openEmbeddedEngine } from "./index.ts";

/** Drops every third hint, doubles the rest: stores must not need a bus at all. */
function faultyBus(): Bus {
  const listeners = new Set<Parameters<Bus["listen"]>[0]>();
  let sent = 0;
  return {
    send(hint) {
      if (++sent % 3 === 0) return;
      for (const listener of [...listeners, ...listeners]) setImmediate(listener, hint);
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

async function open(options: SubjectOptions = {}): Promise<EngineSubject> {
  const root = mkdtempSync(join(tmpdir(), "todoku-contract-"));
  let restores = 0;
  let engine: EmbeddedEngine;
  let handles: [Engine, Engine];

  async function start(): Promise<void> {
    engine = await openEmbeddedEngine({
      dataDir: join(root, `data${restores}`),
      wallMs: Date.now,
      bus: silentBus,
      ...(options.history && { history: options.history, memoryHistory: options.history }),
      ...(options.itemsEnvironmentMaxBytes && {
        itemsEnvironmentMaxBytes: options.itemsEnvironmentMaxBytes,
        memoryItems: { ...options.memoryItems, environmentMaxBytes: options.itemsEnvironmentMaxBytes },
      }),
      ...(options.queuesEnvironmentMaxBytes && { queuesEnvironmentMaxBytes: options.queuesEnvironmentMaxBytes }),
      ...(options.deadLetters && { deadLetters: options.deadLetters }),
    });
    handles = [engine, engine.secondHandle(faultyBus())];
  }

  await start();
  return {
    get handles() {
      return handles;
    },
    async reopen() {
      await engine.close();
      await start();
    },
    async restore(meanwhile) {
      const copy = join(root, `backup${restores}`);
      await backupDataDirectory(join(root, `data${restores}`), copy);
      await meanwhile();
      await engine.close();
      restores++;
      mkdirSync(join(root, `data${restores}`));
      copyFileSync(copy, join(root, `data${restores}`, "todoku.db"));
      await start();
    },
    async close() {
      await engine.close();
      rmSync(root, { recursive: true });
    },
  };
}

recordStoreContract("the embedded engine", open);
environmentStoreContract("the embedded engine", open);
queueStoreContract("the embedded engine", open);
subscriptionStoreContract("the embedded engine", open);
presenceStoreContract("the embedded engine", open);
for (const durability of ["disk", "memory"] as const) {
  topicStoreContract(`the embedded engine (${durability})`, durability, open);
  itemStoreContract(`the embedded engine (${durability})`, durability, open);
  itemChangesContract(`the embedded engine (${durability})`, durability, open);
  listStoreContract(`the embedded engine (${durability})`, durability, open);
  collectionContract(`the embedded engine (${durability})`, durability, dictionaryKind(durability), open);
  dictionaryStoreContract(`the embedded engine (${durability})`, durability, open);
  collectionContract(`the embedded engine (${durability})`, durability, setKind(durability), open);
  setStoreContract(`the embedded engine (${durability})`, durability, open);
  collectionContract(`the embedded engine (${durability})`, durability, sortedSetKind(durability), open);
  sortedSetStoreContract(`the embedded engine (${durability})`, durability, open);
}
