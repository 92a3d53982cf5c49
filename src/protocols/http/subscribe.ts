import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Principal } from "../../domain/auth/principal.ts";
import { TodokuError, toTodokuError } from "../../domain/errors.ts";
import type { Position } from "../../domain/topics/position.ts";
import { isStopping } from "../../domain/topics/stopping.ts";
import { connectionOf, cutCall } from "../../lib/end-connection.ts";
import { isGone } from "../../lib/response.ts";
import { sendBufferOf } from "../send-buffer.ts";
import { EventStream } from "./event-stream.ts";
import type { NodeBindings } from "./operation.ts";
import type { HttpParts } from "./options.ts";

/** Who wants to follow what. */
interface SubscribeRequest {
  readonly principal: Principal;
  readonly cache: string;
  readonly topic: string;
  /** Undefined: from now on. */
  readonly after: Position | undefined;
}

/** Server-sent events. They are written to the Node response: a web stream per subscriber would copy and queue each frame. */
export async function subscribe(
  { principal, cache, topic, after }: SubscribeRequest,
  { incoming, outgoing }: NodeBindings,
  { topics, heartbeats, onInternalError }: HttpParts,
): Promise<Response> {
  const stream = new EventStream(outgoing, sendBufferOf(connectionOf(incoming, outgoing)), (error) =>
    onInternalError(error, incoming),
  );
  const subscription = await topics.subscribe(principal, cache, topic, after, stream).catch(toTodokuError);
  const failure = subscription instanceof TodokuError ? subscription : stream.failure;
  if (failure && isStopping(failure)) {
    // An EventSource takes any answer but 200 for the last word, and comes back when there is none.
    cutCall(outgoing);
    return RESPONSE_ALREADY_SENT;
  }
  if (subscription instanceof TodokuError) throw subscription;
  outgoing.on("close", () => subscription.close());
  if (failure) throw failure;
  if (isGone(outgoing)) {
    subscription.close();
    return RESPONSE_ALREADY_SENT;
  }
  stream.open(subscription.position);
  outgoing.on("close", heartbeats.add(stream));
  stream.start(() => {
    subscription.drained();
    return subscription.isOpen && !subscription.isLive;
  });
  return RESPONSE_ALREADY_SENT;
}

/** Does the caller take server-sent events? */
export function acceptsEvents(accept: string | undefined): boolean {
  return (
    accept?.split(",").some((type) => type.split(";", 1)[0]?.trim().toLowerCase() === "text/event-stream") === true
  );
}
