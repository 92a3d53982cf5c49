import { expect, it } from "vitest";
import { Meters } from "./meters.ts";

const name = { counted: "calls", whose: "this address" };
const bounds = { callsPerSecond: 10, burst: 10, streams: 0 };

it("a flood of addresses does not grow it past its bound", () => {
  const meters = new Meters(name, 100);
  for (let i = 0; i < 10_000; i++) meters.get(`address ${i}`, bounds, 0).count();
  expect(meters.size).toBe(100);
});

it("those with open streams stay when room is made, and say no more that they are gone", () => {
  const meters = new Meters(name, 2);
  const open = meters.get("open", bounds, 0);
  open.streams++;
  const idle = meters.get("idle", bounds, 0);
  meters.get("new", bounds, 0);
  expect([open.isGone, idle.isGone]).toEqual([false, true]);
  expect(meters.get("open", bounds, 0)).toBe(open);
});

it("a sweep forgets what is full again, and keeps what is not", () => {
  const meters = new Meters(name, 100);
  meters.get("early", bounds, 0).count();
  meters.get("late", bounds, 950).count();
  meters.sweep(1000);
  expect(meters.size).toBe(1);
  meters.sweep(1050);
  expect(meters.size).toBe(0);
});

it("those whose rate was taken away are forgotten though their bucket was not full", () => {
  const meters = new Meters({ counted: "calls", whose: "this key" }, 10);
  const emptied = meters.get("a", bounds, 0);
  for (let i = 0; i < 10; i++) emptied.count();
  meters.get("a", { callsPerSecond: 0, burst: 1, streams: 1 }, 0);
  meters.sweep(3_600_000);
  expect(meters.size).toBe(0);
});
