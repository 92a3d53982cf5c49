import type { ServerClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { TimerWheel } from "../lib/timer-wheel.ts";

const watchMs = 1000;
/** Less is no news: the steady clock may end a little before the wall clock. */
const behindShownMs = 1000;

/** Goes on from the last steady time that the store has seen. To be called before the store is used. */
export function resumeClock(clock: ServerClock, lastSteadyMs: number, log: Log): void {
  const behindMs = clock.resumeFrom(lastSteadyMs);
  if (behindMs < behindShownMs) return;
  const by = `${Math.round(behindMs / 1000)} s`;
  log.warn(
    { area: "clock", behindMs },
    `the wall clock is ${by} behind the last time that the data directory has seen`,
  );
}

/** Logs when the wall clock is set. */
export function watchClock(clock: ServerClock, wheel: TimerWheel, log: Log): void {
  wheel.schedule(watchMs, () => {
    watchClock(clock, wheel, log);
    clock.watch((stepMs) => {
      const by = `${stepMs < 0 ? "back" : "forward"} by ${Math.round(Math.abs(stepMs) / 100) / 10} s`;
      log.warn({ area: "clock", stepMs }, `the wall clock was set ${by}`);
    });
  });
}
