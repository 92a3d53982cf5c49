import { expect, it } from "vitest";
import { addTo, GatewayCounters } from "./stats.ts";

it("a connection that ends behind its environment is counted as one of those that are gone", () => {
  const counters = new GatewayCounters();
  addTo(counters.of("short").closed, "4401");
  counters.forget("short");
  addTo(counters.ofKnown("short").closed, "4401");
  expect([...counters.all().keys()]).toEqual([""]);
  expect(counters.of("").closed).toEqual(new Map([["4401", 2]]));
});
