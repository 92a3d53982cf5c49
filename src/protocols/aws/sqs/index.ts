import type { AwsAnswer, AwsCall, AwsService } from "../call.ts";
import { unknownAction } from "../errors.ts";
import type { AwsOptions } from "../options.ts";
import { responseXml } from "../xml.ts";
import type { Action, SqsParts } from "./action.ts";
import { batchActions } from "./batch-actions.ts";
import { toSqsError } from "./errors.ts";
import { messageActions } from "./message-actions.ts";
import { moveActions } from "./move-actions.ts";
import { toInput } from "./query-input.ts";
import { toElements } from "./query-output.ts";
import { queueActions } from "./queue-actions.ts";

const actions: Readonly<Record<string, Action>> = {
  ...queueActions,
  ...messageActions,
  ...batchActions,
  ...moveActions,
};

/** SQS, on both of its wires: JSON 1.0, and the query protocol of older clients. */
export function createSqs({
  queues,
  queueMessages,
  queueMoves,
}: Pick<AwsOptions, "queues" | "queueMessages" | "queueMoves">): AwsService {
  const parts: SqsParts = { queues, queueMessages, queueMoves };
  return {
    async handle(call) {
      const action = Object.hasOwn(actions, call.action) ? actions[call.action] : undefined;
      if (!action) throw unknownAction(call.action, "SQS");
      const { principal, region, baseUrl, receiver, wire } = call;
      const input = wire === "query" ? toInput(call.form, call.rawPath) : call.input;
      return render(call, await action({ ...parts, principal, region, baseUrl, receiver, wire, input }));
    },
    toAwsError: toSqsError,
  };
}

function render(call: AwsCall, output: Awaited<ReturnType<Action>>): AwsAnswer {
  if (call.wire === "query") return { body: responseXml(call, output && toElements(call.action, output)) };
  return { body: JSON.stringify(output ?? {}) };
}
