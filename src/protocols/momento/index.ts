import type { IncomingMessage, ServerResponse } from "node:http";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Auth } from "../../domain/auth/auth.ts";
import type { Tokens } from "../../domain/auth/tokens.ts";
import type { Caches } from "../../domain/cache/caches.ts";
import type { Items } from "../../domain/cache/items.ts";
import type { TodokuError } from "../../domain/errors.ts";
import type { Topics } from "../../domain/topics/topics.ts";
import type { Clock } from "../../lib/clock.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { cacheMethods } from "./caches.ts";
import type { Method } from "./call.ts";
import { empty } from "./codec-items.ts";
import { answerPreflight } from "./cors.ts";
import { GrpcEnvelope } from "./grpc.ts";
import { GrpcWebEnvelope, isGrpcWeb } from "./grpc-web.ts";
import { Heartbeats } from "./heartbeats.ts";
import { itemMethods } from "./items.ts";
import { tokenMethods } from "./tokens.ts";
import { createPublish, createSubscribe } from "./topics.ts";

export interface MomentoOptions {
  readonly auth: Auth;
  readonly tokens: Tokens;
  readonly caches: Caches;
  readonly items: Items;
  readonly topics: Topics;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly messageMaxBytes: number;
  /** host:port that clients of minted tokens dial; asked when a token is made, for the port may be known late. */
  readonly endpoint: () => string;
  /** See ResumePlaces. */
  readonly endsStreamsBeforeDeadline: boolean;
  readonly onInternalError: (error: TodokuError, path: string) => void;
}

/** Momento's protocol: gRPC for the Node SDK, grpc-web for the web SDK; one service behind both. */
export interface MomentoDoor {
  /** Is this HTTP request ours (grpc-web, or the preflight of it)? */
  accepts(request: IncomingMessage): boolean;
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** A gRPC stream: its content type is application/grpc, but not grpc-web. */
  handleGrpc(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
  close(): void;
}

export function createMomentoDoor(options: MomentoOptions): MomentoDoor {
  const { auth, tokens, caches, items, topics, clock, wheel, messageMaxBytes, endpoint, onInternalError } = options;
  const heartbeats = new Heartbeats();
  heartbeats.start();
  const { endsStreamsBeforeDeadline } = options;
  const services = { auth, topics, heartbeats, clock, wheel, endsStreamsBeforeDeadline };
  const methods = new Map<string, Method>([
    ["/cache_client.pubsub.Pubsub/Publish", { kind: "unary", handle: createPublish(services) }],
    ["/cache_client.pubsub.Pubsub/Subscribe", { kind: "stream", handle: createSubscribe(services) }],
    ["/cache_client.Ping/Ping", { kind: "unary", handle: () => empty }],
    ...itemMethods(auth, items),
    ...cacheMethods(auth, caches, messageMaxBytes),
    ...tokenMethods(auth, tokens, endpoint),
  ]);
  const grpc = new GrpcEnvelope({ methods, wheel, onInternalError });
  const web = new GrpcWebEnvelope({ methods, wheel, onInternalError });
  const isPreflight = ({ method, url = "" }: IncomingMessage) =>
    method === "OPTIONS" && /^\/\w+(\.\w+)+\/\w+$/.test(url);
  return {
    accepts: (request) =>
      (request.method === "POST" && isGrpcWeb(request.headers["content-type"])) || isPreflight(request),
    handle(request, response) {
      if (request.method === "OPTIONS") answerPreflight(request, response);
      else void web.serve(request, response);
    },
    handleGrpc: (stream, headers) => grpc.serve(stream, headers),
    close: () => heartbeats.stop(),
  };
}
