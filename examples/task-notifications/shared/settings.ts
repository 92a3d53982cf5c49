import { join } from "node:path";
import { z } from "zod";
import { defaultStage, defaultStateDir, type ResourceNames, resourceNames } from "./names.ts";

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment says something that cannot be. The text names each variable. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;

/** What the API, the worker and the set-up have in common. */
const commonSettings = z.object({
  /** Queue names have 80 characters; ours have up to 11 before the stage. */
  STAGE: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,60}$/, "must be 1..60 of A-Z a-z 0-9 _ -")
    .default(defaultStage),
  STATE_DIR: z.string().optional(),
  TODOKU_URL: httpUrl().default("http://127.0.0.1:8080"),
  LOG_LEVEL: z.enum(logLevels).default("info"),
});

/** The same, with the stage applied. */
export interface CommonSettings {
  readonly names: ResourceNames;
  readonly stateDir: string;
  readonly todokuUrl: string;
  readonly logLevel: (typeof logLevels)[number];
}

/** @throws SettingsError. */
export function readCommonSettings(environment: Environment): CommonSettings {
  const settings = readSettings(commonSettings, environment);
  return {
    names: resourceNames(settings.STAGE),
    stateDir: settings.STATE_DIR ?? defaultStateDir(settings.STAGE),
    todokuUrl: settings.TODOKU_URL,
    logLevel: settings.LOG_LEVEL,
  };
}

/** A variable that is set to nothing counts as not set. @throws SettingsError. */
export function readSettings<T>(schema: z.ZodType<T>, environment: Environment): T {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw new SettingsError(result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"));
}

/** An address without a trailing slash, credentials, query or fragment. */
export function httpUrl(): z.ZodType<string> {
  return z
    .string()
    .refine(isPlainHttpUrl, "must be an http:// or https:// address without credentials, query or fragment")
    .transform((text) => text.replace(/\/+$/, ""));
}

function isPlainHttpUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol) && `${url.username}${url.search}${url.hash}` === "";
}

/** A whole number within bounds, written in decimal digits. */
export function wholeNumber(min: number, max: number): z.ZodType<number> {
  const words = `must be a whole number of ${min}..${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, words)
    .transform(Number)
    .refine((value) => value >= min && value <= max, words);
}

/** Where a stage's key of that name is kept. */
export function keyFileIn(stateDir: string, name: "api" | "worker"): string {
  return join(stateDir, `${name}.key`);
}
