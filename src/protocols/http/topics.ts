import { z } from "zod";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { formatPosition } from "../../domain/topics/position.ts";
import { jsonBodyMaxBytes } from "./body.ts";
import { itemSchema, positionSchema, publishSchema, toItemJson, toMessage } from "./codec.ts";
import { operation } from "./operation.ts";
import { nameParameter, positionParameter } from "./parameters.ts";
import type { Routes } from "./routes.ts";
import { acceptsEvents, subscribe } from "./subscribe.ts";

const path = z.object({ cache: nameParameter("The cache's name"), topic: nameParameter("The topic's name") });

const publishedSchema = z.object({
  position: positionSchema,
  sequencePage: z.int(),
  sequenceNumber: z.int(),
  isRepeat: z.boolean().meta({ description: "The `messageId` was known: this is the first one's position" }),
});
const historySchema = z.object({
  items: z.array(itemSchema),
  next: positionSchema.meta({ description: "The `after` of the next call" }),
});
const limitParameter = z.coerce.number<string>().int().min(1).max(1000).default(100);

/** `/v1/topics`. */
export const topicRoutes: Routes = {
  "/v1/topics/:cache/:topic": {
    POST: operation({
      id: "publish",
      tag: "topics",
      summary: "Publish a message",
      description: "Answered once the message is as durable as its cache promises. A topic needs no creation.",
      path,
      body: publishSchema,
      bodyMaxBytes: ({ topics }, principal) =>
        jsonBodyMaxBytes(topics.messageMaxBytes(principal?.environment ?? ""), limits.topicAttributes.maxBytes),
      answers: { 200: { description: "Where it is", schema: publishedSchema } },
      async handle({ principal, path: { cache, topic }, body, context, parts }) {
        const { position, isRepeat } = await parts.topics.publish(principal, cache, topic, toMessage(body));
        return context.json({
          position: formatPosition(position),
          sequencePage: position.page,
          sequenceNumber: position.sequence,
          isRepeat,
        });
      },
    }),
    GET: operation({
      id: "followTopic",
      tag: "topics",
      summary: "Follow a topic as server-sent events",
      description:
        "Begins now, or behind a position. Each event's `id` is its position and its `data` an `Item` as JSON; `discontinuity` says " +
        "`{after, now}` when items are not kept any more, and `error` is a `Problem`, the last thing on the stream. Wants " +
        "`Accept: text/event-stream`.",
      path,
      query: z.object({ after: positionParameter("Begin behind this position") }),
      headers: z.object({ "Last-Event-ID": positionParameter("The same; it wins over `after`") }),
      answers: { 200: { description: "The stream", mediaType: "text/event-stream" } },
      handle({ principal, path: { cache, topic }, query, headers, context, parts }) {
        checkAccept(context.req.method, context.req.header("accept"));
        // The browser's own header is newer than the `after` of the address it comes back to.
        const after = headers["Last-Event-ID"] ?? query.after;
        return subscribe({ principal, cache, topic, after }, context.env, parts);
      },
    }),
  },
  "/v1/topics/:cache/:topic/items": {
    GET: operation({
      id: "listItems",
      tag: "topics",
      summary: "Read what is kept of a topic, oldest first",
      description:
        "An answer may hold fewer items than `limit` when they are large; an empty one means that there is no more now.",
      path,
      query: z.object({
        after: positionParameter("Begin behind this position; default: with the oldest that is kept"),
        limit: limitParameter.meta({ description: "How many items at most" }),
      }),
      answers: { 200: { description: "Items, and where to go on", schema: historySchema } },
      async handle({ principal, path: { cache, topic }, query, context, parts }) {
        const after = query.after ?? { page: 0, sequence: 0 };
        const { items, head } = await parts.topics.history(principal, cache, topic, after, query.limit);
        // Without an item the head is the place to go on from: what was behind `after` has been dropped, or nothing was.
        return context.json({ items: items.map(toItemJson), next: formatPosition(items.at(-1) ?? head) });
      },
    }),
  },
};

function checkAccept(method: string, accept: string | undefined): void {
  if (method === "GET" && acceptsEvents(accept)) return;
  throw new TodokuError(
    "invalid_argument",
    "to follow the topic, GET it with Accept: text/event-stream; its history is at .../items",
    { subject: "accept" },
  );
}
