import { ConfigError } from "../config/problems.ts";
import type { Config, Mode } from "../config/schema.ts";
import { openPrincipal } from "../domain/auth/open-access.ts";
import {
  createFunctionsDoor,
  type FunctionsDoor,
  type FunctionsOptions,
  type RestApiSettings,
} from "../protocols/functions/index.ts";

type ServedConfig = Pick<Config, "behindProxy" | "devOrigins" | "functions" | "gateway" | "handlers">;

/** What the functions' door is made of. */
interface FunctionsParts extends Omit<FunctionsOptions, "settings" | "isBehindTls"> {
  readonly mode: Mode;
  readonly config: ServedConfig;
}

/** @throws ConfigError that names the place in the configuration: an environment is missing, or a path is taken. */
export function createFunctions({ mode, config, ...parts }: FunctionsParts): FunctionsDoor {
  const { restApis, origins } = config.functions;
  const settings = {
    environment: functionEnvironment(mode, config),
    origins,
    trustedOrigins: trustedOrigins(origins, mode, config),
    restApis: restApis.map((api, i) => toRestApi(api, i, mode, config)),
  };
  return createFunctionsDoor({ ...parts, settings, isBehindTls: config.behindProxy });
}

function toRestApi(
  api: ServedConfig["functions"]["restApis"][number],
  index: number,
  mode: Mode,
  config: ServedConfig,
): RestApiSettings {
  const place = `functions.restApis[${index}]`;
  const inside = config.gateway.endpoints.find(({ path }) => `${path}/`.startsWith(`${api.path}/`));
  if (inside) throw wrong(`${place}.path: ${inside.path} of gateway.endpoints is inside it`);
  const environment = api.environment ?? (mode === "dev" ? openPrincipal.environment : undefined);
  if (environment === undefined) throw wrong(`${place}.environment: must be given: whose handlers are its routes?`);
  const origins = api.origins ?? (mode === "dev" ? ["*"] : []);
  return { ...api, environment, origins, trustedOrigins: trustedOrigins(api.origins ?? [], mode, config) };
}

/** What anybody may read with a credential no page of elsewhere may do without one, unless its origin was named. */
function trustedOrigins(named: readonly string[], mode: Mode, { devOrigins }: ServedConfig) {
  return mode === "dev" ? [...named, ...devOrigins] : undefined;
}

/** An address names no environment, so there is one for all. */
export function functionEnvironment(
  mode: Mode,
  { functions, handlers }: Pick<ServedConfig, "functions" | "handlers">,
): string | undefined {
  const ofMode = mode === "dev" ? openPrincipal.environment : undefined;
  if (functions.environment !== undefined) return functions.environment;
  const named = Object.values(handlers).flatMap(({ functionUrl, environment }) =>
    functionUrl ? [environment ?? ofMode] : [],
  );
  const [one = ofMode, ...others] = new Set(named);
  if (others.length === 0) return one;
  throw wrong("functions.environment: must be given: handlers of several environments have a functionUrl");
}

function wrong(problem: string): ConfigError {
  return new ConfigError([problem]);
}
