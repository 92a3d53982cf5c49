import type { DatabaseSync } from "node:sqlite";
import { TodokuError } from "../../domain/errors.ts";

/**
 * Takes back what `work` wrote when it throws a TodokuError, so that an operation may find out by writing that it goes too far. Any other error
 * ends the transaction, and perhaps already has.
 */
export function createUndoable(db: DatabaseSync): (work: () => void) => void {
  const [begin, undo, end] = [db.prepare("SAVEPOINT work"), db.prepare("ROLLBACK TO work"), db.prepare("RELEASE work")];
  return (work) => {
    begin.get();
    try {
      work();
    } catch (error) {
      if (!(error instanceof TodokuError)) throw error;
      undo.get();
      end.get();
      throw error;
    }
    end.get();
  };
}
