import { join } from "node:path";
import { z } from "zod";
import { defaultStage, defaultStateDir } from "./names.ts";

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment says something that cannot be. The text names each variable. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;

/** What the API, the worker and the set-up have in common. */
const commonSettings = z.object({
  STAGE: stageName().default(defaultStage),
  SECRETS_STAGE: stageName().optional(),
  STATE_DIR: z.string().optional(),
  TODOKU_URL: httpUrl().default("http://127.0.0.1:8080"),
  LOG_LEVEL: z.enum(logLevels).default("info"),
});

/** The same, with the stage applied. */
interface CommonSettings {
  /** The environment in Todoku. */
  readonly stage: string;
  /** The environment whose shared secrets the stage reads, for the set-up. */
  readonly secretsStage: string | undefined;
  readonly stateDir: string;
  readonly todokuUrl: string;
  readonly logLevel: (typeof logLevels)[number];
}

/** @throws SettingsError. */
export function readCommonSettings(environment: Environment): CommonSettings {
  const settings = readSettings(commonSettings, environment);
  return {
    stage: settings.STAGE,
    secretsStage: settings.SECRETS_STAGE,
    stateDir: settings.STATE_DIR ?? defaultStateDir(settings.STAGE),
    todokuUrl: settings.TODOKU_URL,
    logLevel: settings.LOG_LEVEL,
  };
}

/** Takes `--stage` and `--secrets-stage` out of a command line, as the variables that they stand for. @throws SettingsError. */
export function readStageOptions(args: readonly string[]): {
  readonly stageOptions: Environment;
  readonly rest: readonly string[];
} {
  const variables: Readonly<Record<string, string>> = { "--stage": "STAGE", "--secrets-stage": "SECRETS_STAGE" };
  const stageOptions: Record<string, string> = {};
  const rest: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    const [flag = "", inArg] = arg.split(/=(.*)/s);
    const variable = variables[flag];
    if (variable === undefined) rest.push(arg);
    else {
      const value = inArg ?? args[++at];
      if (!value) throw new SettingsError(`${flag} needs the name of a stage`);
      stageOptions[variable] = value;
    }
  }
  return { stageOptions, rest };
}

/** A variable that is set to nothing counts as not set. @throws SettingsError. */
export function readSettings<T>(schema: z.ZodType<T>, environment: Environment): T {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw new SettingsError(result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"));
}

/** A stage is an environment of Todoku. */
function stageName(): z.ZodType<string> {
  return z.string().regex(/^[A-Za-z0-9-]{1,63}$/, "must be 1..63 of A-Z a-z 0-9 -");
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

/** Where the bootstrap key of that process is kept. */
export function keyFileIn(stateDir: string, name: "api" | "worker"): string {
  return join(stateDir, `${name}.key`);
}
