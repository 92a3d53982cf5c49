import { type CountBelow, nextScore, type Places, scoreBytes } from "../../domain/cache/score-order.ts";
import type { RankedElement, ScoredElement, ScoreOrder } from "../../domain/cache/sorted-set-store.ts";
import { bytesOfText } from "../../lib/byte-text.ts";
import { MemorySortedOrder } from "./memory-sorted-order.ts";

/** The elements of one sorted set in memory, as texts (byte-text.ts). */
export class MemorySortedSet {
  readonly type = "sorted set";
  readonly #scores = new Map<string, number>();
  readonly #order = new MemorySortedOrder();
  /** Of all elements, with {@link scoreBytes} for each. */
  bytes = 0;

  get length(): number {
    return this.#scores.size;
  }

  scoreOf(element: string): number | undefined {
    return this.#scores.get(element);
  }

  scores(): Iterable<[string, number]> {
    return this.#scores;
  }

  put(element: string, score: number): void {
    const old = this.#scores.get(element);
    if (old === score) return;
    if (old === undefined) this.bytes += element.length + scoreBytes;
    else this.#order.delete(element, old);
    this.#scores.set(element, score);
    this.#order.add(element, score);
  }

  delete(element: string): void {
    const old = this.#scores.get(element);
    if (old === undefined) return;
    this.#order.delete(element, old);
    this.#scores.delete(element);
    this.bytes -= element.length + scoreBytes;
  }

  readonly countBelow: CountBelow = (score) => (score === undefined ? this.length : this.#order.countBefore(score, ""));

  rank(element: string, order: ScoreOrder, areTiesShared: boolean): RankedElement | undefined {
    const score = this.#scores.get(element);
    if (score === undefined) return undefined;
    if (order === "ascending") {
      return { score, rank: areTiesShared ? this.countBelow(score) : this.#order.countBefore(score, element) };
    }
    const upTo = areTiesShared ? this.countBelow(nextScore(score)) : this.#order.countBefore(score, element) + 1;
    return { score, rank: this.length - upTo };
  }

  /** The elements at these places, ascending. */
  at(places: Places): ScoredElement[] {
    return this.#order.at(places).map(({ element, score }) => ({ element: bytesOfText(element), score }));
  }
}
