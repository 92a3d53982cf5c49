// Makes one backup. VACUUM INTO is one read transaction: writers go on, and unlike SQLite's step-wise backup it does not begin
// again with each of their commits.
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { openForReading } from "./database.ts";
import { writeMeta } from "./schema.ts";

function backup(source: string, target: string): string | undefined {
  const from = openForReading(source);
  try {
    from.exec("PRAGMA query_only = 0");
    from.prepare("VACUUM INTO ?").run(target);
  } finally {
    from.close();
  }
  const copy = new DatabaseSync(target);
  try {
    writeMeta(copy, "restored", 1);
    const verdict = copy.prepare("PRAGMA quick_check").get()?.quick_check;
    return verdict === "ok" ? undefined : `the copy is damaged: ${verdict}`;
  } finally {
    copy.close();
  }
}

try {
  parentPort?.postMessage({ problem: backup(workerData.source, workerData.target) });
} catch (error) {
  parentPort?.postMessage({ problem: (error as Error).message });
}
