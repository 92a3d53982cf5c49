import { TodokuError } from "../errors.ts";

/** Somebody else changed the record, or made or removed it, since it was read. */
export function isConflict(error: unknown): boolean {
  const codes = ["failed_precondition", "not_found", "already_exists"];
  return error instanceof TodokuError && codes.includes(error.code);
}
