import { type ErrorCode, TodokuError } from "../../domain/errors.ts";

/**
 * What a failed batch means for the engine. `open`: only this batch is lost. `refusing`: no room, may pass. `failed`: what the
 * disk holds is not known any more, so never write again.
 */
export interface StorageFailure {
  readonly status: "open" | "refusing" | "failed";
  readonly code: ErrorCode;
  readonly message: string;
}

const sqlite = { busy: 5, noMemory: 7, readOnly: 8, ioError: 10, corrupt: 11, full: 13, cantOpen: 14, notDatabase: 26 };

/** SQLITE_IOERR_SHMSIZE: the WAL index could not grow, which on Linux means a full disk. */
const ioErrorShmSize = 4874;

/** Sorts an error of SQLite, or of our own code, by what may still be done. */
export function classifyFailure(error: unknown): StorageFailure {
  if (error instanceof TodokuError) return { status: "open", code: error.code, message: error.message };
  const { errcode, message } = error as { errcode?: number; message?: string };
  const text = `${message ?? error}${errcode === undefined ? "" : ` (SQLite ${errcode})`}`;
  if (errcode === undefined) return { status: "open", code: "internal", message: text };
  const primary = errcode & 0xff;
  if (primary === sqlite.full || primary === sqlite.readOnly || errcode === ioErrorShmSize) {
    return { status: "refusing", code: "unavailable", message: `the disk takes no writes: ${text}` };
  }
  if ([sqlite.ioError, sqlite.corrupt, sqlite.cantOpen, sqlite.notDatabase].includes(primary)) {
    return { status: "failed", code: "unavailable", message: `the data file cannot be trusted: ${text}` };
  }
  if (primary === sqlite.busy || primary === sqlite.noMemory) {
    return { status: "open", code: "unavailable", message: `the storage is busy: ${text}` };
  }
  return { status: "open", code: "internal", message: text };
}
