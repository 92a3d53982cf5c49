import type { Connection } from "../../domain/connections/connection.ts";
import { Meter } from "../../domain/limiting/meter.ts";
import { Meters } from "../../domain/limiting/meters.ts";
import { type Bounds, toBounds } from "../../domain/limiting/settings.ts";
import { limits } from "../../domain/limits.ts";
import type { FrameRate, GatewaySettings } from "./options.ts";

/** How often idle meters are forgotten. */
const sweepMs = 10_000;
const name = (counted: string, whose: string) => ({ counted, whose: `this ${whose}` });

/** The meters of one connection; those without a bound are not there. */
export interface FrameAccount {
  readonly version: number;
  readonly meters: readonly Meter[];
}

const nothing: readonly Meter[] = [];

/** How many frames and new connections there may be, by token buckets in this process. Without bounds a frame costs a comparison. */
export class Throttle {
  readonly #users = new Meters(name("frames", "user"), limits.rates.metersMax);
  readonly #environments = new Meters(name("frames", "environment"), limits.rates.metersMax);
  readonly #opened = new Meters(name("new connections", "environment"), limits.rates.metersMax);
  #bounds: Readonly<Record<"connection" | "user" | "environment" | "opened", Bounds>>;
  /** Grows with each change of settings: accounts of an older one are made again. */
  #version = 0;
  #sweptAtMs = 0;

  constructor(rates: GatewaySettings["rates"]) {
    this.#bounds = boundsOf(rates);
  }

  configure(rates: GatewaySettings["rates"]): void {
    this.#bounds = boundsOf(rates);
    this.#version++;
  }

  /** Counts one new connection. @throws TodokuError `limit_exceeded` with subject `operations`. */
  admitConnection(environment: string, nowMs: number): void {
    if (this.#bounds.opened.callsPerSecond === 0) return;
    const meter = this.#opened.get(environment, this.#bounds.opened, nowMs);
    meter.check(nowMs);
    meter.count();
  }

  /** Counts one frame. Returns the account to give next time. @throws TodokuError `limit_exceeded` that names whose rate, and when to try again. */
  admitFrame(account: FrameAccount | undefined, connection: Connection, clock: () => number): FrameAccount {
    const current = account?.version === this.#version && !account.meters.some(isGone) ? account : undefined;
    if (current?.meters.length === 0) return current;
    const nowMs = clock();
    const { version, meters } = current ?? this.#account(account, connection, nowMs);
    for (const meter of meters) meter.check(nowMs);
    for (const meter of meters) meter.count();
    return current ?? { version, meters };
  }

  /** For the tick each second. */
  sweep(nowMs: number): void {
    if (nowMs - this.#sweptAtMs < sweepMs) return;
    this.#sweptAtMs = nowMs;
    for (const meters of [this.#users, this.#environments, this.#opened]) meters.sweep(nowMs);
  }

  #account(before: FrameAccount | undefined, { environment, userId }: Connection, nowMs: number): FrameAccount {
    const { connection, user, environment: ofEnvironment } = this.#bounds;
    const meters: Meter[] = [];
    if (connection.callsPerSecond > 0) {
      // A bucket that is made again is full: it must not be for the sake of another one that was forgotten.
      const known = before?.version === this.#version ? before.meters[0] : undefined;
      meters.push(known ?? new Meter(name("frames", "connection"), connection, nowMs));
    }
    if (user.callsPerSecond > 0 && userId !== undefined) {
      meters.push(this.#users.get(JSON.stringify([environment, userId]), user, nowMs));
    }
    if (ofEnvironment.callsPerSecond > 0) meters.push(this.#environments.get(environment, ofEnvironment, nowMs));
    return { version: this.#version, meters: meters.length === 0 ? nothing : meters };
  }
}

function isGone(meter: Meter): boolean {
  return meter.isGone;
}

function boundsOf({ connection, user, environment, connectionsPerSecond }: GatewaySettings["rates"]) {
  const toFrameBounds = ({ framesPerSecond, burst }: FrameRate) =>
    toBounds([{ callsPerSecond: framesPerSecond, burst }]);
  return {
    connection: toFrameBounds(connection),
    user: toFrameBounds(user),
    environment: toFrameBounds(environment),
    // A second's worth at once, as API Gateway has it.
    opened: toBounds([{ callsPerSecond: connectionsPerSecond, burst: Math.max(1, connectionsPerSecond) }]),
  };
}
