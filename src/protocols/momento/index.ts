import type { IncomingMessage, ServerResponse } from "node:http";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Auth } from "../../domain/auth/auth.ts";
import type { Keys } from "../../domain/auth/keys.ts";
import type { Tokens } from "../../domain/auth/tokens.ts";
import type { Caches } from "../../domain/cache/caches.ts";
import type { Dictionaries } from "../../domain/cache/dictionaries.ts";
import type { Items } from "../../domain/cache/items.ts";
import type { Leaderboards } from "../../domain/cache/leaderboards.ts";
import type { Lists } from "../../domain/cache/lists.ts";
import type { Sets } from "../../domain/cache/sets.ts";
import type { SortedSets } from "../../domain/cache/sorted-sets.ts";
import type { TodokuError } from "../../domain/errors.ts";
import type { ConnectionGuard } from "../../domain/limiting/connection-guard.ts";
import { limits } from "../../domain/limits.ts";
import type { Webhooks } from "../../domain/subscriptions/webhooks.ts";
import type { Topics } from "../../domain/topics/topics.ts";
import type { Clock } from "../../lib/clock.ts";
import { Heartbeats } from "../../lib/heartbeats.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { TrustedProxies } from "../../lib/trusted-proxies.ts";
import { UnreadAnswers } from "../unread-answers.ts";
import { authMethods } from "./auth.ts";
import { cacheMethods } from "./caches.ts";
import type { Method } from "./call.ts";
import { empty } from "./codec-items.ts";
import { answerPreflight } from "./cors.ts";
import { dictionaryMethods } from "./dictionaries.ts";
import { withFaults } from "./faults.ts";
import { GrpcEnvelope } from "./grpc.ts";
import { GrpcWebEnvelope, isGrpcWeb } from "./grpc-web.ts";
import { HttpApi, isHttpApi } from "./http-api.ts";
import { itemMethods } from "./items.ts";
import { leaderboardMethods } from "./leaderboards.ts";
import { listMethods } from "./lists.ts";
import { setMethods } from "./sets.ts";
import { sortedSetMethods } from "./sorted-sets.ts";
import { tokenMethods } from "./tokens.ts";
import { createPublish, createSubscribe } from "./topics.ts";
import { webhookMethods } from "./webhooks.ts";

export interface MomentoOptions {
  readonly auth: Auth;
  readonly keys: Keys;
  readonly tokens: Tokens;
  readonly caches: Caches;
  readonly items: Items;
  readonly dictionaries: Dictionaries;
  readonly lists: Lists;
  readonly sets: Sets;
  readonly sortedSets: SortedSets;
  readonly leaderboards: Leaderboards;
  readonly topics: Topics;
  readonly webhooks: Webhooks;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** host:port that clients of minted tokens dial; asked when a token is made, for the port may be known late. */
  readonly endpoint: () => string;
  /** See ResumePlaces. */
  readonly endsStreamsBeforeDeadline: boolean;
  /** Calls may ask for faults: `faults.ts`. Default false. */
  readonly injectsFaults?: boolean;
  readonly onInternalError: (error: TodokuError, path: string) => void;
  /** Whose word on the client's address counts; default: nobody's. */
  readonly proxies?: TrustedProxies;
  /** Says whose connection is to be closed for going on when it is refused; default: nobody's. */
  readonly connectionGuard?: Pick<ConnectionGuard, "refused">;
}

/** Momento's protocol: gRPC for the Node SDK, grpc-web for the web SDK, one service behind both; and its HTTP API. */
export interface MomentoDoor {
  /** Is this HTTP request ours (grpc-web, the HTTP API, or the preflight of them)? */
  accepts(request: IncomingMessage): boolean;
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** A gRPC stream: its content type is application/grpc, but not grpc-web. */
  handleGrpc(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
  close(): void;
}

export function createMomentoDoor(options: MomentoOptions): MomentoDoor {
  const { auth, keys, tokens, caches, items, lists, topics, webhooks, clock, wheel, endpoint, onInternalError } =
    options;
  const heartbeats = new Heartbeats(wheel, { roundMs: limits.heartbeatMs, turns: 10 });
  const { endsStreamsBeforeDeadline } = options;
  const services = { auth, topics, heartbeats, clock, wheel, endsStreamsBeforeDeadline };
  const served = new Map<string, Method>([
    ["/cache_client.pubsub.Pubsub/Publish", { kind: "unary", handle: createPublish(services) }],
    ["/cache_client.pubsub.Pubsub/Subscribe", { kind: "stream", handle: createSubscribe(services) }],
    ["/cache_client.Ping/Ping", { kind: "unary", handle: () => empty }],
    ...itemMethods(auth, items),
    ...dictionaryMethods(auth, options.dictionaries),
    ...listMethods(auth, lists),
    ...setMethods(auth, options.sets),
    ...sortedSetMethods(auth, options.sortedSets),
    ...leaderboardMethods(auth, options.leaderboards),
    ...cacheMethods(auth, caches, topics),
    ...authMethods(auth, keys, endpoint),
    ...tokenMethods(auth, tokens, endpoint),
    ...webhookMethods(auth, webhooks),
  ]);
  const methods = options.injectsFaults ? withFaults(served, wheel) : served;
  const { connectionGuard, proxies } = options;
  const unread = new UnreadAnswers();
  const grpc = new GrpcEnvelope({ methods, wheel, unread, onInternalError, connectionGuard, proxies });
  const web = new GrpcWebEnvelope({ methods, wheel, unread, onInternalError, connectionGuard, proxies });
  const api = new HttpApi({ auth, items, topics, wheel, unread, onInternalError, connectionGuard, proxies });
  const isPreflight = ({ method, url = "" }: IncomingMessage) =>
    method === "OPTIONS" && /^\/\w+(\.\w+)+\/\w+$/.test(url);
  return {
    accepts: (request) =>
      (request.method === "POST" && isGrpcWeb(request.headers["content-type"])) ||
      isPreflight(request) ||
      isHttpApi(request.url),
    handle(request, response) {
      if (isHttpApi(request.url)) void api.serve(request, response);
      else if (request.method === "OPTIONS") answerPreflight(request, response);
      else void web.serve(request, response);
    },
    handleGrpc: (stream, headers) => grpc.serve(stream, headers),
    close() {
      heartbeats.stop();
      api.close();
    },
  };
}
