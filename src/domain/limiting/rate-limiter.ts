import { BoundedMap } from "../../lib/bounded-map.ts";
import type { Clock } from "../../lib/clock.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { Caller, Principal } from "../auth/principal.ts";
import { limits } from "../limits.ts";
import type { Meter } from "./meter.ts";
import { Meters } from "./meters.ts";
import { toNetwork } from "./network.ts";
import type { Rates } from "./rates.ts";
import { type Bounds, type RateSettings, type ServerRateSettings, toBounds } from "./settings.ts";

/** How often idle meters are forgotten. */
const sweepMs = 10_000;
/** How soon an environment's new settings count: they may have been made on another node. */
const refreshMs = 1000;

const scopes = ["key", "token", "user", "environment"] as const;
type Scope = (typeof scopes)[number];

/** The meters of one principal; those of scopes without a bound are not there. */
interface Account {
  readonly version: number;
  readonly calls: readonly Meter[];
  readonly streams: readonly Meter[];
}

export interface RateLimiterParts {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly wheel: Pick<TimerWheel, "schedule">;
  readonly settings: ServerRateSettings;
  /** What the environment has set for itself; asked each second for those that are counted. */
  readonly settingsOf: (environment: string) => RateSettings | undefined;
}

/**
 * {@link Rates} by token buckets, in this process: several nodes each have their own. A call of a known principal costs a look-up
 * and, for each bound that it has, a few additions; without bounds only the look-up.
 */
export class RateLimiter implements Rates {
  readonly #parts: RateLimiterParts;
  #settings: ServerRateSettings;
  readonly #meters: Readonly<Record<Scope, Meters>>;
  readonly #addresses = new Meters({ counted: "calls with tokens", whose: "this address" }, limits.rates.metersMax);
  readonly #failed = new Meters({ counted: "refused credentials", whose: "this address" }, limits.rates.metersMax);
  readonly #networks = new BoundedMap<string, string>(limits.rates.metersMax);
  readonly #accounts = new WeakMap<Principal, Account>();
  /** By environment: its bounds, and the settings that they were worked out of. */
  readonly #environments = new Map<
    string,
    { readonly settings: RateSettings | undefined; readonly bounds: Readonly<Record<Scope, Bounds>> }
  >();
  /** Grows with each change of settings: accounts of an older one are made again. */
  #version = 0;
  #addressBounds: Bounds;
  #failedBounds: Bounds;

  constructor(parts: RateLimiterParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
    const meters = (scope: Scope) => new Meters({ counted: "calls", whose: `this ${scope}` }, limits.rates.metersMax);
    this.#meters = {
      key: meters("key"),
      token: meters("token"),
      user: meters("user"),
      environment: meters("environment"),
    };
    this.#addressBounds = this.#boundsOfAddress();
    this.#failedBounds = this.#boundsOfFailed();
    this.#repeat(sweepMs, () => this.#sweep());
    this.#repeat(refreshMs, () => this.#refresh());
  }

  /** Other settings from now on. What is open stays open, and buckets keep what was taken from them. */
  configure(settings: ServerRateSettings): void {
    this.#settings = settings;
    this.#version++;
    this.#environments.clear();
    this.#addressBounds = this.#boundsOfAddress();
    this.#failedBounds = this.#boundsOfFailed();
  }

  /** Open connections of one address; 0 is no limit. */
  get connectionsMax(): number {
    return this.#settings.address?.connections ?? 0;
  }

  /** The environment is gone. */
  forget(environment: string): void {
    this.#environments.delete(environment);
    this.#version++;
  }

  admit(principal: Principal, caller: Caller): void {
    const { calls } = this.#account(principal);
    // A worker with a key may do what the key may, wherever it runs; tokens are handed to anybody, and anybody may sign in.
    const isOfAddress = isOfPerson(principal) && this.#addressBounds.callsPerSecond > 0;
    if (calls.length === 0 && !isOfAddress) return;
    const nowMs = this.#parts.clock.monotonicMs();
    const address = isOfAddress ? this.#addresses.get(this.#network(caller), this.#addressBounds, nowMs) : undefined;
    address?.check(nowMs);
    for (const meter of calls) meter.check(nowMs);
    address?.count();
    for (const meter of calls) meter.count();
  }

  admitUnknown(caller: Caller): void {
    if (this.#failedBounds.callsPerSecond === 0) return;
    const nowMs = this.#parts.clock.monotonicMs();
    this.#failed.get(this.#network(caller), this.#failedBounds, nowMs).check(nowMs);
  }

  refused(caller: Caller): void {
    if (this.#failedBounds.callsPerSecond === 0) return;
    this.#failed.get(this.#network(caller), this.#failedBounds, this.#parts.clock.monotonicMs()).count();
  }

  openStream(principal: Principal): () => void {
    const { streams } = this.#account(principal);
    for (const meter of streams) meter.checkStream();
    for (const meter of streams) meter.streams++;
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      for (const meter of streams) meter.streams--;
    };
  }

  #account(principal: Principal): Account {
    const known = this.#accounts.get(principal);
    if (known?.version === this.#version && !known.calls.some(isGone) && !known.streams.some(isGone)) return known;
    const account = this.#toAccount(principal);
    this.#accounts.set(principal, account);
    return account;
  }

  #toAccount(principal: Principal): Account {
    const bounds = this.#boundsOf(principal.environment);
    const nowMs = this.#parts.clock.monotonicMs();
    const calls: Meter[] = [];
    const streams: Meter[] = [];
    for (const scope of scopes) {
      const id = idOf(principal, scope);
      const bound = bounds[scope];
      if (id === undefined || (bound.callsPerSecond === 0 && bound.streams === 0)) continue;
      const meter = this.#meters[scope].get(`${principal.environment}/${id}`, bound, nowMs);
      if (bound.callsPerSecond > 0) calls.push(meter);
      if (bound.streams > 0) streams.push(meter);
    }
    return { version: this.#version, calls, streams };
  }

  #boundsOf(environment: string): Readonly<Record<Scope, Bounds>> {
    const known = this.#environments.get(environment);
    if (known) return known.bounds;
    const settings = this.#parts.settingsOf(environment);
    const of = (scope: Scope) => toBounds([settings?.[scope], this.#settings[scope]]);
    const bounds = { key: of("key"), token: of("token"), user: of("user"), environment: of("environment") };
    this.#environments.set(environment, { settings, bounds });
    return bounds;
  }

  #boundsOfAddress(): Bounds {
    return toBounds([this.#settings.address]);
  }

  #boundsOfFailed(): Bounds {
    const perMinute = this.#settings.failedCredentialsPerMinute ?? 0;
    return { callsPerSecond: perMinute / 60, burst: Math.max(1, perMinute), streams: 0 };
  }

  #network({ address = "" }: Caller): string {
    if (!address.includes(":")) return address;
    let network = this.#networks.get(address);
    if (network === undefined) {
      network = toNetwork(address);
      this.#networks.set(address, network);
    }
    return network;
  }

  #refresh(): void {
    for (const [environment, { settings }] of this.#environments) {
      if (this.#parts.settingsOf(environment) === settings) continue;
      this.#environments.delete(environment);
      this.#version++;
    }
  }

  #sweep(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const meters of [...Object.values(this.#meters), this.#addresses, this.#failed]) meters.sweep(nowMs);
  }

  #repeat(intervalMs: number, work: () => void): void {
    this.#parts.wheel.schedule(intervalMs, () => {
      this.#repeat(intervalMs, work);
      work();
    });
  }
}

/** Has it a credential that persons have, not programs? */
function isOfPerson({ kind }: Principal): boolean {
  return kind === "token" || kind === "user";
}

function isGone(meter: Meter): boolean {
  return meter.isGone;
}

/** Whom the scope counts the principal as; undefined: it does not. Tokens do not count for the key that issued them. */
function idOf(principal: Principal, scope: Scope): string | undefined {
  switch (scope) {
    case "key":
      return isOfPerson(principal) ? undefined : (principal.keyId ?? principal.kind);
    case "token":
      return principal.kind === "user" ? principal.userId : principal.jti;
    case "user":
      return principal.userId;
    case "environment":
      return "";
  }
}
