import { limits } from "../limits.ts";

interface Call {
  readonly bytes: number;
  readonly start: () => void;
}

interface Origin {
  underWay: number;
  /** In the order in which they came. */
  readonly waiting: Set<Call>;
}

/** What may be under way. */
export interface CallBounds {
  readonly max: number;
  readonly originMax: number;
  /** Of the bodies of all calls. */
  readonly maxBytes: number;
}

const defaultBounds: CallBounds = {
  max: limits.webhook.inFlightMax,
  originMax: limits.webhook.originInFlightMax,
  maxBytes: limits.webhook.inFlightMaxBytes,
};

/**
 * Bounds the calls that are under way, of the whole process and of each origin, and the memory of their bodies. When there is no room, what
 * becomes free goes to the origin with the fewest calls: a few that are slow cannot take it all for themselves.
 */
export class CallSlots {
  readonly #bounds: CallBounds;
  readonly #origins = new Map<string, Origin>();
  /** Those of them for which somebody waits. */
  readonly #waiting = new Set<Origin>();
  #underWay = 0;
  #bytes = 0;

  constructor(bounds: Partial<CallBounds> = {}) {
    this.#bounds = { ...defaultBounds, ...bounds };
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Calls `start` as soon as a call to the origin may begin: now, or later. Who started calls `release` with the same. */
  take(name: string, bytes: number, start: () => void): void {
    let origin = this.#origins.get(name);
    if (!origin) {
      origin = { underWay: 0, waiting: new Set() };
      this.#origins.set(name, origin);
    }
    origin.waiting.add({ bytes, start });
    this.#waiting.add(origin);
    this.#startNext();
  }

  /** A call has ended. */
  release(name: string, bytes: number): void {
    const origin = this.#origins.get(name) as Origin;
    origin.underWay--;
    this.#underWay--;
    this.#bytes -= this.#weight(bytes);
    if (origin.underWay === 0 && origin.waiting.size === 0) this.#origins.delete(name);
    this.#startNext();
  }

  /** A large call waits for its room and nobody goes past it, but those of origins with fewer calls. */
  #startNext(): void {
    for (let origin = this.#fewest(); origin && this.#underWay < this.#bounds.max; origin = this.#fewest()) {
      const [call] = origin.waiting;
      if (!call || this.#bytes + this.#weight(call.bytes) > this.#bounds.maxBytes) return;
      origin.waiting.delete(call);
      // Behind the others: of those with as many calls the one is next that has waited for longest.
      this.#waiting.delete(origin);
      if (origin.waiting.size > 0) this.#waiting.add(origin);
      origin.underWay++;
      this.#underWay++;
      this.#bytes += this.#weight(call.bytes);
      call.start();
    }
  }

  #fewest(): Origin | undefined {
    let fewest: Origin | undefined;
    for (const origin of this.#waiting) {
      if (origin.underWay < (fewest?.underWay ?? this.#bounds.originMax)) fewest = origin;
    }
    return fewest;
  }

  /** One that is larger than all that may be has to be made too. */
  #weight(bytes: number): number {
    return Math.min(bytes, this.#bounds.maxBytes);
  }
}
