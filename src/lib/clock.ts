import { uptime } from "node:os";
import { performance } from "node:perf_hooks";

/** Three clocks, never mixed: see docs/design/clocks.md. */
export interface Clock {
  /** Milliseconds since an arbitrary start, for intervals and deadlines of this process: never goes back, does not jump when the wall clock is set. */
  monotonicMs(): number;
  /**
   * Milliseconds since 1970, whole, for ages and deadlines that are stored and ours alone: visibility, retention, time to live. Never goes
   * back; keeps its pace when the wall clock is set, and comes back to it by at most a tenth of the time that passes.
   */
  steadyMs(): number;
  /** Milliseconds since 1970, whole: the true time, for what others read or sign. Jumps when it is set. */
  wallMs(): number;
}

/** What the machine says; a test moves it. */
export interface MachineClocks {
  monotonicMs(): number;
  wallMs(): number;
  /** Milliseconds since the machine's start. It counts while the machine sleeps, which `monotonicMs` does not on Linux. */
  uptimeMs(): number;
}

/** The clock of one server. */
export interface ServerClock extends Clock {
  /**
   * The last steady time that the store has seen: goes on from there if the wall clock is behind it by a day at most. To be called
   * before the clock is used. Returns the milliseconds by which the wall clock is behind it, or 0.
   */
  resumeFrom(lastSteadyMs: number): number;
  /** Calls `onStep` with the milliseconds by which the wall clock was set. To be called each second. */
  watch(onStep: (stepMs: number) => void): void;
}

/** `Date.now` is read each time: it follows a corrected wall clock at once. */
export const systemClock: MachineClocks = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  uptimeMs: () => uptime() * 1000,
};

/** How much faster or slower than real time the steady clock may go, to come back to the wall clock. */
const paceTolerance = 0.1;
/** A wall clock that was further back than this was wrong for other reasons, or is right now after it was far ahead. */
const resumeMaxMs = 24 * 60 * 60 * 1000;
/** Time servers slew by 0.5 ms in a second; `uptimeMs` has steps of 10 ms. */
const stepMinMs = 500;
/** Two reads that lie further apart say nothing of each other: the process stood still between them. */
const togetherMs = 5;
const readTries = 3;

/** Starts at the wall clock. */
export function createClock(machine: MachineClocks = systemClock): ServerClock {
  let atMs = machine.monotonicMs();
  let steadyMs = machine.wallMs();
  let seen = readTogether(machine);

  /** Real time went on by `elapsedMs`: so does the steady clock, and a little nearer to the wall clock. */
  function advance(elapsedMs: number): void {
    const gapMs = machine.wallMs() - (steadyMs + elapsedMs);
    const most = paceTolerance * elapsedMs;
    steadyMs += elapsedMs + Math.max(-most, Math.min(most, gapMs));
  }

  function readSteady(): number {
    const nowMs = machine.monotonicMs();
    advance(nowMs - atMs);
    atMs = nowMs;
    return Math.floor(steadyMs);
  }

  return {
    monotonicMs: machine.monotonicMs,
    wallMs: machine.wallMs,
    steadyMs: readSteady,
    resumeFrom(lastSteadyMs) {
      const behindMs = Math.max(0, lastSteadyMs - readSteady());
      if (behindMs > 0 && behindMs <= resumeMaxMs) steadyMs = lastSteadyMs;
      return behindMs;
    },
    watch(onStep) {
      const now = readTogether(machine);
      if (now === undefined) return;
      const before = seen;
      seen = now;
      if (before === undefined) return;
      const [elapsedMs, wallElapsedMs] = [now.monotonicMs - before.monotonicMs, now.wallMs - before.wallMs];
      const stepMs = Math.round(wallElapsedMs - elapsedMs);
      if (Math.abs(stepMs) < stepMinMs) return;
      const sleptMs = now.uptimeMs - before.uptimeMs - elapsedMs;
      // The machine slept for as long as the wall clock went on: nobody has set it, and what is stored grew older.
      if (Math.abs(stepMs - sleptMs) >= stepMinMs) return onStep(stepMs);
      readSteady();
      advance(sleptMs);
    },
  };
}

/** All clocks of one moment; undefined when the process was interrupted each time. */
function readTogether(machine: MachineClocks) {
  for (let left = readTries; left > 0; left--) {
    const monotonicMs = machine.monotonicMs();
    const [wallMs, uptimeMs] = [machine.wallMs(), machine.uptimeMs()];
    if (machine.monotonicMs() - monotonicMs <= togetherMs) return { monotonicMs, wallMs, uptimeMs };
  }
  return undefined;
}
