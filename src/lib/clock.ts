import { performance } from "node:perf_hooks";

/** Two clocks, never mixed: intervals and deadlines in this process use `monotonicMs`; what is stored or signed uses `wallMs`. */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back, does not jump when the wall clock is set. */
  monotonicMs(): number;
  /** Milliseconds since 1970, whole. */
  wallMs(): number;
}

/** The machine's clocks. `Date.now` is read each time: it follows a corrected wall clock at once. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};
