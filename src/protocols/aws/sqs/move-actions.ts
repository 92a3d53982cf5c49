import { Buffer } from "node:buffer";
import { TodokuError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import type { QueueMove } from "../../../domain/queues/move.ts";
import type { Action } from "./action.ts";
import { resourceNotFound } from "./errors.ts";
import { type Fields, optionalInteger, optionalText, text } from "./fields.ts";
import { arnOf, queueOfArn } from "./names.ts";

const { move: bounds } = limits.queue;

/** Moves of dead letters: AWS calls them message-move tasks. */
export const moveActions: Readonly<Record<string, Action>> = {
  async StartMessageMoveTask({ input, principal, queueMoves }) {
    const source = queueOfArn("SourceArn", text(input, "SourceArn"));
    const destination = optionalText(input, "DestinationArn");
    const request = {
      to: destination === undefined ? undefined : queueOfArn("DestinationArn", destination),
      perSecond: optionalInteger(input, "MaxNumberOfMessagesPerSecond", 1, bounds.perSecondMax),
    };
    const move = await queueMoves.begin(principal, source, request).catch(missing);
    return { TaskHandle: handleOf(move) };
  },
  async ListMessageMoveTasks({ input, principal, queueMoves, region }) {
    const source = queueOfArn("SourceArn", text(input, "SourceArn"));
    const most = optionalInteger(input, "MaxResults", 1, bounds.keptPerSource) ?? 1;
    const moves = await queueMoves.list(principal, source).catch(missing);
    return { Results: moves.slice(0, most).map((move) => toResult(move, region)) };
  },
  async CancelMessageMoveTask({ input, principal, queueMoves }) {
    const { source, id } = parseHandle(text(input, "TaskHandle"));
    const { moved } = await queueMoves.cancel(principal, source, id).catch(missing);
    return { ApproximateNumberOfMessagesMoved: moved };
  },
};

/** Of these actions alone AWS calls a queue that is not there a resource. */
function missing(error: unknown): never {
  throw error instanceof TodokuError && error.code === "not_found" ? resourceNotFound(error.message) : error;
}

/** Only one that is running has a handle: there is nothing that it could be used for afterwards. */
function toResult(move: QueueMove, region: string): Fields {
  const { source, to, perSecond, status, moved, toMove, startedAtMs } = move;
  return {
    TaskHandle: status === "running" ? handleOf(move) : undefined,
    Status: status.toUpperCase(),
    SourceArn: arnOf(source, region),
    DestinationArn: to === undefined ? undefined : arnOf(to, region),
    MaxNumberOfMessagesPerSecond: perSecond,
    ApproximateNumberOfMessagesMoved: moved,
    ApproximateNumberOfMessagesToMove: toMove,
    FailureReason: status === "failed" ? "AWS.SimpleQueueService.NonExistentQueue" : undefined,
    StartedTimestamp: startedAtMs,
  };
}

function handleOf({ source, id }: QueueMove): string {
  return Buffer.from(JSON.stringify({ taskId: id, source })).toString("base64");
}

function parseHandle(handle: string): { readonly source: string; readonly id: string } {
  try {
    const { taskId, source } = JSON.parse(Buffer.from(handle, "base64").toString());
    if (typeof taskId === "string" && typeof source === "string") return { source, id: taskId };
  } catch {
    // no handle
  }
  throw resourceNotFound("The task handle is not one that StartMessageMoveTask gave.");
}
