import { getHeapStatistics } from "node:v8";
import { describe, expect, it } from "vitest";
import { limits } from "../../domain/limits.ts";
import { memoryHistoryBounds, memoryItemBounds, shareOfMemory } from "./memory-share.ts";

const heapBytes = getHeapStatistics().heap_size_limit;

describe("what this process may give to memory caches", () => {
  it("is never more than the share of V8's heap", () => {
    expect(shareOfMemory(1e15, 40)).toBeLessThan(0.4 * heapBytes);
    expect(shareOfMemory(1e15, 40)).toBeGreaterThan(0);
    expect(shareOfMemory(1000, 40)).toBe(1000);
  });

  it("leaves a quarter of it, when all bounds are reached, with remembered messageIds", () => {
    const { memoryMaxPercent } = limits.memoryItems;
    expect(memoryMaxPercent + 1.5 * limits.memoryHistory.memoryPercent).toBeLessThanOrEqual(75);
    expect(memoryHistoryBounds().totalMaxBytes).toBeLessThanOrEqual(shareOfMemory(1e15, 15));
  });

  it("may be configured, but not past what it has", () => {
    expect(memoryItemBounds({ totalMaxBytes: 1_000_000 })).toEqual({
      cacheMaxBytes: limits.memoryItems.cacheMaxBytes,
      environmentMaxBytes: limits.memoryItems.environmentMaxBytes,
      totalMaxBytes: 1_000_000,
    });
    const mostBytes = shareOfMemory(1e15, limits.memoryItems.memoryMaxPercent);
    expect(memoryItemBounds({ totalMaxBytes: mostBytes }).totalMaxBytes).toBe(mostBytes);
    expect(() => memoryItemBounds({ totalMaxBytes: mostBytes + 1 })).toThrow(
      `memory.totalMaxBytes is ${mostBytes + 1} and must be <= ${mostBytes}`,
    );
  });
});
