import type { RecordKey, StoredRecord } from "../records/store.ts";

/** The kind of a move's record, whose name is its id. */
export const moveRecordKind = "queue-move";

/** A move of dead letters that goes on in the background, over restarts too. */
export interface QueueMove {
  readonly environment: string;
  /** A UUID. */
  readonly id: string;
  /** Where messages are taken from. */
  readonly source: string;
  /** Undefined: each message goes back to the queue that it came from. */
  readonly to: string | undefined;
  /** 1..`limits.queue.move.perSecondMax`; undefined: as fast as it goes. */
  readonly perSecond: number | undefined;
  /** `failed`: the queue `to` is gone. */
  readonly status: "running" | "cancelled" | "completed" | "failed";
  /** So far; after a crash a step too few. */
  readonly moved: number;
  /** How many lay in the source at the beginning, hidden ones too; more are not moved. */
  readonly toMove: number;
  /** Wall time. */
  readonly startedAtMs: number;
  /** Grows with each move of the server. */
  readonly number: number;
}

/** A move as it is stored. */
export interface StoredMove extends QueueMove {
  readonly version: number;
}

export function toStoredMove({ environment, name, id, version, document }: StoredRecord): StoredMove {
  const stored = document as unknown as Omit<QueueMove, "environment" | "id" | "number">;
  return { ...stored, to: stored.to, perSecond: stored.perSecond, environment, id: name, number: id, version };
}

/** What is stored of a move beside its key. */
export function toMoveDocument(move: Omit<QueueMove, "environment" | "id" | "number">): StoredRecord["document"] {
  const { source, to, perSecond, status, moved, toMove, startedAtMs } = move;
  return { source, to, perSecond, status, moved, toMove, startedAtMs };
}

export function moveKeyOf({ environment, id }: Pick<QueueMove, "environment" | "id">): RecordKey {
  return { kind: moveRecordKind, environment, name: id };
}
