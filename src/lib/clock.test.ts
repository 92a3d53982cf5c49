import fc from "fast-check";
import { expect, it } from "vitest";
import { TestMachine } from "../../test/support/clock.ts";
import { createClock, type MachineClocks, systemClock } from "./clock.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ act: fc.constant("pass" as const), ms: fc.double({ min: 0, max: 5000, noNaN: true }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ act: fc.constant("set" as const), ms: fc.integer({ min: -2 * dayMs, max: 2 * dayMs }) }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("read" as const), ms: fc.constant(0) }) },
);

it("steadyMs never goes back and keeps its pace within a tenth, however the wall clock is set and whenever it is read", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const machine = new TestMachine();
      const clock = createClock(machine);
      let last = { atMs: machine.monotonicMs(), steadyMs: clock.steadyMs() };
      for (const { act, ms } of steps) {
        if (act === "pass") machine.pass(ms);
        else if (act === "set") machine.setBy(ms);
        else clock.watch(() => {});
        const now = { atMs: machine.monotonicMs(), steadyMs: clock.steadyMs() };
        const elapsedMs = now.atMs - last.atMs;
        expect(now.steadyMs).toBeGreaterThanOrEqual(last.steadyMs);
        // Each read is rounded down.
        expect(now.steadyMs - last.steadyMs).toBeGreaterThanOrEqual(0.9 * elapsedMs - 1);
        expect(now.steadyMs - last.steadyMs).toBeLessThanOrEqual(1.1 * elapsedMs + 1);
        last = now;
      }
    }),
  );
});

it("steadyMs comes back to the wall clock in ten times the step, and stays with it", () => {
  fc.assert(
    fc.property(fc.integer({ min: -dayMs, max: dayMs }), (setByMs) => {
      const machine = new TestMachine();
      const clock = createClock(machine);
      machine.setBy(setByMs);
      const [gapMs, secondMs] = [Math.abs(setByMs), 1000];
      machine.pass(5 * gapMs);
      expect(Math.abs(Math.abs(clock.steadyMs() - machine.wallMs()) - gapMs / 2)).toBeLessThanOrEqual(1);
      machine.pass(5 * gapMs + 10);
      for (let second = 0; second < 10; second++) {
        expect(Math.abs(clock.steadyMs() - machine.wallMs())).toBeLessThanOrEqual(1);
        machine.pass(secondMs);
      }
    }),
  );
});

it("goes on from the last steady time of the store while the wall clock is behind it by a day at most", () => {
  const machine = new TestMachine();
  const wallMs = machine.wallMs();
  const resumed = (lastMs: number) => {
    const clock = createClock(machine);
    return [clock.resumeFrom(lastMs) / 1000, clock.steadyMs() - wallMs];
  };
  expect(resumed(0)).toEqual([0, 0]);
  expect(resumed(wallMs - hourMs)).toEqual([0, 0]);
  expect(resumed(wallMs + hourMs)).toEqual([3600, hourMs]);
  expect(resumed(wallMs + dayMs)).toEqual([86_400, dayMs]);
  expect(resumed(wallMs + dayMs + 1000)).toEqual([86_401, 0]);
});

it("tells by how much the wall clock was set, once", () => {
  const machine = new TestMachine();
  const clock = createClock(machine);
  const steps: number[] = [];
  const watch = () => clock.watch((stepMs) => steps.push(stepMs));
  machine.pass(1000);
  watch();
  for (const stepMs of [hourMs, -hourMs, 700]) {
    machine.pass(1000);
    machine.setBy(stepMs);
    watch();
    machine.pass(1000);
    watch();
  }
  machine.pass(1000);
  machine.setBy(-400);
  watch();
  expect(steps).toEqual([hourMs, -hourMs, 700]);
});

it("takes neither a process that stood still nor a busy loop for a step", () => {
  const machine = new TestMachine();
  const clock = createClock(machine);
  const steps: number[] = [];
  machine.pass(90_000);
  clock.watch((stepMs) => steps.push(stepMs));
  expect(steps).toEqual([]);
});

it("takes no process that stands still between two reads for a step", () => {
  const machine = new TestMachine();
  let reads = 0;
  const stopping: MachineClocks = {
    ...machine,
    wallMs() {
      const wallMs = machine.wallMs();
      if (++reads % 2 === 0) machine.pass(30_000);
      return wallMs;
    },
  };
  const clock = createClock(stopping);
  const steps: number[] = [];
  for (let second = 0; second < 10; second++) {
    machine.pass(1000);
    clock.watch((stepMs) => steps.push(stepMs));
  }
  expect(steps).toEqual([]);
});

it("counts the time for which the machine slept, and calls it no step", () => {
  const machine = new TestMachine();
  const clock = createClock(machine);
  const steps: number[] = [];
  machine.pass(1000);
  const beforeMs = clock.steadyMs();
  machine.sleep(8 * hourMs);
  machine.pass(600);
  clock.watch((stepMs) => steps.push(stepMs));
  expect(steps).toEqual([]);
  expect(clock.steadyMs() - beforeMs).toBeGreaterThanOrEqual(8 * hourMs);
  expect(clock.steadyMs()).toBeLessThanOrEqual(machine.wallMs());
});

it("reads the machine's clocks", () => {
  const [beforeMs, clock] = [Date.now(), createClock()];
  expect(clock.wallMs()).toBeGreaterThanOrEqual(beforeMs);
  expect(Math.abs(clock.steadyMs() - Date.now())).toBeLessThan(1000);
  expect(systemClock.uptimeMs()).toBeGreaterThan(0);
});
