/** What is counted of an environment; under "" what belongs to none: handshakes of strangers, and environments that are gone. */
export interface GatewayStats {
  /** Handshakes that were refused, by the code of the error; `handshake`: they were none. */
  readonly refused: Map<string, number>;
  /** Frames of clients that were routed, by route; `unknown` for those without one. */
  readonly received: Map<string, number>;
  /** Frames that were refused for a rate. */
  throttled: number;
  /** Frames to clients. */
  sent: number;
  /** Connections that are over, by close code; `other` for codes that clients chose. */
  readonly closed: Map<string, number>;
}

const knownCodes = new Set([
  ...[1000, 1001, 1002, 1003, 1005, 1006, 1007, 1009, 1011, 1012, 1013],
  ...[4400, 4401, 4403, 4408, 4409, 4410, 4429, 4503],
]);

/** Counts by environment. */
export class GatewayCounters {
  readonly #stats = new Map<string, GatewayStats>();

  /** The counters of an environment, to be kept by whoever counts often. */
  of(environment: string): GatewayStats {
    let stats = this.#stats.get(environment);
    if (!stats) {
      stats = { refused: new Map(), received: new Map(), throttled: 0, sent: 0, closed: new Map() };
      this.#stats.set(environment, stats);
    }
    return stats;
  }

  /** For what ends late: an environment that is gone does not come back for it. */
  ofKnown(environment: string): GatewayStats {
    return this.#stats.get(environment) ?? this.of("");
  }

  all(): ReadonlyMap<string, GatewayStats> {
    return this.#stats;
  }

  /** The environment is gone: a sum must not fall. */
  forget(environment: string): void {
    const was = this.#stats.get(environment);
    if (!was || environment === "") return;
    this.#stats.delete(environment);
    const gone = this.of("");
    gone.throttled += was.throttled;
    gone.sent += was.sent;
    for (const name of ["refused", "received", "closed"] as const) {
      for (const [key, count] of was[name]) addTo(gone[name], key, count);
    }
  }
}

export function addTo(counts: Map<string, number>, key: string, more = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + more);
}

/** Bounded: clients may close with any of two thousand codes. */
export function closeLabel(code: number): string {
  return knownCodes.has(code) ? String(code) : "other";
}
