import type { ScoreBound, ScoreRange, SortedSetRange, SortedSetStore } from "../../domain/cache/sorted-set-store.ts";
import { bytesOf, type DiskCollections, putBlobs, putExpiry } from "./disk-collections.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";

/** How many elements the sources have is known in the storage thread alone, and all may take it 0.6 s: counted as so many, eight unions make a batch. */
const unionElements = 5000;

/** The `disk` sorted sets of a data directory. */
export function createDiskSortedSets({ write, read }: DiskCollections): SortedSetStore {
  return {
    put: (cache, key, elements, expiry, nowMs) =>
      write(
        "sortedSets.put",
        { cache, key, nowMs },
        {
          elements: elements.length,
          bytes: bytesOf(elements.map(({ element }) => element)),
          encode(op) {
            putExpiry(op, expiry);
            op.put(elements.length);
            for (const { element, score } of elements) {
              op.putBlob(element);
              op.put(score + 0);
            }
          },
          decode: (answer) => answer.number(),
        },
      ),
    increment: (cache, key, element, amount, expiry, nowMs) =>
      write(
        "sortedSets.increment",
        { cache, key, nowMs },
        {
          bytes: element.byteLength,
          encode(op) {
            putExpiry(op, expiry);
            op.putBlob(element);
            op.put(amount);
          },
          decode: (answer) => answer.number(),
        },
      ),
    remove: (cache, key, elements, nowMs) =>
      write(
        "sortedSets.remove",
        { cache, key, nowMs },
        {
          elements: elements?.length ?? 0,
          bytes: bytesOf(elements ?? []),
          encode(op) {
            op.put(Number(elements === undefined));
            putBlobs(op, elements ?? []);
          },
          decode: (answer) => answer.numberOrNull() ?? undefined,
        },
      ),
    unionStore: (cache, key, sources, aggregate, expiresAtMs, nowMs) =>
      write(
        "sortedSets.unionStore",
        { cache, key, nowMs },
        {
          elements: unionElements,
          bytes: bytesOf(sources.map((source) => source.key)),
          encode(op) {
            op.put(expiresAtMs);
            op.put(aggregate);
            op.put(sources.length);
            for (const source of sources) {
              op.putBlob(source.key);
              op.put(source.weight);
            }
          },
          decode: (answer) => answer.number(),
        },
      ),
    ...createReads(read),
  };
}

function createReads(
  read: DiskCollections["read"],
): Pick<SortedSetStore, "scores" | "ranks" | "fetch" | "length" | "count"> {
  return {
    scores: (cache, key, elements, nowMs) =>
      read(
        "sortedSets.scores",
        { cache, key, nowMs },
        {
          encode: (op) => putBlobs(op, elements),
          decode: (answer) => elements.map(() => answer.numberOrNull() ?? undefined),
        },
      ),
    ranks: (cache, key, elements, order, areTiesShared, nowMs) =>
      read(
        "sortedSets.ranks",
        { cache, key, nowMs },
        {
          encode(op) {
            op.put(order);
            op.put(Number(areTiesShared));
            putBlobs(op, elements);
          },
          decode: (answer) => elements.map(() => readRank(answer)),
        },
      ),
    fetch: (cache, key, range, order, nowMs) =>
      read(
        "sortedSets.fetch",
        { cache, key, nowMs },
        {
          encode(op) {
            op.put(order);
            putRange(op, range);
          },
          decode(answer) {
            const firstRank = answer.number();
            const ascending = Array.from({ length: answer.number() }, () => ({
              element: answer.blob(),
              score: answer.number(),
            }));
            return { firstRank, elements: order === "ascending" ? ascending : ascending.reverse() };
          },
        },
      ),
    length: (cache, key, nowMs) =>
      read("sortedSets.length", { cache, key, nowMs }, { decode: (answer) => answer.number() }),
    count: (cache, key, scores, nowMs) =>
      read(
        "sortedSets.count",
        { cache, key, nowMs },
        { encode: (op) => putScoreRange(op, scores), decode: (answer) => answer.number() },
      ),
  };
}

function readRank(answer: FieldReader): { rank: number; score: number } | undefined {
  const score = answer.numberOrNull();
  return score === null ? undefined : { score, rank: answer.number() };
}

function putBound(op: FieldWriter, bound: ScoreBound | undefined): void {
  op.put(bound?.score ?? null);
  op.put(Number(bound?.isExclusive ?? false));
}

function putScoreRange(op: FieldWriter, { min, max }: ScoreRange): void {
  putBound(op, min);
  putBound(op, max);
}

/** As it was written here. */
export function readScoreRange(op: FieldReader): ScoreRange {
  const bound = () => {
    const [score, isExclusive] = [op.numberOrNull(), op.number() === 1];
    return score === null ? undefined : { score, isExclusive };
  };
  return { min: bound(), max: bound() };
}

function putRange(op: FieldWriter, range: SortedSetRange): void {
  op.put(range.by);
  const [first, second] = range.by === "rank" ? [range.start, range.end] : [range.offset, range.count];
  op.put(first ?? null);
  op.put(second ?? null);
  if (range.by === "score") putScoreRange(op, range);
}

/** As it was written here. */
export function readRange(op: FieldReader): SortedSetRange {
  const by = op.text() as SortedSetRange["by"];
  const [first, second] = [op.numberOrNull() ?? undefined, op.numberOrNull() ?? undefined];
  if (by === "rank") return { by, start: first, end: second };
  return { by, offset: first ?? 0, count: second, ...readScoreRange(op) };
}
