import type { DatabaseSync } from "node:sqlite";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { StorageLedger } from "./storage-ledger.ts";

/** Applies record operations in the storage thread. Each answers `ok`, or an error code and a sentence. */
export interface RecordWriter {
  create(op: FieldReader, answer: FieldWriter): void;
  replace(op: FieldReader, answer: FieldWriter): void;
  renew(op: FieldReader, answer: FieldWriter): void;
  remove(op: FieldReader, answer: FieldWriter): void;
}

/** Ids come from the ledger: unique in the file, growing. */
export function createRecordWriter(db: DatabaseSync, ledger: StorageLedger): RecordWriter {
  const select = db.prepare("SELECT id, version FROM records WHERE kind = ? AND environment = ? AND name = ?");
  const insert = db.prepare(
    "INSERT INTO records (kind, environment, name, id, version, document) VALUES (?, ?, ?, ?, 1, ?)",
  );
  const update = db.prepare(
    "UPDATE records SET version = ?, document = ? WHERE kind = ? AND environment = ? AND name = ?",
  );
  const setId = db.prepare("UPDATE records SET id = ? WHERE kind = ? AND environment = ? AND name = ?");
  const drop = db.prepare("DELETE FROM records WHERE kind = ? AND environment = ? AND name = ?");

  function fail(answer: FieldWriter, code: string, message: string): void {
    answer.put(code);
    answer.put(message);
  }

  return {
    create(op, answer) {
      const [kind, environment, name, document] = [op.text(), op.text(), op.text(), op.text()];
      if (select.get(kind, environment, name)) return fail(answer, "already_exists", `${kind} ${name} already exists`);
      if (kind === "environment") ledger.openEnvironment(environment);
      else if (ledger.isClosed(environment)) {
        return fail(answer, "not_found", `environment "${environment}" does not exist`);
      }
      const id = ledger.nextId++;
      insert.run(kind, environment, name, id, document);
      ledger.addRecord(kind, id);
      answer.put("ok");
      answer.put(id);
    },
    replace(op, answer) {
      const [kind, environment, name, document] = [op.text(), op.text(), op.text(), op.text()];
      const expected = op.number();
      const old = select.get(kind, environment, name);
      if (!old) return fail(answer, "not_found", `${kind} ${name} does not exist`);
      if (old.version !== expected) {
        return fail(answer, "failed_precondition", `${kind} ${name} has version ${old.version}, not ${expected}`);
      }
      update.run(expected + 1, document, kind, environment, name);
      answer.put("ok");
    },
    renew(op, answer) {
      const [kind, environment, name] = [op.text(), op.text(), op.text()];
      const old = select.get(kind, environment, name);
      if (!old) return fail(answer, "not_found", `${kind} ${name} does not exist`);
      const id = ledger.nextId++;
      setId.run(id, kind, environment, name);
      ledger.removeRecord(kind, Number(old.id));
      ledger.addRecord(kind, id);
      answer.put("ok");
      answer.put(id);
    },
    remove(op, answer) {
      const [kind, environment, name] = [op.text(), op.text(), op.text()];
      const old = select.get(kind, environment, name);
      if (old) {
        ledger.removeRecord(kind, Number(old.id));
        drop.run(kind, environment, name);
      }
      answer.put("ok");
    },
  };
}
