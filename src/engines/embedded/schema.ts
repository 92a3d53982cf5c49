import type { DatabaseSync } from "node:sqlite";
import { TodokuError } from "../../domain/errors.ts";

/**
 * Each entry moves the file one `user_version` on. Never change one that was released: add another.
 *
 * `topic_items.row` is `(environment << 44) | n`: items of an environment lie together, oldest first, so trimming by age or
 * by the environment's budget reads from one end. 2^44 items of 2^19 environments: at 100,000/s five years for one environment.
 * `queue_messages.row` is `(queue << 44) | sequence` in the same way; `queue` is a short number, for ids of records have up to 42 bits.
 * Large bodies lie apart, so that a receive, which changes its row, does not write them again.
 * `items` has one row per key whatever its type; leaderboards, which have names of their own, lie under the negative id of their cache. The elements of a collection lie under its number in a table of their own; those of a list that
 * count are from `front` to `back`, the positions of the first and the last. `large_set_elements` has those of sets and sorted sets that are too large for a key (set-elements.ts, element-keys.ts). `sorted_set_blocks` counts the elements of large sorted sets. What `freed_collections` names is dropped in steps.
 * `row` of a subscription's deliveries and failures is `(id << 20) | (number modulo what is kept)`: a new entry takes the place of the oldest.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE records (
    kind TEXT NOT NULL, environment TEXT NOT NULL, name TEXT NOT NULL, id INTEGER NOT NULL, version INTEGER NOT NULL,
    document TEXT NOT NULL, PRIMARY KEY (kind, environment, name)) WITHOUT ROWID;
  CREATE TABLE environments (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, topic_bytes INTEGER NOT NULL, item_bytes INTEGER NOT NULL);
  CREATE TABLE topics (
    id INTEGER PRIMARY KEY AUTOINCREMENT, environment INTEGER NOT NULL, cache_id INTEGER NOT NULL, name TEXT NOT NULL,
    page INTEGER NOT NULL, sequence INTEGER NOT NULL, items INTEGER NOT NULL, bytes INTEGER NOT NULL, UNIQUE (cache_id, name));
  CREATE TABLE topic_items (
    row INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, page INTEGER NOT NULL, sequence INTEGER NOT NULL,
    published_at_ms INTEGER NOT NULL, bytes INTEGER NOT NULL, is_text INTEGER NOT NULL, token_id TEXT NOT NULL,
    attributes TEXT, value BLOB NOT NULL);
  CREATE UNIQUE INDEX topic_items_position ON topic_items (topic_id, page, sequence);
  CREATE TABLE message_ids (
    topic_id INTEGER NOT NULL, message_id TEXT NOT NULL, page INTEGER NOT NULL, sequence INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, PRIMARY KEY (topic_id, message_id)) WITHOUT ROWID;
  CREATE INDEX message_ids_age ON message_ids (at_ms);
  CREATE TABLE items (
    row INTEGER PRIMARY KEY, cache_id INTEGER NOT NULL, environment INTEGER NOT NULL, bytes INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL);
  CREATE UNIQUE INDEX items_key ON items (cache_id, key);
  CREATE INDEX items_expiry ON items (expires_at_ms);
  CREATE TABLE forgotten (cache_id INTEGER NOT NULL, part TEXT NOT NULL, PRIMARY KEY (cache_id, part)) WITHOUT ROWID;
  CREATE TABLE probe (value BLOB);
  `,
  `
  ALTER TABLE environments ADD COLUMN queue_bytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE forgotten RENAME COLUMN cache_id TO id;
  CREATE TABLE queues (
    queue INTEGER PRIMARY KEY, environment INTEGER NOT NULL, queue_id INTEGER NOT NULL UNIQUE, next INTEGER NOT NULL,
    messages INTEGER NOT NULL, bytes INTEGER NOT NULL, taken INTEGER NOT NULL);
  CREATE TABLE queue_messages (
    row INTEGER PRIMARY KEY, queue INTEGER NOT NULL, ready_at_ms INTEGER NOT NULL, receives INTEGER NOT NULL, receipt INTEGER,
    first_received_at_ms INTEGER, sent_at_ms INTEGER NOT NULL, enqueued_at_ms INTEGER NOT NULL, bytes INTEGER NOT NULL,
    message_id TEXT NOT NULL, attributes TEXT, dead_letter TEXT, body TEXT);
  CREATE INDEX queue_messages_ready ON queue_messages (queue, ready_at_ms, receives);
  CREATE TABLE queue_bodies (row INTEGER PRIMARY KEY, body TEXT NOT NULL);
  CREATE TABLE queue_message_ids (
    queue INTEGER NOT NULL, message_id TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (queue, message_id)) WITHOUT ROWID;
  CREATE INDEX queue_message_ids_age ON queue_message_ids (at_ms);
  `,
  `
  ALTER TABLE items ADD COLUMN type INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE items ADD COLUMN collection INTEGER;
  ALTER TABLE items ADD COLUMN elements INTEGER;
  ALTER TABLE items ADD COLUMN front INTEGER;
  ALTER TABLE items ADD COLUMN back INTEGER;
  CREATE UNIQUE INDEX items_collection ON items (collection) WHERE collection IS NOT NULL;
  CREATE TABLE list_elements (
    collection INTEGER NOT NULL, position INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (collection, position)) WITHOUT ROWID;
  CREATE TABLE freed_collections (collection INTEGER PRIMARY KEY, type INTEGER NOT NULL);
  `,
  `
  ALTER TABLE environments ADD COLUMN dead_letter_bytes INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE subscriptions (
    id INTEGER PRIMARY KEY, environment INTEGER NOT NULL, cache_id INTEGER NOT NULL, cache TEXT NOT NULL, topic TEXT NOT NULL,
    page INTEGER NOT NULL, sequence INTEGER NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0,
    replayed INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0, missed INTEGER NOT NULL DEFAULT 0,
    last_delivery INTEGER NOT NULL DEFAULT 0, last_failure INTEGER NOT NULL DEFAULT 0,
    dead_letters INTEGER NOT NULL DEFAULT 0, dead_letter_bytes INTEGER NOT NULL DEFAULT 0,
    replaying INTEGER NOT NULL DEFAULT 0, alarm_history INTEGER NOT NULL DEFAULT 0, alarm_dropped INTEGER NOT NULL DEFAULT 0,
    pending TEXT NOT NULL);
  CREATE INDEX subscriptions_topic ON subscriptions (cache_id, topic);
  CREATE INDEX subscriptions_alarm ON subscriptions (id) WHERE alarm_history + alarm_dropped > 0;
  CREATE TABLE subscription_deliveries (
    row INTEGER PRIMARY KEY, number INTEGER NOT NULL, topic TEXT NOT NULL, page INTEGER NOT NULL, sequence INTEGER NOT NULL,
    outcome TEXT NOT NULL, at_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, status INTEGER, latency_ms INTEGER NOT NULL,
    is_replay INTEGER NOT NULL);
  CREATE TABLE subscription_failures (
    row INTEGER PRIMARY KEY, number INTEGER NOT NULL, topic TEXT NOT NULL, page INTEGER NOT NULL, sequence INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, attempt INTEGER NOT NULL, status INTEGER, latency_ms INTEGER NOT NULL, error TEXT NOT NULL,
    answer TEXT);
  CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT, subscription INTEGER NOT NULL, environment INTEGER NOT NULL, bytes INTEGER NOT NULL,
    is_replaying INTEGER NOT NULL, reason TEXT NOT NULL, died_at_ms INTEGER NOT NULL, attempts INTEGER NOT NULL,
    error TEXT NOT NULL, status INTEGER, topic TEXT NOT NULL, page INTEGER NOT NULL, sequence INTEGER NOT NULL,
    published_at_ms INTEGER NOT NULL, is_text INTEGER NOT NULL, token_id TEXT NOT NULL, attributes TEXT, value BLOB NOT NULL);
  CREATE INDEX dead_letters_subscription ON dead_letters (subscription, id);
  CREATE INDEX dead_letters_replaying ON dead_letters (subscription, id) WHERE is_replaying = 1;
  CREATE INDEX dead_letters_topic ON dead_letters (subscription, topic);
  CREATE INDEX dead_letters_age ON dead_letters (environment, died_at_ms);
  `,
  `
  CREATE TABLE dictionary_elements (
    row INTEGER PRIMARY KEY, collection INTEGER NOT NULL, key BLOB NOT NULL, field BLOB, value BLOB NOT NULL);
  CREATE UNIQUE INDEX dictionary_elements_key ON dictionary_elements (collection, key);
  CREATE TABLE set_elements (
    collection INTEGER NOT NULL, element BLOB NOT NULL, large INTEGER, PRIMARY KEY (collection, element)) WITHOUT ROWID;
  CREATE TABLE large_set_elements (id INTEGER PRIMARY KEY, value BLOB NOT NULL);
  CREATE TRIGGER set_elements_large AFTER DELETE ON set_elements WHEN old.large IS NOT NULL BEGIN
    DELETE FROM large_set_elements WHERE id = old.large; END;
  CREATE TABLE sorted_set_elements (
    collection INTEGER NOT NULL, element BLOB NOT NULL, score REAL NOT NULL, large INTEGER, PRIMARY KEY (collection, element)) WITHOUT ROWID;
  CREATE INDEX sorted_set_order ON sorted_set_elements (collection, score, element, large);
  CREATE TRIGGER sorted_set_elements_large AFTER DELETE ON sorted_set_elements WHEN old.large IS NOT NULL BEGIN
    DELETE FROM large_set_elements WHERE id = old.large; END;
  CREATE TABLE sorted_set_blocks (
    collection INTEGER NOT NULL, score REAL NOT NULL, element BLOB NOT NULL, elements INTEGER NOT NULL,
    PRIMARY KEY (collection, score, element)) WITHOUT ROWID;
  ALTER TABLE list_elements RENAME TO keyed_list_elements;
  CREATE TABLE list_elements (
    row INTEGER PRIMARY KEY, collection INTEGER NOT NULL, position INTEGER NOT NULL, value BLOB NOT NULL);
  INSERT INTO list_elements (collection, position, value) SELECT collection, position, value FROM keyed_list_elements;
  DROP TABLE keyed_list_elements;
  CREATE UNIQUE INDEX list_elements_position ON list_elements (collection, position);
  UPDATE environments SET item_bytes = item_bytes + (
    SELECT coalesce(sum(8 * elements), 0) FROM items WHERE collection IS NOT NULL AND type = 3 AND environment = environments.id);
  UPDATE items SET bytes = bytes + 8 * elements WHERE collection IS NOT NULL AND type = 3;
  `,
  `
  CREATE TABLE presence (
    environment INTEGER NOT NULL, user_id TEXT NOT NULL, is_online INTEGER NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    is_told INTEGER NOT NULL, PRIMARY KEY (environment, user_id)) WITHOUT ROWID;
  CREATE INDEX presence_age ON presence (at_ms) WHERE is_online = 0 AND is_told = 1;
  `,
  `
  ALTER TABLE queue_messages ADD COLUMN sender TEXT NOT NULL DEFAULT '';
  ALTER TABLE queue_messages ADD COLUMN trace_header TEXT;
  `,
];

/** The `user_version` that this program writes. */
export const schemaVersion: number = migrations.length;

/** Brings the file to {@link schemaVersion}. @throws TodokuError `failed_precondition` when a newer program wrote it. */
export function migrate(db: DatabaseSync): void {
  const version = Number(db.prepare("PRAGMA user_version").get()?.user_version ?? 0);
  if (version > schemaVersion) {
    throw new TodokuError(
      "failed_precondition",
      `the data file has version ${version}; this Todoku knows versions up to ${schemaVersion}: start the newer program, or restore a backup`,
    );
  }
  for (let next = version; next < schemaVersion; next++) {
    db.exec(`BEGIN IMMEDIATE; ${migrations[next]}; PRAGMA user_version = ${next + 1}; COMMIT`);
  }
}

/** A value of `meta`, as a number. */
export function readMeta(db: DatabaseSync, key: string): number | undefined {
  const row = db.prepare("SELECT value FROM meta WHERE key = ?").get(key);
  return row === undefined ? undefined : Number(row.value);
}

/** Sets a value of `meta`. */
export function writeMeta(db: DatabaseSync, key: string, value: number): void {
  db.prepare("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value").run(
    key,
    value,
  );
}
