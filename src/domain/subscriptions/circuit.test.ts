import { beforeEach, describe, expect, it } from "vitest";
import { Circuit } from "./circuit.ts";
import type { Outcome } from "./destination.ts";

const delivered: Outcome = { verdict: "delivered", latencyMs: 1 };
const outage: Outcome = { verdict: "retry", isOutage: true, error: "503", latencyMs: 1 };
const refused: Outcome = { verdict: "retry", isOutage: false, error: "500", latencyMs: 1 };
const dead: Outcome = { ...refused, verdict: "dead" };

let circuit: Circuit;
beforeEach(() => {
  circuit = new Circuit();
});

function fail(outcome: Outcome, times: number, item = "1-1", nowMs = 0): void {
  for (let i = 0; i < times; i++) circuit.ended(outcome, item, circuit.begin(), nowMs);
}

/** Fails until it is open, at 0. */
function open(): void {
  fail(outage, 5);
  expect(circuit.isOpen).toBe(true);
}

describe("a circuit", () => {
  it("opens after five attempts in a row that found nothing that works", () => {
    fail(outage, 4);
    expect(circuit.isOpen).toBe(false);
    fail(outage, 1);
    expect(circuit.isOpen).toBe(true);
  });

  it("counts only those in a row", () => {
    for (const between of [delivered, dead, refused]) {
      circuit = new Circuit();
      fail(outage, 4);
      fail(between, 1);
      fail(outage, 4);
      expect(circuit.isOpen).toBe(false);
    }
  });

  it("stays closed when one item fails again and again, or two do, and opens when three do", () => {
    fail(refused, 100, "1-1");
    fail(refused, 100, "1-2");
    expect(circuit.isOpen).toBe(false);
    fail(refused, 1, "1-3");
    expect(circuit.isOpen).toBe(true);
  });

  it("allows one attempt at a time while it is open, when its wait is over", () => {
    open();
    const due = circuit.probeAtMs as number;
    expect(due).toBeGreaterThanOrEqual(800);
    expect(due).toBeLessThanOrEqual(1200);
    expect(circuit.admits(due - 1)).toBe(false);
    expect(circuit.admits(due)).toBe(true);
    expect(circuit.begin()).toBe(true);
    expect(circuit.admits(due + 1_000_000)).toBe(false);
    circuit.abandoned(true);
    expect(circuit.admits(due)).toBe(true);
  });

  it("waits 1, 2, 4 ... 60 s, or what the destination wishes", () => {
    open();
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      const dueMs = circuit.probeAtMs as number;
      fail(outage, 1, "1-1", dueMs);
      waits.push(Math.round(Math.log2(((circuit.probeAtMs as number) - dueMs) / 1000)));
    }
    expect(waits).toEqual([1, 2, 3, 4, 5, 6, 6, 6]);
    const dueMs = circuit.probeAtMs as number;
    fail({ ...outage, retryAfterMs: 7000 } as Outcome, 1, "1-1", dueMs);
    expect(circuit.probeAtMs).toBe(dueMs + 7000);
  });

  it("is not told by attempts that were begun before it opened when the next one is due", () => {
    const early = [circuit.begin(), circuit.begin()];
    open();
    const due = circuit.probeAtMs;
    for (const isProbe of early) circuit.ended(outage, "1-9", isProbe, 500);
    expect(circuit.probeAtMs).toBe(due);
  });

  it("closes when something was delivered, or refused for good", () => {
    for (const outcome of [delivered, dead]) {
      open();
      fail(outcome, 1, "1-1", 5000);
      expect(circuit.isOpen).toBe(false);
      expect(circuit.admits(0)).toBe(true);
      fail(outage, 4);
      expect(circuit.isOpen).toBe(false);
      circuit.close();
    }
  });

  it("closes when a destination that did not work answers that it cannot take this item", () => {
    open();
    fail(refused, 1, "1-1", 5000);
    expect(circuit.isOpen).toBe(false);
  });

  it("stays open when it was of many items that the destination could not take, and it cannot take one more", () => {
    for (const item of ["1-1", "1-2", "1-3", "1-4", "1-5"]) fail(refused, 1, item);
    expect(circuit.isOpen).toBe(true);
    fail(refused, 1, "1-6", 5000);
    expect(circuit.isOpen).toBe(true);
  });

  it("tries at once when somebody says that it works", () => {
    open();
    circuit.tryNow(10);
    expect(circuit.admits(10)).toBe(true);
  });
});
