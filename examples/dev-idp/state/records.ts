import { chmodSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Adapter, AdapterPayload } from "oidc-provider";

/** Where the provider keeps sessions, grants, interactions and tokens: one table of one SQLite file. */
export class Records {
  readonly #database: DatabaseSync;

  /** @throws Error when another process uses the file, or it holds something else. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    chmodSync(path, 0o600); // before SQLite makes files beside it, which take their mode from this one
    try {
      this.#database.exec(`
        PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA journal_mode = WAL;
        BEGIN EXCLUSIVE;
        CREATE TABLE IF NOT EXISTS records (
          model TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL,
          grantId TEXT, uid TEXT, userCode TEXT, expiresAtMs INTEGER,
          PRIMARY KEY (model, id)
        ) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS byGrantId ON records (model, grantId);
        CREATE INDEX IF NOT EXISTS byUid ON records (model, uid);
        CREATE INDEX IF NOT EXISTS byExpiry ON records (expiresAtMs);
        COMMIT;`);
    } catch (error) {
      this.#database.close();
      if (/not a database|malformed/.test(String(error))) {
        throw new Error(`${path} does not hold the records of an identity provider: delete it, and sign in again`);
      }
      if (!/locked/.test(String(error))) throw error;
      throw new Error(`${path} is in use by another identity provider: stop it, or choose another DATA_DIR`);
    }
  }

  /** The records of one kind, as the provider asks for them. What has expired is not found. */
  adapter(model: string): Adapter {
    const prepare = (sql: string) => this.#database.prepare(sql);
    const select = (column: "id" | "uid" | "userCode") =>
      prepare(`SELECT payload FROM records WHERE model = ? AND ${column} = ? AND ifnull(expiresAtMs, 9e15) > ?`);
    const found = (statement: StatementSync, key: string): AdapterPayload | undefined => {
      const row = statement.get(model, key, Date.now());
      return row && (JSON.parse(row.payload as string) as AdapterPayload);
    };
    const byId = select("id");
    const byUid = select("uid");
    const byUserCode = select("userCode");
    const upsert = prepare("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?)");
    const consume = prepare(
      "UPDATE records SET payload = json_set(payload, '$.consumed', unixepoch()) WHERE model = ? AND id = ?",
    );
    const destroy = prepare("DELETE FROM records WHERE model = ? AND id = ?");
    // Of this model only: the interaction that signs another user in names the grant that it revokes.
    const revoke = prepare("DELETE FROM records WHERE model = ? AND grantId = ?");
    return {
      async upsert(id, payload, expiresInS) {
        const { grantId = null, uid = null, userCode = null } = payload;
        const expiresAtMs = expiresInS === undefined ? null : Date.now() + expiresInS * 1000;
        upsert.run(model, id, JSON.stringify(payload), grantId, uid, userCode, expiresAtMs);
      },
      find: async (id) => found(byId, id),
      findByUid: async (uid) => found(byUid, uid),
      findByUserCode: async (userCode) => found(byUserCode, userCode),
      consume: async (id) => void consume.run(model, id),
      destroy: async (id) => void destroy.run(model, id),
      revokeByGrantId: async (grantId) => void revoke.run(model, grantId),
    };
  }

  /** Deletes what has expired. */
  sweep(): void {
    this.#database.prepare("DELETE FROM records WHERE expiresAtMs <= ?").run(Date.now());
  }

  close(): void {
    this.#database.close();
  }
}
