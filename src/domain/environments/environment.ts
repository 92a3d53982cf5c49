import type { Durability } from "../cache/cache.ts";
import { TodokuError } from "../errors.ts";
import { type RateSettings, rateSettingsSchema } from "../limiting/settings.ts";
import { limits } from "../limits.ts";
import type { StoredRecord } from "../records/store.ts";

/** What an environment may set for itself; what is absent follows the server's configuration. */
export interface EnvironmentSettings {
  /** Of caches that are created without naming one. */
  readonly cacheDurability?: Durability;
  /** Greatest size of one topic message: 1..`limits.environment.messageMaxBytes`. */
  readonly messageMaxBytes?: number;
  /** Changed as a whole. */
  readonly rates?: RateSettings;
}

/** Settings as a caller gives them: what is left out stays, null goes back to the server's configuration. */
export type SettingsChanges = {
  readonly [Name in keyof EnvironmentSettings]?: EnvironmentSettings[Name] | null | undefined;
};

/** An isolated namespace: every other thing lives in exactly one. */
export interface Environment {
  /** 1..`limits.environment.nameMaxLength` of A-Z, a-z, 0-9 and -; case counts. */
  readonly name: string;
  readonly createdAtMs: number;
  /** The environment whose settings, caches and queues it began with. */
  readonly copiedFrom?: string;
  /** The environments whose shared secrets it may read. */
  readonly secretsFrom: readonly string[];
  readonly settings: EnvironmentSettings;
  /** `destroying`: nobody gets in any more, and what is in it is being removed. */
  readonly state: "live" | "destroying";
}

/** What lies in a record of kind `environment`. `making`: its caches and queues are being copied, and nobody may see it yet. */
export interface EnvironmentDocument extends Omit<Environment, "name" | "state"> {
  readonly state: Environment["state"] | "making";
}

/** The document of a stored environment. */
export function readEnvironment({ document }: StoredRecord): EnvironmentDocument {
  return document as unknown as EnvironmentDocument;
}

/** @throws TodokuError `invalid_argument`. */
export function checkEnvironmentName(name: string): void {
  const { nameMaxLength } = limits.environment;
  if (name.length > nameMaxLength) {
    throw new TodokuError(
      "invalid_argument",
      `environment name has ${name.length} characters; must be <= ${nameMaxLength}`,
    );
  }
  if (/^[A-Za-z0-9-]+$/.test(name)) return;
  throw new TodokuError(
    "invalid_argument",
    `environment name "${name}" must be of the characters A-Z, a-z, 0-9 and -, at least one`,
  );
}

/** `settings` with the changes. @throws TodokuError `invalid_argument` that names the field, its value and the bound. */
export function changeSettings(settings: EnvironmentSettings, changes: SettingsChanges): EnvironmentSettings {
  const { messageMaxBytes } = changes;
  const max = limits.environment.messageMaxBytes;
  if (
    typeof messageMaxBytes === "number" &&
    !(Number.isSafeInteger(messageMaxBytes) && messageMaxBytes >= 1 && messageMaxBytes <= max)
  ) {
    throw new TodokuError(
      "invalid_argument",
      `messageMaxBytes ${messageMaxBytes} must be a whole number that is >= 1 and <= ${max}`,
    );
  }
  const rates = rateSettingsSchema.safeParse(changes.rates ?? {});
  if (rates.error) {
    const [issue] = rates.error.issues;
    throw new TodokuError(
      "invalid_argument",
      `rates${(issue?.path ?? []).map((part) => `.${String(part)}`).join("")}: ${issue?.message}`,
    );
  }
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  const kept = Object.entries({ ...settings, ...Object.fromEntries(given) }).filter(([, value]) => value !== null);
  return Object.fromEntries(kept);
}
