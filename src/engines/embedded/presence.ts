import type { Announced, PresenceStore } from "../../domain/connections/store.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { Storage } from "./storage.ts";

/** Who was announced as what, in a data directory. */
export function createDiskPresence(storage: Storage): PresenceStore {
  function write<T>(
    name: "announce" | "told" | "sweep",
    items: number,
    encode: (op: FieldWriter) => void,
    decode: (answer: FieldReader) => T,
  ): Promise<T> {
    return storage.writes.submit({ name: `presence.${name}`, items, bytes: 0, encode, decode });
  }

  return {
    announce(batch) {
      const encode = (op: FieldWriter) => {
        op.put(batch.length);
        for (const { environment, userId, status, atMs } of batch) {
          op.put(environment);
          op.put(userId);
          op.put(Number(status === "ONLINE"));
          op.put(atMs);
        }
      };
      return write("announce", batch.length, encode, (answer) => batch.map(() => answer.number()));
    },
    told(batch) {
      const encode = (op: FieldWriter) => {
        op.put(batch.length);
        for (const { environment, userId, seq } of batch) {
          op.put(environment);
          op.put(userId);
          op.put(seq);
        }
      };
      return write("told", batch.length, encode, () => undefined);
    },
    read(after, limit) {
      const encode = (op: FieldWriter) => {
        op.put(after?.environment ?? null);
        op.put(after?.userId ?? "");
        op.put(limit);
      };
      return storage.reads.submit({ name: "presence", encode, decode: readRows });
    },
    sweep: (nowMs) =>
      write(
        "sweep",
        1,
        (op) => op.put(nowMs),
        (answer) => answer.number() === 1,
      ),
  };
}

function readRows(answer: FieldReader): Announced[] {
  const rows: Announced[] = [];
  for (let environment = answer.textOrNull(); environment !== null; environment = answer.textOrNull()) {
    const userId = answer.text();
    const status = answer.number() === 1 ? "ONLINE" : "OFFLINE";
    const [seq, atMs, isTold] = [answer.number(), answer.number(), answer.number() === 1];
    rows.push({ environment, userId, status, seq, atMs, isTold });
  }
  return rows;
}
