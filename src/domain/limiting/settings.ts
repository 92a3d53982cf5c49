import { z } from "zod";
import { limits } from "../limits.ts";

/** Bounds of one scope as they are set; a missing one, and 0, is no limit. */
export interface ScopeRates {
  readonly callsPerSecond?: number | undefined;
  /** Calls at once; default: five seconds' worth. */
  readonly burst?: number | undefined;
  /** Open subscriptions and waiting receives together. */
  readonly streams?: number | undefined;
}

/** What an environment may set for itself; a missing group or number is the server's. */
export interface RateSettings {
  readonly key?: ScopeRates | undefined;
  readonly token?: ScopeRates | undefined;
  readonly user?: ScopeRates | undefined;
  readonly environment?: ScopeRates | undefined;
}

/** What the server's configuration may set. */
export interface ServerRateSettings extends RateSettings {
  readonly address?:
    | {
        readonly callsPerSecond?: number | undefined;
        readonly burst?: number | undefined;
        readonly connections?: number | undefined;
      }
    | undefined;
  readonly failedCredentialsPerMinute?: number | undefined;
}

/** A page that opens makes its calls at once. */
const burstSeconds = 5;
// A bucket counts in floating point: far below 2^53 it stays exact.
const countMax = 1_000_000_000;
const count = (description: string) => z.int().min(0).max(countMax).optional().describe(description);
const burst = (whose: string) =>
  z.int().min(1).max(countMax).optional().describe(`Calls ${whose} at once; default: ${burstSeconds} seconds' worth.`);

const scope = (whose: string) => ({
  callsPerSecond: count(`Calls per second ${whose}; 0 is no limit.`),
  burst: burst(whose),
  streams: count(`Subscriptions and waiting receives ${whose}, open at the same time; 0 is no limit.`),
});
const scopes = {
  key: scope("of one API key"),
  token: scope("of one token"),
  user: scope("of all tokens of one user id"),
  environment: scope("of one environment"),
};

/** {@link RateSettings} in a request or a file. */
export const rateSettingsSchema = z
  .strictObject({
    key: z.strictObject(scopes.key).optional(),
    token: z.strictObject(scopes.token).optional(),
    user: z.strictObject(scopes.user).optional(),
    environment: z.strictObject(scopes.environment).optional(),
  })
  .meta({ id: "RateSettings" });

/** {@link ServerRateSettings} in the configuration: every group is there, its numbers need not be. */
export const serverRateSettingsSchema = z.strictObject({
  key: z.strictObject(scopes.key).prefault({}),
  token: z.strictObject(scopes.token).prefault({}),
  user: z.strictObject(scopes.user).prefault({}),
  environment: z.strictObject(scopes.environment).prefault({}),
  address: z
    .strictObject({
      callsPerSecond: count("Calls per second with tokens from one address (IPv6: one /64); 0 is no limit."),
      burst: burst("of them"),
      connections: count("Open connections of one address; 0 is no limit."),
    })
    .prefault({}),
  failedCredentialsPerMinute: count("Credentials of one address that may be refused per minute; 0 is no limit."),
});

/** What `todoku start` begins with. Who has a key is known, and what all of an environment may do nobody but its operator knows. */
export const productionRates = {
  token: { callsPerSecond: limits.rates.tokenCallsPerSecond, streams: limits.rates.tokenStreams },
  address: { callsPerSecond: limits.rates.addressCallsPerSecond, connections: limits.rates.addressConnections },
  failedCredentialsPerMinute: limits.rates.failedCredentialsPerMinute,
};

/** What `todoku dev` begins with: a developer's own loop is no attack, but a page that guesses is one. */
export const devRates = { failedCredentialsPerMinute: limits.rates.failedCredentialsPerMinute };

/** Bounds of one scope, worked out: 0 is no limit. */
export interface Bounds {
  readonly callsPerSecond: number;
  readonly burst: number;
  readonly streams: number;
}

/** The first of `layers` (the most particular first) that sets a number decides; the burst goes with the rate it was set beside. */
export function toBounds(layers: readonly (ScopeRates | undefined)[]): Bounds {
  const rated = layers.find((layer) => layer?.callsPerSecond !== undefined);
  const bursting = layers.find((layer) => layer?.burst !== undefined || layer === rated);
  const callsPerSecond = rated?.callsPerSecond ?? 0;
  return {
    callsPerSecond,
    burst: bursting?.burst ?? Math.max(1, burstSeconds * callsPerSecond),
    streams: layers.find((layer) => layer?.streams !== undefined)?.streams ?? 0,
  };
}
