import { ApiError } from "./api-error.ts";

/** How often one user may do something. */
export interface Rate {
  /** At once, after a pause. */
  readonly burst: number;
  readonly perMinute: number;
}

/** Users that are remembered. Past it the one that was idle longest is forgotten, and starts anew. */
const usersMax = 10_000;

/** A token bucket per user. */
export class RateLimit {
  readonly #rate: Rate;
  readonly #monotonicMs: () => number;
  /** Least recently used first. */
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(rate: Rate, monotonicMs: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#monotonicMs = monotonicMs;
  }

  /** @throws ApiError 429, which says when there will be a token. */
  take(user: string): void {
    const nowMs = this.#monotonicMs();
    const perMs = this.#rate.perMinute / 60_000;
    const bucket = this.#buckets.get(user) ?? { tokens: this.#rate.burst, atMs: nowMs };
    const tokens = Math.min(this.#rate.burst, bucket.tokens + (nowMs - bucket.atMs) * perMs);
    const isAllowed = tokens >= 1;
    this.#buckets.delete(user);
    this.#buckets.set(user, { tokens: isAllowed ? tokens - 1 : tokens, atMs: nowMs });
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= usersMax) break;
      this.#buckets.delete(oldest);
    }
    if (isAllowed) return;
    const waitSeconds = Math.ceil((1 - tokens) / perMs / 1000);
    throw new ApiError(429, `Too many requests: ${this.#rate.perMinute} a minute are allowed`, {
      "retry-after": String(Math.max(1, waitSeconds)),
    });
  }
}
