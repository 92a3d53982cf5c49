import { z } from "zod";
import { operation } from "./operation.ts";
import {
  newQueueSchema,
  queueChangesSchema,
  queueParameter,
  queueSchema,
  queueWithCountsSchema,
  redriveSchema,
  toChanges,
  toQueueJson,
  toQueueWithCountsJson,
} from "./queue-codec.ts";
import type { Routes } from "./routes.ts";

const path = z.object({ queue: queueParameter });

/** `/v1/queues`, but for its messages: queue-messages.ts. */
export const queueRoutes: Routes = {
  "/v1/queues": {
    GET: operation({
      id: "listQueues",
      tag: "queues",
      summary: "List the queues that the credential may see, by name",
      answers: { 200: { description: "The queues", schema: z.object({ queues: z.array(queueSchema) }) } },
      handle: ({ principal, context, parts }) =>
        context.json({ queues: parts.queues.list(principal).map(toQueueJson) }),
    }),
    POST: operation({
      id: "createQueue",
      tag: "queues",
      summary: "Create a queue",
      body: newQueueSchema,
      answers: { 201: { description: "The new queue", schema: queueSchema } },
      async handle({ principal, body: { name, ...settings }, context, parts }) {
        return context.json(toQueueJson(await parts.queues.create(principal, name, toChanges(settings))), 201);
      },
    }),
  },
  "/v1/queues/:queue": {
    GET: operation({
      id: "getQueue",
      tag: "queues",
      summary: "Read a queue's settings, and how much lies in it",
      path,
      answers: { 200: { description: "The queue now", schema: queueWithCountsSchema } },
      async handle({ principal, path: { queue }, context, parts }) {
        const known = await parts.queues.read(principal, queue);
        return context.json(toQueueWithCountsJson(known, await parts.queueMessages.counts(principal, queue)));
      },
    }),
    PATCH: operation({
      id: "updateQueue",
      tag: "queues",
      summary: "Change a queue's settings",
      description:
        "Messages that are there keep their delay and their visibility; retention and dead-letter rule hold for them too.",
      path,
      body: queueChangesSchema,
      answers: { 200: { description: "The queue as it is from now on", schema: queueSchema } },
      async handle({ principal, path: { queue }, body, context, parts }) {
        return context.json(toQueueJson(await parts.queues.update(principal, queue, toChanges(body))));
      },
    }),
    DELETE: operation({
      id: "deleteQueue",
      tag: "queues",
      summary: "Delete a queue with its messages; who waits there gets `not_found`",
      description: "`failed_precondition`: it is built in, or another queue names it as its dead-letter queue.",
      path,
      answers: { 204: { description: "It is gone" } },
      async handle({ principal, path: { queue }, context, parts }) {
        await parts.queues.delete(principal, queue);
        return context.body(null, 204);
      },
    }),
  },
  "/v1/queues/:queue/purge": {
    POST: operation({
      id: "purgeQueue",
      tag: "queues",
      summary: "Drop all messages of a queue, received ones too",
      path,
      answers: { 204: { description: "It is empty" } },
      async handle({ principal, path: { queue }, context, parts }) {
        await parts.queues.purge(principal, queue);
        return context.body(null, 204);
      },
    }),
  },
  "/v1/queues/:queue/redrive": {
    POST: operation({
      id: "redriveQueue",
      tag: "queues",
      summary: "Move the messages of a dead-letter queue back, or to another queue",
      description:
        "Without `to` a message goes back to the queue that it came from, if that is there and names this one as its dead-letter queue; " +
        "else it stays. Hidden messages stay. Moved ones arrive ready, with no receives. `remaining` counts all that is left.",
      path,
      body: redriveSchema,
      answers: {
        200: { description: "How many", schema: z.object({ moved: z.int(), remaining: z.int() }) },
      },
      async handle({ principal, path: { queue }, body, context, parts }) {
        return context.json(await parts.queueMessages.redrive(principal, queue, body));
      },
    }),
  },
};
