import { getHeapStatistics } from "node:v8";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { MemoryBounds } from "./memory-budget.ts";
import type { MemoryHistoryBounds } from "./memory-topics.ts";

/** V8's limit includes three semi-spaces of 64 MiB, in which nothing stays: `--max-old-space-size` is the rest. */
const youngBytes = 192 * 1024 * 1024;

/** `maxBytes`, or less where this process may not have much: at most `percent` of V8's old space, and of the container's memory. */
export function shareOfMemory(maxBytes: number, percent: number): number {
  const { heap_size_limit: heapBytes } = getHeapStatistics();
  const oldBytes = Math.max(heapBytes - youngBytes, heapBytes / 4);
  // 0: not known. Without a container it is far more than there is.
  const containerBytes = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.floor(Math.min(maxBytes, (Math.min(oldBytes, containerBytes) * percent) / 100));
}

type Given<T> = { readonly [name in keyof T]?: T[name] | undefined };

/** As given, else `limits.memoryItems`, of the total this process's share. @throws TodokuError `failed_precondition`: more than it can hold. */
export function memoryItemBounds({
  cacheMaxBytes,
  environmentMaxBytes,
  totalMaxBytes,
}: Given<MemoryBounds> = {}): MemoryBounds {
  const { memoryPercent, memoryMaxPercent, ...defaults } = limits.memoryItems;
  const mostBytes = shareOfMemory(Number.POSITIVE_INFINITY, memoryMaxPercent);
  if (totalMaxBytes !== undefined && totalMaxBytes > mostBytes) {
    throw new TodokuError(
      "failed_precondition",
      `memory.totalMaxBytes is ${totalMaxBytes} and must be <= ${mostBytes}, ${memoryMaxPercent} % of what this process may use: raise NODE_OPTIONS=--max-old-space-size, or the container's memory`,
    );
  }
  return {
    cacheMaxBytes: cacheMaxBytes ?? defaults.cacheMaxBytes,
    environmentMaxBytes: environmentMaxBytes ?? defaults.environmentMaxBytes,
    totalMaxBytes: totalMaxBytes ?? shareOfMemory(defaults.totalMaxBytes, memoryPercent),
  };
}

/** `limits.memoryHistory`, of the total this process's share. */
export function memoryHistoryBounds(): MemoryHistoryBounds {
  const { totalMaxBytes, memoryPercent } = limits.memoryHistory;
  return { ...limits.memoryHistory, totalMaxBytes: shareOfMemory(totalMaxBytes, memoryPercent) };
}
