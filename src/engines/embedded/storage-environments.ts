import type { DatabaseSync } from "node:sqlite";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { StorageLedger, StoredPart } from "./storage-ledger.ts";
import { partsOf } from "./storage-ledger.ts";

/** How long one step frees rows, so that a commit behind it stays short. */
const stepMs = 5;

/** What a step of forgetting came to. `absent`: its record has another id or is gone, nothing was touched. */
export type ForgetOutcome = "absent" | "more" | "done";

/** `free`: one bounded step per part over what was forgotten; true while there is more. `freePresence`: the same for one environment. */
export function createEnvironmentForgetter(
  db: DatabaseSync,
  ledger: StorageLedger,
  free: Readonly<Record<StoredPart, () => boolean>>,
  freePresence: (environment: string) => boolean,
): (op: FieldReader, answer: FieldWriter) => void {
  const own = db.prepare("SELECT id FROM records WHERE kind = 'environment' AND environment = ?1 AND name = ?1");
  const nextKind = db.prepare("SELECT kind FROM records WHERE kind > ? ORDER BY kind LIMIT 1");
  const idsOf = db.prepare("SELECT id FROM records WHERE kind = ? AND environment = ?");
  const drop = db.prepare("DELETE FROM records WHERE kind = ? AND environment = ?");

  /** All but its own; `removed` counts them. */
  function removeRecords(environment: string): number {
    let removed = 0;
    for (let row = nextKind.get(""); row !== undefined; row = nextKind.get(row.kind as string)) {
      const kind = String(row.kind);
      if (kind === "environment") continue;
      if (Object.hasOwn(partsOf, kind)) {
        for (const { id } of idsOf.all(kind, environment)) ledger.removeRecord(kind, Number(id));
      }
      removed += Number(drop.run(kind, environment).changes);
    }
    return removed;
  }

  /** True when there is more. */
  function freeRows(environment: string): boolean {
    const endMs = performance.now() + stepMs;
    for (;;) {
      const hasMore = [
        free.topics(),
        free.items(),
        free.messages(),
        free.cursors(),
        freePresence(environment),
      ].includes(true);
      if (!hasMore || performance.now() >= endMs) return hasMore;
    }
  }

  /** Answers a {@link ForgetOutcome} and how many other records were removed. */
  return (op, answer) => {
    const [environment, id] = [op.text(), op.number()];
    const put = (outcome: ForgetOutcome, removed: number) => {
      answer.put(outcome);
      answer.put(removed);
    };
    if (Number(own.get(environment)?.id) !== id) return put("absent", 0);
    ledger.closeEnvironment(environment);
    const removed = removeRecords(environment);
    if (freeRows(environment)) return put("more", removed);
    drop.run("environment", environment);
    ledger.dropEnvironment(environment);
    put("done", removed);
  };
}
