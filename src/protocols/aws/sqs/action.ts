import type { QueueMessages } from "../../../domain/queues/messages.ts";
import type { QueueMoves } from "../../../domain/queues/moves.ts";
import type { Queues } from "../../../domain/queues/queues.ts";
import type { AwsCall } from "../call.ts";
import type { Fields } from "./fields.ts";

/** What SQS needs of the server. */
export interface SqsParts {
  readonly queues: Queues;
  readonly queueMessages: QueueMessages;
  readonly queueMoves: QueueMoves;
}

/** A call as actions see it, whichever wire it came over. */
export interface SqsCall extends SqsParts, Pick<AwsCall, "principal" | "region" | "baseUrl" | "receiver" | "wire"> {
  /** In the shape of JSON. */
  readonly input: Fields;
}

/** Answers in the shape of JSON; undefined: there is nothing to say. @throws AwsError, TodokuError. */
export type Action = (call: SqsCall) => Promise<Fields | undefined>;
