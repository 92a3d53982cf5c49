import { z } from "zod";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { SendResult } from "../../domain/queues/store.ts";
import { watchClient } from "../../lib/client-presence.ts";
import { giveBackUnread } from "../unread-receives.ts";
import { jsonBodyMaxBytes } from "./body.ts";
import { problemSchema, toProblem } from "./errors.ts";
import { operation } from "./operation.ts";
import {
  deleteSchema,
  peekedSchema,
  peekSchema,
  queueParameter,
  receivedSchema,
  receiveSchema,
  sendSchema,
  toMs,
  toPeekedJson,
  toReceivedJson,
  toReceiveRequest,
  toSentMessage,
  visibilitySchema,
} from "./queue-codec.ts";
import type { Routes } from "./routes.ts";

const path = z.object({ queue: queueParameter });
const { batchMaxBytes, batchMaxMessages } = limits.queue;
const sendMaxBytes = jsonBodyMaxBytes(batchMaxBytes) + batchMaxMessages * jsonBodyMaxBytes(0);

const sentSchema = z.object({
  messageId: z.string(),
  isRepeat: z.boolean().meta({ description: "The `messageId` was known: nothing was added" }),
});
const sentBatchSchema = z.object({ messages: z.array(z.union([sentSchema, z.object({ error: problemSchema })])) });
const oneOrMore = <T extends z.ZodType>(outcome: T) =>
  z.union([z.object({ outcome }), z.object({ outcomes: z.array(outcome) })]);
const deletedSchema = oneOrMore(z.enum(["done", "gone", "stale"]));
const changedSchema = oneOrMore(z.enum(["done", "gone", "stale", "expired"]));

/** What is done with the messages of `/v1/queues/{queue}`. */
export const queueMessageRoutes: Routes = {
  "/v1/queues/:queue/send": {
    POST: operation({
      id: "sendMessages",
      tag: "queues",
      summary: "Send a message, or up to ten",
      description:
        "Answered once they are on disk. What is wrong with one message of a batch does not stop the others.",
      path,
      body: sendSchema,
      bodyMaxBytes: () => sendMaxBytes,
      answers: {
        200: { description: "What became of each, in order", schema: z.union([sentSchema, sentBatchSchema]) },
      },
      async handle({ principal, path: { queue }, body, context, parts }) {
        const messages = "messages" in body ? body.messages : [body];
        const results = await parts.queueMessages.send(principal, queue, messages.map(toSentMessage));
        if ("messages" in body) return context.json({ messages: results.map(toResultJson) });
        const [result] = results;
        if (result instanceof TodokuError) throw result;
        return context.json(result);
      },
    }),
  },
  "/v1/queues/:queue/receive": {
    POST: operation({
      id: "receiveMessages",
      tag: "queues",
      summary: "Receive messages, waiting for the first one if there is none",
      description:
        "They stay hidden from others until they are deleted or their visibility is over. Empty when nothing came within `waitSeconds` (default: the queue's). " +
        "When the client leaves before it has the whole answer, the messages are ready again at once and the receive is not counted.",
      path,
      body: receiveSchema,
      answers: { 200: { description: "Messages, in the order in which they became ready", schema: receivedSchema } },
      async handle({ principal, path: { queue }, body, context, parts }) {
        const { incoming, outgoing } = context.env;
        const client = watchClient(incoming, outgoing);
        const received = await parts.queueMessages.receive(principal, queue, toReceiveRequest(body), client);
        giveBackUnread(received, client.closed);
        // A server that stops has ended the wait: the next one must not come over this connection. HTTP/2 says so by itself.
        if (parts.isDraining?.() && incoming.httpVersionMajor === 1) context.header("connection", "close");
        return context.json({ messages: received.messages.map(toReceivedJson) });
      },
    }),
  },
  "/v1/queues/:queue/delete": {
    POST: operation({
      id: "deleteMessages",
      tag: "queues",
      summary: "Delete a received message, or up to ten: they are worked off",
      description:
        "`gone`: it was not there any more. `stale`: it was received again since; whoever has it now decides. Late, but received by " +
        "nobody else, is `done`.",
      path,
      body: deleteSchema,
      answers: { 200: { description: "What became of each, in order", schema: deletedSchema } },
      async handle({ principal, path: { queue }, body, context, parts }) {
        const handles = "receiptHandles" in body ? body.receiptHandles : [body.receiptHandle];
        const outcomes = await parts.queueMessages.delete(principal, queue, handles);
        return context.json("receiptHandles" in body ? { outcomes } : { outcome: outcomes[0] });
      },
    }),
  },
  "/v1/queues/:queue/visibility": {
    POST: operation({
      id: "changeVisibility",
      tag: "queues",
      summary: "Hide a received message for longer, or release it with 0; or up to ten",
      description: "Counted from now on. `expired`: its time was over already. `gone` and `stale` as with `delete`.",
      path,
      body: visibilitySchema,
      answers: { 200: { description: "What became of each, in order", schema: changedSchema } },
      async handle({ principal, path: { queue }, body, context, parts }) {
        const changes = ("changes" in body ? body.changes : [body]).map(({ receiptHandle, visibilitySeconds }) => {
          return { receiptHandle, visibilityMs: toMs(visibilitySeconds) };
        });
        const outcomes = await parts.queueMessages.changeVisibility(principal, queue, changes);
        return context.json("changes" in body ? { outcomes } : { outcome: outcomes[0] });
      },
    }),
  },
  "/v1/queues/:queue/peek": {
    POST: operation({
      id: "peekMessages",
      tag: "queues",
      summary: "Look at messages without receiving them, oldest first",
      description:
        "An answer may hold fewer than `maxMessages` when they are large; an empty one means that there is no more now.",
      path,
      body: peekSchema,
      answers: { 200: { description: "Messages, and where to go on", schema: peekedSchema } },
      async handle({ principal, path: { queue }, body: { after, maxMessages }, context, parts }) {
        const messages = await parts.queueMessages.peek(principal, queue, after, maxMessages);
        const nowMs = parts.clock.steadyMs();
        return context.json({
          messages: messages.map((message) => toPeekedJson(message, nowMs)),
          next: messages.at(-1)?.sequence ?? after,
        });
      },
    }),
  },
};

function toResultJson(result: SendResult) {
  return result instanceof TodokuError ? { error: toProblem(result) } : result;
}
