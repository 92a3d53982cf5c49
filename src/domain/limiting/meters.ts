import { Meter, type MeterName } from "./meter.ts";
import type { Bounds } from "./settings.ts";

// How many are looked at for one that may go: those with open streams stay, and are bounded by what a stream costs.
const lookMax = 16;

/** The meters of one scope, by whom they count. Bounded: the idle ones go, and past `max` those that were seen first. */
export class Meters {
  readonly #meters = new Map<string, Meter>();
  readonly #name: MeterName;
  readonly #max: number;

  constructor(name: MeterName, max: number) {
    this.#name = name;
    this.#max = max;
  }

  get size(): number {
    return this.#meters.size;
  }

  /** The meter of `id`, with these bounds from now on. */
  get(id: string, bounds: Bounds, nowMs: number): Meter {
    const known = this.#meters.get(id);
    if (known) {
      known.adopt(bounds, nowMs);
      return known;
    }
    if (this.#meters.size >= this.#max) this.#makeRoom();
    const meter = new Meter(this.#name, bounds, nowMs);
    this.#meters.set(id, meter);
    return meter;
  }

  /** Forgets those that say nothing. */
  sweep(nowMs: number): void {
    for (const [id, meter] of this.#meters) if (meter.isIdle(nowMs)) this.#forget(id, meter);
  }

  #makeRoom(): void {
    let looked = 0;
    for (const [id, meter] of this.#meters) {
      if (meter.streams === 0) {
        this.#forget(id, meter);
        return;
      }
      if (++looked === lookMax) return;
    }
  }

  #forget(id: string, meter: Meter): void {
    meter.isGone = true;
    this.#meters.delete(id);
  }
}
