import { TodokuError } from "../../domain/errors.ts";
import type { HandlerDefinition } from "../../domain/handlers/handler.ts";
import type { HandlerRuntime, RunningHandler, RuntimeParts } from "../../domain/handlers/runtime.ts";
import { limits } from "../../domain/limits.ts";
import { ProcessGuard } from "./guard.ts";
import { Masks } from "./masks.ts";
import { OutputPace } from "./output-pace.ts";
import { ProcessPool } from "./process-pool.ts";

/** What commands are run with. */
export interface CommandRuntimeOptions {
  /** http(s)://host:port of the server, as its handlers call it. */
  readonly url: () => string;
  readonly wallMs: () => number;
  /** Of this process: see environment.ts for the few variables that are passed on. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Default: `limits.handler.stopGraceMs`. */
  readonly stopGraceMs?: number;
}

/** Runs commands as processes of this machine. */
export function createCommandRuntime(options: CommandRuntimeOptions): HandlerRuntime {
  const guard = new ProcessGuard();
  const pace = new OutputPace();
  return {
    async start(definition: HandlerDefinition, parts: RuntimeParts): Promise<RunningHandler> {
      const masks = new Masks(secretsOf(definition, parts));
      const { wallMs, env: own, stopGraceMs = limits.handler.stopGraceMs } = options;
      const pool = new ProcessPool({
        definition,
        parts,
        masks,
        guard,
        pace,
        wallMs,
        stopGraceMs,
        own,
        url: options.url(),
      });
      const failure = await pool.start();
      if (!failure) return pool;
      throw new TodokuError(
        "unavailable",
        `handler "${definition.name}" cannot start: ${reasonOf(failure.payload, masks)}`,
      );
    },
  };
}

function secretsOf({ secrets }: HandlerDefinition, { credentials, environmentVariables }: RuntimeParts): string[] {
  const values = Object.keys(secrets).map((name) => environmentVariables[name] ?? "");
  return [...values, credentials.apiKey, credentials.secretAccessKey];
}

/** Its words, as `errorType: errorMessage`. */
function reasonOf(payload: string, masks: Masks): string {
  const { errorType, errorMessage } = JSON.parse(payload) as { errorType?: unknown; errorMessage?: unknown };
  const words = [errorType, errorMessage].filter((word) => typeof word === "string" && word !== "");
  return masks.apply(words.join(": ")) || "it gave no reason";
}
