import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { z } from "zod";
import { TodokuError } from "../../domain/errors.ts";
import { formatPosition } from "../../domain/topics/position.ts";
import { isGone } from "../../lib/response.ts";
import { check, jsonBodyMaxBytes, readJson } from "./body.ts";
import { authenticate } from "./caller.ts";
import { publishSchema, toItemJson, toMessage, toPosition } from "./codec.ts";
import { EventStream } from "./event-stream.ts";
import type { Heartbeats } from "./heartbeats.ts";
import type { HttpOptions } from "./options.ts";
import { type HttpContext, parameter, type Routes } from "./routes.ts";

const limitSchema = z.coerce.number().int().min(1).max(1000).default(100);

/** What the topic calls need besides the options. */
export interface TopicParts {
  readonly heartbeats: Heartbeats;
  /** Logs an internal error and returns the log line's id. */
  readonly onInternalError: (error: TodokuError, context: HttpContext) => string;
}

/** `/v1/topics`. */
export function topicRoutes(options: HttpOptions, parts: TopicParts): Routes {
  const { auth, topics, messageMaxBytes } = options;
  const bodyMaxBytes = jsonBodyMaxBytes(messageMaxBytes);
  const names = (context: HttpContext) => [parameter(context, "cache"), parameter(context, "topic")] as const;
  return {
    "/v1/topics/:cache/:topic": {
      async POST(context) {
        const principal = await authenticate(auth, context.env.incoming);
        const message = toMessage(await readJson(context.env.incoming, publishSchema, bodyMaxBytes));
        const { position, isRepeat } = await topics.publish(principal, ...names(context), message);
        return context.json({
          position: formatPosition(position),
          sequencePage: position.page,
          sequenceNumber: position.sequence,
          isRepeat,
        });
      },
      GET: (context) => subscribe(options, parts, context, names(context)),
    },
    "/v1/topics/:cache/:topic/items": {
      async GET(context) {
        const principal = await authenticate(auth, context.env.incoming);
        const after = toPosition("after", context.req.query("after")) ?? { page: 0, sequence: 0 };
        const limit = check(limitSchema, context.req.query("limit"), '"limit"');
        const { items, head } = await topics.history(principal, ...names(context), after, limit);
        // Without an item the head is the place to go on from: what was behind `after` has been dropped, or nothing was.
        return context.json({ items: items.map(toItemJson), next: formatPosition(items.at(-1) ?? head) });
      },
    },
  };
}

/** Server-sent events. They are written to the Node response: a web stream per subscriber would copy and queue each frame. */
async function subscribe(
  { auth, topics }: HttpOptions,
  { heartbeats, onInternalError }: TopicParts,
  context: HttpContext,
  [cache, topic]: readonly [string, string],
): Promise<Response> {
  const { incoming, outgoing } = context.env;
  const principal = await authenticate(auth, incoming);
  const after = checkStreamRequest(context);
  const stream = new EventStream(outgoing, (error) => onInternalError(error, context));
  const subscription = await topics.subscribe(principal, cache, topic, after, stream);
  outgoing.on("close", () => subscription.close());
  if (stream.failure) throw stream.failure;
  if (isGone(outgoing)) {
    subscription.close();
    return RESPONSE_ALREADY_SENT;
  }
  stream.open(subscription.position);
  outgoing.on("drain", () => subscription.drained());
  outgoing.on("close", heartbeats.add(stream));
  subscription.drained();
  return RESPONSE_ALREADY_SENT;
}

/** Where to begin. The browser's own `Last-Event-ID` is newer than the `after` of the address it comes back to. */
function checkStreamRequest(context: HttpContext) {
  if (context.req.method !== "GET" || !acceptsEvents(context.req.header("accept"))) {
    throw new TodokuError(
      "invalid_argument",
      "to follow the topic, GET it with Accept: text/event-stream; its history is at .../items",
      { subject: "accept" },
    );
  }
  return (
    toPosition("Last-Event-ID", context.req.header("last-event-id")) ?? toPosition("after", context.req.query("after"))
  );
}

function acceptsEvents(accept: string | undefined): boolean {
  return (
    accept?.split(",").some((type) => type.split(";", 1)[0]?.trim().toLowerCase() === "text/event-stream") === true
  );
}
