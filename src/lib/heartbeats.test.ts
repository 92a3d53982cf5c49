import { expect, it } from "vitest";
import { TestMachine } from "../../test/support/clock.ts";
import { Heartbeats } from "./heartbeats.ts";
import { TimerWheel } from "./timer-wheel.ts";

const slotMs = 20;

function aRound(streams: number) {
  const machine = new TestMachine();
  const wheel = new TimerWheel(machine, { slotMs });
  const heartbeats = new Heartbeats(wheel, { roundMs: 1000, turns: 10 });
  const beats: { stream: number; atMs: number }[] = [];
  const add = (stream: number) => heartbeats.add({ beat: () => beats.push({ stream, atMs: machine.monotonicMs() }) });
  return {
    ...{ machine, wheel, heartbeats, beats },
    removals: Array.from({ length: streams }, (_, stream) => add(stream)),
    add,
    pass(ms: number) {
      for (let left = ms; left > 0; left -= slotMs) {
        machine.pass(slotMs);
        wheel.runOnce();
      }
    },
  };
}

it("beats for each stream once in a round, a whole round after it came, without drift", () => {
  const { beats, add, pass } = aRound(0);
  for (let stream = 0; stream < 10; stream++) {
    add(stream);
    pass(100);
  }
  pass(60_000);
  for (let stream = 0; stream < 10; stream++) {
    const times = beats.filter((beat) => beat.stream === stream).map(({ atMs }) => atMs);
    expect(times).toHaveLength(stream === 0 ? 61 : 60);
    for (const [n, atMs] of times.entries()) {
      const dueMs = stream * 100 + (n + 1) * 1000;
      expect(atMs - dueMs).toBeGreaterThanOrEqual(0);
      expect(atMs - dueMs).toBeLessThanOrEqual(2 * slotMs);
    }
  }
});

it("beats no more for what was taken out, and for nobody once it is stopped", () => {
  const { beats, heartbeats, removals, pass } = aRound(2);
  pass(1100);
  removals[0]?.();
  pass(1000);
  expect(beats.map(({ stream }) => stream)).toEqual([0, 1, 1]);
  heartbeats.stop();
  pass(5000);
  expect(beats).toHaveLength(3);
});

it("does not make up for the turns of a process that stood still", () => {
  const { beats, machine, wheel, pass } = aRound(1);
  machine.pass(90_000);
  wheel.runOnce();
  pass(1000);
  expect(beats.length).toBeLessThanOrEqual(2);
  pass(2000);
  expect(beats.length).toBeLessThanOrEqual(4);
  expect(beats.length).toBeGreaterThanOrEqual(3);
});
