import { Buffer } from "node:buffer";
import { serverPrincipal } from "../auth/principal.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Secrets } from "../secrets/secrets.ts";
import type { HandlerDefinition } from "./handler.ts";

/** The environment variables of a handler, its secrets with their values. */
export interface ResolvedVariables {
  readonly values: Readonly<Record<string, string>>;
  /** Differs when a secret has another version, or is another environment's. */
  readonly versions: string;
}

/** @throws TodokuError `not_found` that names the secret; `invalid_argument`: all together are too large. */
export async function resolveVariables(
  { environment, name, variables, secrets: wanted }: HandlerDefinition,
  secrets: Pick<Secrets, "get">,
): Promise<ResolvedVariables> {
  const values: Record<string, string> = { ...variables };
  const versions: (string | number)[][] = [];
  for (const [variable, secretName] of Object.entries(wanted)) {
    const secret = await secrets.get(serverPrincipal(environment), secretName);
    values[variable] = secret.value;
    versions.push([variable, secret.environment, secret.version, secret.createdAtMs]);
  }
  const bytes = Object.entries(values).reduce(
    (sum, [variable, value]) => sum + Buffer.byteLength(variable) + Buffer.byteLength(value),
    0,
  );
  if (bytes > limits.handler.variablesMaxBytes) {
    const text = `the variables and secrets of handler "${name}" have ${bytes} bytes; must be <= ${limits.handler.variablesMaxBytes}`;
    throw new TodokuError("invalid_argument", text);
  }
  return { values, versions: JSON.stringify(versions) };
}
