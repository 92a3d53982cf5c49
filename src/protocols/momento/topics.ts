import type { Auth } from "../../domain/auth/auth.ts";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Position } from "../../domain/topics/position.ts";
import type { Sink, Subscription } from "../../domain/topics/subscription.ts";
import type { Topics } from "../../domain/topics/topics.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Heartbeats } from "../../lib/heartbeats.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { Call, StreamCall } from "./call.ts";
import { empty } from "./codec-items.ts";
import { decodePublish, decodeSubscribe, type SubscribeRequest } from "./codec-topics.ts";

export interface TopicServiceOptions {
  readonly auth: Auth;
  readonly topics: Topics;
  readonly heartbeats: Heartbeats;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly endsStreamsBeforeDeadline: boolean;
}

/** `cache_client.pubsub.Pubsub/Publish`. */
export function createPublish({ auth, topics }: Pick<TopicServiceOptions, "auth" | "topics">) {
  return async (call: Call): Promise<Uint8Array> => {
    const { cache, topic, value } = decodePublish(call.request);
    if (!value) throw new TodokuError("invalid_argument", "the message has no value");
    const known = auth.authenticate(call.authorization, call.caller);
    await topics.publish(known instanceof Promise ? await known : known, cache, topic, { value });
    return empty;
  };
}

/** `cache_client.pubsub.Pubsub/Subscribe`. */
export function createSubscribe(options: TopicServiceOptions) {
  return async (call: StreamCall): Promise<void> => {
    const request = decodeSubscribe(call.request);
    const principal = await options.auth.authenticate(call.authorization, call.caller);
    const after = resumePosition(call, request, options.clock.monotonicMs());
    const sink = new StreamSink(call);
    const subscription = await options.topics.subscribe(principal, request.cache, request.topic, after, sink);
    call.onClose(() => subscription.close());
    if (!subscription.isOpen) return; // the client left while we looked up the topic
    call.open();
    // The SDKs' subscribe() resolves on the first message: it must not wait for an item.
    call.beat();
    const { position } = subscription;
    if (!call.resumePlaces && request.resumeAt === 0) {
      // Without resume places this is how a client that gets nothing learns where it stands (Momento reference 4, option i).
      call.write(call.encoding.discontinuity({ after: position, now: position }));
    }
    const stopBeating = options.heartbeats.add(call);
    call.onClose(stopBeating);
    endBeforeDeadline(options, call, request, subscription, sink);
    call.start(() => {
      subscription.drained();
      return subscription.isOpen && !subscription.isLive;
    });
  };
}

/** Where to begin: behind the position asked for, where an early-ended stream began, or now. */
function resumePosition(call: StreamCall, request: SubscribeRequest, nowMs: number): Position | undefined {
  const key = placeKey(call, request);
  if (request.resumeAt > 0) {
    call.resumePlaces?.drop(key, nowMs);
    return { page: request.page, sequence: request.resumeAt - 1 };
  }
  // A stream with a deadline is a first one, whatever others on its connection left behind.
  return call.timeoutMs === undefined ? call.resumePlaces?.take(key, nowMs)?.position : undefined;
}

/** See ResumePlaces: the client comes back at once and silently when its first stream ends with OK, and loses items when its deadline ends it. */
function endBeforeDeadline(
  { clock, wheel, endsStreamsBeforeDeadline }: TopicServiceOptions,
  call: StreamCall,
  request: SubscribeRequest,
  subscription: Subscription,
  sink: StreamSink,
): void {
  const { resumePlaces, timeoutMs } = call;
  if (!resumePlaces || timeoutMs === undefined || !endsStreamsBeforeDeadline) return;
  const { position } = subscription;
  const deadline = wheel.schedule(Math.max(timeoutMs - limits.earlyEndMs, timeoutMs / 2), () => {
    if (!subscription.isOpen) return;
    subscription.close();
    resumePlaces.add({
      key: placeKey(call, request),
      position,
      hasSentItems: sink.hasSentItems,
      madeAtMs: clock.monotonicMs(),
    });
    call.end();
  });
  call.onClose(() => deadline.cancel());
}

function placeKey(call: StreamCall, { cache, topic }: SubscribeRequest): string {
  return JSON.stringify([call.authorization, cache, topic]);
}

class StreamSink implements Sink {
  readonly #call: StreamCall;
  readonly encoding;
  hasSentItems = false;

  constructor(call: StreamCall) {
    this.#call = call;
    this.encoding = call.encoding;
  }

  write(frame: Uint8Array): boolean {
    this.hasSentItems = true;
    return this.#call.write(frame);
  }

  close(error: TodokuError): void {
    this.#call.end(error);
  }
}
