import type { Auth } from "../../domain/auth/auth.ts";
import type { Leaderboards } from "../../domain/cache/leaderboards.ts";
import type { ScoreRange } from "../../domain/cache/sorted-set-store.ts";
import { limits } from "../../domain/limits.ts";
import type { Method } from "./call.ts";
import { decodeMessage } from "./codec.ts";
import { empty } from "./codec-items.ts";
import { type CollectionCall, cacheMethodsOf, encode } from "./collections.ts";
import {
  DeleteLeaderboardRequestSchema,
  GetByRankRequestSchema,
  GetByRankResponseSchema,
  GetByScoreRequestSchema,
  GetByScoreResponseSchema,
  GetCompetitionRankRequestSchema,
  GetCompetitionRankResponseSchema,
  GetLeaderboardLengthRequestSchema,
  GetLeaderboardLengthResponseSchema,
  GetRankRequestSchema,
  GetRankResponseSchema,
  Order,
  RemoveElementsRequestSchema,
  type ScoreRange as ScoreRangeMessage,
  UpsertElementsRequestSchema,
} from "./gen/leaderboard_pb.ts";
import { orderOf } from "./score-order.ts";

/** `leaderboard.Leaderboard`: the cache is named by the `cache` metadata, as in `cache_client.Scs`. */
export function leaderboardMethods(auth: Auth, leaderboards: Leaderboards): [string, Method][] {
  return cacheMethodsOf(auth, "leaderboard.Leaderboard", {
    ...changingHandlers(leaderboards),
    ...readingHandlers(leaderboards),
    ...rankHandlers(leaderboards),
  });
}

function changingHandlers(leaderboards: Leaderboards) {
  return {
    async UpsertElements({ principal, cache, request }: CollectionCall) {
      const { leaderboard, elements } = decodeMessage(UpsertElementsRequestSchema, request);
      await leaderboards.upsert(principal, cache, leaderboard, elements);
      return empty;
    },
    async RemoveElements({ principal, cache, request }: CollectionCall) {
      const { leaderboard, ids } = decodeMessage(RemoveElementsRequestSchema, request);
      await leaderboards.remove(principal, cache, leaderboard, ids);
      return empty;
    },
    async DeleteLeaderboard({ principal, cache, request }: CollectionCall) {
      const { leaderboard } = decodeMessage(DeleteLeaderboardRequestSchema, request);
      await leaderboards.delete(principal, cache, leaderboard);
      return empty;
    },
  };
}

function readingHandlers(leaderboards: Leaderboards) {
  return {
    async GetLeaderboardLength({ principal, cache, request }: CollectionCall) {
      const { leaderboard } = decodeMessage(GetLeaderboardLengthRequestSchema, request);
      const count = await leaderboards.length(principal, cache, leaderboard);
      return encode(GetLeaderboardLengthResponseSchema, { count });
    },
    async GetByRank({ principal, cache, request }: CollectionCall) {
      const { leaderboard, rankRange, order } = decodeMessage(GetByRankRequestSchema, request);
      const range = { start: rankRange?.startInclusive ?? 0, end: rankRange?.endExclusive ?? 0 };
      const elements = await leaderboards.byRank(principal, cache, leaderboard, range, orderOf(order));
      return encode(GetByRankResponseSchema, { elements });
    },
    async GetByScore({ principal, cache, request }: CollectionCall) {
      const message = decodeMessage(GetByScoreRequestSchema, request);
      const { leaderboard, offset, order } = message;
      // The SDKs ask for that many where their caller gives no number; 0 is a client that gives none.
      const count = message.limitElements || limits.leaderboard.callMaxElements;
      const scores = { ...scoresOf(message.scoreRange), offset, count };
      const elements = await leaderboards.byScore(principal, cache, leaderboard, scores, orderOf(order));
      return encode(GetByScoreResponseSchema, { elements });
    },
  };
}

function rankHandlers(leaderboards: Leaderboards) {
  return {
    async GetRank({ principal, cache, request }: CollectionCall) {
      const { leaderboard, ids, order } = decodeMessage(GetRankRequestSchema, request);
      const elements = await leaderboards.places(principal, cache, leaderboard, ids, orderOf(order), false);
      return encode(GetRankResponseSchema, { elements });
    },
    async GetCompetitionRank({ principal, cache, request }: CollectionCall) {
      // Momento's SDKs document descending for callers that give none.
      const { leaderboard, ids, order = Order.DESCENDING } = decodeMessage(GetCompetitionRankRequestSchema, request);
      const elements = await leaderboards.places(principal, cache, leaderboard, ids, orderOf(order), true);
      return encode(GetCompetitionRankResponseSchema, { elements });
    },
  };
}

/** A bound that is not given is none. */
function scoresOf(range: ScoreRangeMessage | undefined): ScoreRange {
  const { min, max } = range ?? {};
  return {
    min: min?.case === "minInclusive" ? { score: min.value, isExclusive: false } : undefined,
    max: max?.case === "maxExclusive" ? { score: max.value, isExclusive: true } : undefined,
  };
}
