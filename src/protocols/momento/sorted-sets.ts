import type { Auth } from "../../domain/auth/auth.ts";
import type {
  ScoreAggregate,
  ScoreBound,
  ScoreRange,
  SortedSetRange,
  SortedSetSlice,
} from "../../domain/cache/sorted-set-store.ts";
import type { SortedSets } from "../../domain/cache/sorted-sets.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { Method } from "./call.ts";
import { decodeMessage } from "./codec.ts";
import { empty } from "./codec-items.ts";
import { type CollectionCall, cacheMethodsOf, encode, foundOrMissing, ttlOf } from "./collections.ts";
import {
  CacheResult,
  type SortedSetFetchRequest,
  type SortedSetFetchRequest_ByIndex,
  type SortedSetFetchRequest_ByScore,
  type SortedSetFetchRequest_ByScore_Score,
  SortedSetFetchRequestSchema,
  SortedSetFetchResponseSchema,
  SortedSetGetRankRequestSchema,
  SortedSetGetRankResponseSchema,
  SortedSetGetScoreRequestSchema,
  SortedSetGetScoreResponseSchema,
  SortedSetIncrementRequestSchema,
  SortedSetIncrementResponseSchema,
  type SortedSetLengthByScoreRequest,
  SortedSetLengthByScoreRequestSchema,
  SortedSetLengthByScoreResponseSchema,
  SortedSetLengthRequestSchema,
  SortedSetLengthResponseSchema,
  SortedSetPutRequestSchema,
  SortedSetRemoveRequestSchema,
  SortedSetUnionStoreRequestSchema,
  SortedSetUnionStoreResponseSchema,
} from "./gen/scs_pb.ts";
import { orderOf } from "./score-order.ts";

/** The sorted set calls of `cache_client.Scs`. */
export function sortedSetMethods(auth: Auth, sortedSets: SortedSets): [string, Method][] {
  return cacheMethodsOf(auth, "cache_client.Scs", {
    ...changingHandlers(sortedSets),
    ...elementHandlers(sortedSets),
    ...rangeHandlers(sortedSets),
  });
}

function changingHandlers(sortedSets: SortedSets) {
  return {
    async SortedSetPut({ principal, cache, request }: CollectionCall) {
      const message = decodeMessage(SortedSetPutRequestSchema, request);
      const elements = message.elements.map(({ value, score }) => ({ element: value, score }));
      await sortedSets.put(principal, cache, message.setName, elements, ttlOf(message));
      return empty;
    },
    async SortedSetRemove({ principal, cache, request }: CollectionCall) {
      const { setName, removeElements } = decodeMessage(SortedSetRemoveRequestSchema, request);
      if (removeElements.case === undefined) throw neither("SortedSetRemoveRequest", "some", "all");
      const elements = removeElements.case === "some" ? removeElements.value.values : undefined;
      await sortedSets.remove(principal, cache, setName, elements);
      return empty;
    },
    async SortedSetIncrement({ principal, cache, request }: CollectionCall) {
      const message = decodeMessage(SortedSetIncrementRequestSchema, request);
      const { setName, value, amount } = message;
      const score = await sortedSets.increment(principal, cache, setName, value, amount, ttlOf(message));
      return encode(SortedSetIncrementResponseSchema, { score });
    },
    async SortedSetUnionStore({ principal, cache, request }: CollectionCall) {
      const message = decodeMessage(SortedSetUnionStoreRequestSchema, request);
      const aggregate = aggregates[message.aggregate];
      if (aggregate === undefined) {
        throw new TodokuError("invalid_argument", `aggregate ${message.aggregate}; must be >= 0 and <= 2`);
      }
      const sources = message.sources.map(({ setName, weight }) => ({ key: setName, weight }));
      const union = { sources, aggregate, ttlMs: Number(message.ttlMilliseconds) };
      const length = await sortedSets.unionStore(principal, cache, message.setName, union);
      return encode(SortedSetUnionStoreResponseSchema, { length });
    },
  };
}

function elementHandlers(sortedSets: SortedSets) {
  return {
    async SortedSetGetScore({ principal, cache, request }: CollectionCall) {
      const { setName, values } = decodeMessage(SortedSetGetScoreRequestSchema, request);
      const scores = await sortedSets.scores(principal, cache, setName, values);
      const found = scores && { elements: scores.map((score) => ({ score: score ?? 0, result: resultOf(score) })) };
      return encode(SortedSetGetScoreResponseSchema, { sortedSet: foundOrMissing(found) });
    },
    async SortedSetGetRank({ principal, cache, request }: CollectionCall) {
      const { setName, value, order } = decodeMessage(SortedSetGetRankRequestSchema, request);
      const answer = await sortedSets.rank(principal, cache, setName, value, orderOf(order));
      if (answer === undefined) {
        return encode(SortedSetGetRankResponseSchema, { rank: { case: "missing", value: {} } });
      }
      const rank = answer === "no element" ? undefined : answer;
      const part = { rank: BigInt(rank ?? 0), result: resultOf(rank) };
      return encode(SortedSetGetRankResponseSchema, { rank: { case: "elementRank", value: part } });
    },
  };
}

function rangeHandlers(sortedSets: SortedSets) {
  return {
    async SortedSetFetch({ principal, cache, request }: CollectionCall) {
      const message = decodeMessage(SortedSetFetchRequestSchema, request);
      const range = rangeOf(message);
      const slice = await sortedSets.fetch(principal, cache, message.setName, range, orderOf(message.order));
      const found = slice && { elements: elementsOf(slice, message.withScores) };
      return encode(SortedSetFetchResponseSchema, { sortedSet: foundOrMissing(found) });
    },
    async SortedSetLength({ principal, cache, request }: CollectionCall) {
      const { setName } = decodeMessage(SortedSetLengthRequestSchema, request);
      const length = await sortedSets.length(principal, cache, setName);
      return encode(SortedSetLengthResponseSchema, { sortedSet: foundOrMissing(found(length)) });
    },
    async SortedSetLengthByScore({ principal, cache, request }: CollectionCall) {
      const message = decodeMessage(SortedSetLengthByScoreRequestSchema, request);
      const length = await sortedSets.count(principal, cache, message.setName, scoresOf(message));
      return encode(SortedSetLengthByScoreResponseSchema, { sortedSet: foundOrMissing(found(length)) });
    },
  };
}

/** The numbers are those of Momento's enumeration. */
const aggregates: readonly ScoreAggregate[] = ["sum", "min", "max"];

/** Of an answer about one element: undefined is that it is not there. */
function resultOf(answer: number | undefined): CacheResult {
  return answer === undefined ? CacheResult.MISS : CacheResult.HIT;
}

function found(length: number | undefined) {
  return length === undefined ? undefined : { length };
}

function elementsOf({ elements }: SortedSetSlice, withScores: boolean) {
  return withScores
    ? {
        case: "valuesWithScores" as const,
        value: { elements: elements.map(({ element, score }) => ({ value: element, score })) },
      }
    : { case: "values" as const, value: { values: elements.map(({ element }) => element) } };
}

function rangeOf({ range }: SortedSetFetchRequest): SortedSetRange {
  if (range.case === undefined) throw neither("SortedSetFetchRequest", "by_index", "by_score");
  return range.case === "byIndex" ? rangeByIndex(range.value) : rangeByScore(range.value);
}

/** An end that is not given is none, as one that is unbounded; so are bounds of scores. */
function rangeByIndex({ start, end }: SortedSetFetchRequest_ByIndex): SortedSetRange {
  return {
    by: "rank",
    start: start.case === "inclusiveStartIndex" ? start.value : undefined,
    end: end.case === "exclusiveEndIndex" ? end.value : undefined,
  };
}

function rangeByScore({ min, max, offset, count }: SortedSetFetchRequest_ByScore): SortedSetRange {
  return {
    by: "score",
    min: min.case === "minScore" ? boundOf(min.value) : undefined,
    max: max.case === "maxScore" ? boundOf(max.value) : undefined,
    offset,
    count: count < 0 ? undefined : count,
  };
}

function boundOf({ score, exclusive }: SortedSetFetchRequest_ByScore_Score): ScoreBound {
  return { score, isExclusive: exclusive };
}

function scoresOf({ min, max }: SortedSetLengthByScoreRequest): ScoreRange {
  return {
    min:
      min.case === "inclusiveMin" || min.case === "exclusiveMin"
        ? { score: min.value, isExclusive: min.case === "exclusiveMin" }
        : undefined,
    max:
      max.case === "inclusiveMax" || max.case === "exclusiveMax"
        ? { score: max.value, isExclusive: max.case === "exclusiveMax" }
        : undefined,
  };
}

function neither(message: string, one: string, other: string): TodokuError {
  return new TodokuError("invalid_argument", `${message}: neither \`${one}\` nor \`${other}\` is given`);
}
