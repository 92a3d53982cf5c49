import type { HandlerCounts, HandlerStats } from "./handlers.ts";
import type { HostedHandler } from "./hosted-handler.ts";

/** What is counted of handlers, by environment. */
export class HandlerStatsByEnvironment {
  readonly #stats = new Map<string, HandlerStats>();

  /** An invocation has ended. */
  count(environment: string, outcome: keyof HandlerCounts, durationMs: number): void {
    const stats = this.#of(environment);
    stats[outcome]++;
    stats.durationMs += durationMs;
  }

  /** What was counted of it goes to those that are gone: a sum must not fall. */
  forgetEnvironment(environment: string): void {
    const was = this.#stats.get(environment);
    if (!was) return;
    this.#stats.delete(environment);
    const gone = this.#of("");
    for (const key of ["succeeded", "failed", "timedOut", "durationMs"] as const) gone[key] += was[key];
  }

  all(handlers: readonly HostedHandler[]): ReadonlyMap<string, HandlerStats> {
    for (const stats of this.#stats.values()) Object.assign(stats, { running: 0, waiting: 0, failing: 0 });
    for (const { definition, info } of handlers) {
      const stats = this.#of(definition.environment);
      stats.running += info.running;
      stats.waiting += info.waiting;
      if (info.state === "failing") stats.failing++;
    }
    return this.#stats;
  }

  #of(environment: string): HandlerStats {
    let stats = this.#stats.get(environment);
    if (!stats) {
      stats = { succeeded: 0, failed: 0, timedOut: 0, durationMs: 0, running: 0, waiting: 0, failing: 0 };
      this.#stats.set(environment, stats);
    }
    return stats;
  }
}
