import { limits } from "../limits.ts";

interface Origin {
  underWay: number;
  readonly waiting: Set<() => void>;
}

/**
 * Bounds the calls that are under way, of the whole process and of each origin. When all places are taken, the next one goes to the
 * origin with the fewest: a few that are slow cannot take them all for themselves.
 */
export class CallSlots {
  readonly #max: number;
  readonly #originMax: number;
  readonly #origins = new Map<string, Origin>();
  /** Those of them for which somebody waits. */
  readonly #waiting = new Set<Origin>();
  #underWay = 0;

  constructor(max: number = limits.webhook.inFlightMax, originMax: number = limits.webhook.originInFlightMax) {
    this.#max = max;
    this.#originMax = originMax;
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Calls `start` as soon as a call to the origin may begin: now, or later. Who started calls `release`. */
  take(name: string, start: () => void): void {
    let origin = this.#origins.get(name);
    if (!origin) {
      origin = { underWay: 0, waiting: new Set() };
      this.#origins.set(name, origin);
    }
    if (this.#underWay < this.#max && origin.underWay < this.#originMax) {
      this.#start(origin, start);
      return;
    }
    origin.waiting.add(start);
    this.#waiting.add(origin);
  }

  /** A call has ended. */
  release(name: string): void {
    const origin = this.#origins.get(name) as Origin;
    origin.underWay--;
    this.#underWay--;
    if (origin.underWay === 0 && origin.waiting.size === 0) this.#origins.delete(name);
    const next = this.#fewest();
    if (next) this.#startNext(next);
  }

  #fewest(): Origin | undefined {
    let fewest: Origin | undefined;
    for (const origin of this.#waiting) {
      if (origin.underWay < (fewest?.underWay ?? this.#originMax)) fewest = origin;
    }
    return fewest;
  }

  #startNext(origin: Origin): void {
    const [start] = origin.waiting;
    if (!start) return;
    origin.waiting.delete(start);
    if (origin.waiting.size === 0) this.#waiting.delete(origin);
    this.#start(origin, start);
  }

  #start(origin: Origin, start: () => void): void {
    origin.underWay++;
    this.#underWay++;
    start();
  }
}
