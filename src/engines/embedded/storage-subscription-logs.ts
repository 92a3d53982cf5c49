import type { DatabaseSync } from "node:sqlite";
import { limits } from "../../domain/limits.ts";

/** What became of items, as the main thread sends it: the columns after `number`, in their order. */
export type LogFields = readonly (string | number | null)[];

/** The last `limits.webhook.logMax` deliveries and failures of each subscription. */
export interface SubscriptionLogs {
  /** `firstNumber`: of the first of them. */
  addDeliveries(id: number, firstNumber: number, entries: readonly LogFields[]): void;
  addFailures(id: number, firstNumber: number, entries: readonly LogFields[]): void;
  /** Frees all of both: at most twice `logMax` rows, 4 ms. */
  free(id: number): void;
}

/** A ring in each table: an entry takes the row of the one that it pushes out, so nothing is ever looked for to be dropped. */
export function createSubscriptionLogs(db: DatabaseSync): SubscriptionLogs {
  const put = (table: string, columns: string) => {
    const places = columns.replace(/[a-z_]+/g, "?");
    return db.prepare(
      `INSERT OR REPLACE INTO subscription_${table} (row, number, ${columns}) VALUES ((? << 20) | ?, ?, ${places})`,
    );
  };
  const delivery = put("deliveries", "topic, page, sequence, outcome, at_ms, attempts, status, latency_ms, is_replay");
  const failure = put("failures", "topic, page, sequence, at_ms, attempt, status, latency_ms, error, answer");
  const drops = ["deliveries", "failures"].map((table) =>
    db.prepare(`DELETE FROM subscription_${table} WHERE row BETWEEN ?1 << 20 AND (?1 << 20) | ((1 << 20) - 1)`),
  );

  function add(statement: typeof delivery, id: number, firstNumber: number, entries: readonly LogFields[]): void {
    for (const [n, fields] of entries.entries()) {
      const number = firstNumber + n;
      statement.get(id, number % limits.webhook.logMax, number, ...fields);
    }
  }

  return {
    addDeliveries: (id, firstNumber, entries) => add(delivery, id, firstNumber, entries),
    addFailures: (id, firstNumber, entries) => add(failure, id, firstNumber, entries),
    free(id) {
      for (const drop of drops) drop.run(id);
    },
  };
}
