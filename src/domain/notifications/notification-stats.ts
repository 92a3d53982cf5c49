/** What became of an environment's notifications since the start. Who counts frames: `Connections.stats`. */
export interface NotificationStats {
  /** Requests that were carried out. */
  requests: number;
  /** Users whom a request named, and who were not there. */
  offline: number;
  /** Requests that became dead letters. */
  dead: number;
}

/** By environment; under "" those that are gone, for a sum must not fall. */
export class NotificationCounts {
  readonly #stats = new Map<string, NotificationStats>();

  of(environment: string): NotificationStats {
    let stats = this.#stats.get(environment);
    if (!stats) {
      stats = { requests: 0, offline: 0, dead: 0 };
      this.#stats.set(environment, stats);
    }
    return stats;
  }

  forgetEnvironment(environment: string): void {
    const was = this.#stats.get(environment);
    if (!was) return;
    this.#stats.delete(environment);
    const gone = this.of("");
    for (const field of ["requests", "offline", "dead"] as const) gone[field] += was[field];
  }

  all(): ReadonlyMap<string, NotificationStats> {
    return this.#stats;
  }
}
