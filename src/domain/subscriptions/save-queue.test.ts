import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openEmbeddedEngine } from "../../engines/embedded/index.ts";
import { silentLog } from "../../lib/log.ts";
import { limits } from "../limits.ts";
import { SaveQueue } from "./save-queue.ts";
import type { SubscriptionChange } from "./store.ts";

it("what many have to save goes to the disk in parts, although others write all the time", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "todoku-saves-"));
  const engine = await openEmbeddedEngine({ dataDir, wallMs: Date.now });
  const bytes = new Uint8Array(limits.messageMaxBytes);
  const place = { page: 1, sequence: 1 };
  const item = { ...place, value: { isText: false, bytes }, attributes: undefined, tokenId: "", publishedAtMs: 1 };
  const letter = { topic: "t", item, reason: "refused", diedAtMs: 1, attempts: 1, error: "", status: 404 } as const;
  let nextTry = () => {};
  const wheel = {
    schedule(_ms: number, run: () => void) {
      nextTry = run;
      return { cancel() {} };
    },
  };
  const saves = new SaveQueue(engine.subscriptions, wheel, silentLog);
  let saved = 0;
  const changes: SubscriptionChange[] = [];
  for (let n = 0; n < 3; n++) {
    const { id } = await engine.records.create({ kind: "subscription", environment: "dev", name: `w${n}` }, {});
    const change: SubscriptionChange = {
      key: { environment: "dev", id },
      dead: Array.from({ length: 96 }, () => letter),
    };
    changes.push(change);
  }
  for (const change of changes) saves.changed({ takeChange: () => change, saved: () => saved++ }, "now");
  // Somebody always has a small write under way.
  for (let n = 0; n < 20 && saved < 3; n++) {
    const other = engine.records.create({ kind: "other", environment: "dev", name: `${n}` }, {});
    nextTry();
    await saves.flush();
    await other;
  }
  await engine.close();
  rmSync(dataDir, { recursive: true });
  expect(saved).toBe(3);
});
