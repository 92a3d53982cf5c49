import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Counters of the file itself, which belong to no environment. */
const counters = ["meta", "probe"];

/** Every row of every table of a data directory, as one text each: a table that is made later is looked at too. */
export function rowsOf(dataDir: string): string[] {
  const db = new DatabaseSync(join(dataDir, "todoku.db"), { readOnly: true });
  try {
    const tables = db
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
      .all()
      .map(({ name }) => String(name))
      .filter((name) => !counters.includes(name));
    return tables
      .flatMap((table) =>
        db
          .prepare(`SELECT * FROM ${table}`)
          .all()
          .map((row) => `${table} ${toText(row)}`),
      )
      .sort();
  } finally {
    db.close();
  }
}

function toText(row: Record<string, unknown>): string {
  return JSON.stringify(row, (_, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
  );
}

/** Columns that say whose a row is, and where that one stands. */
const owners: readonly (readonly [table: string, column: string, owner: string])[] = [
  ["topics", "environment", "SELECT id FROM environments"],
  ["topics", "cache_id", "SELECT id FROM records WHERE kind = 'cache'"],
  ["topic_items", "topic_id", "SELECT id FROM topics"],
  ["message_ids", "topic_id", "SELECT id FROM topics"],
  ["items", "environment", "SELECT id FROM environments"],
  ["items", "cache_id", "SELECT id FROM records WHERE kind = 'cache'"],
  ["list_elements", "collection", "SELECT collection FROM items WHERE collection IS NOT NULL"],
  ["freed_collections", "collection", "SELECT 0 WHERE FALSE"],
  ["queues", "environment", "SELECT id FROM environments"],
  ["queues", "queue_id", "SELECT id FROM records WHERE kind = 'queue'"],
  ["queue_messages", "row >> 44", "SELECT queue FROM queues"],
  ["queue_bodies", "row", "SELECT row FROM queue_messages"],
  ["queue_message_ids", "queue", "SELECT queue FROM queues"],
  ["subscriptions", "environment", "SELECT id FROM environments"],
  ["subscriptions", "id", "SELECT id FROM records WHERE kind = 'subscription'"],
  ["subscription_deliveries", "row >> 20", "SELECT id FROM subscriptions"],
  ["subscription_failures", "row >> 20", "SELECT id FROM subscriptions"],
  ["dead_letters", "environment", "SELECT id FROM environments"],
  ["dead_letters", "subscription", "SELECT id FROM subscriptions"],
  ["environments", "name", "SELECT environment FROM records WHERE kind = 'environment'"],
  ["records", "environment", "SELECT environment FROM records WHERE kind = 'environment'"],
  ["forgotten", "id", "SELECT 0 WHERE FALSE"],
];

/** How many rows of each table belong to what is not there, and what is still to be freed. */
export function orphansOf(dataDir: string): string[] {
  const db = new DatabaseSync(join(dataDir, "todoku.db"), { readOnly: true });
  try {
    return owners.flatMap(([table, column, owner]) => {
      const row = db.prepare(`SELECT count(*) AS n FROM ${table} WHERE ${column} NOT IN (${owner})`).get();
      return row?.n === 0 ? [] : [`${row?.n} of ${table} without ${column}`];
    });
  } finally {
    db.close();
  }
}
