import type { HandlerDefinition } from "../../domain/handlers/handler.ts";
import { awsRegion } from "../../domain/handlers/handler.ts";
import type { RuntimeParts } from "../../domain/handlers/runtime.ts";
import type { HandlerCommand } from "./command.ts";

/** Of the server's own environment: enough for programs to be found and to print as its user reads. None of the server's secrets is among them. */
const passed = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"] as const;

/** What the environment of a process is made of. */
export interface EnvironmentParts extends Pick<RuntimeParts, "credentials" | "environmentVariables"> {
  readonly definition: Pick<HandlerDefinition, "name" | "secrets">;
  readonly command: HandlerCommand;
  /** Of the runtime API. */
  readonly address: string;
  /** Where the process starts. */
  readonly directory: string;
  /** Of the server, as the process calls it. */
  readonly url: string;
  readonly own: Readonly<Record<string, string | undefined>>;
}

/** All that a handler's process gets; what the server sets goes before variables of the same name. */
export function environmentOf(parts: EnvironmentParts): Readonly<Record<string, string>> {
  const { definition, command, address, directory, url, own, credentials, environmentVariables } = parts;
  const fromServer = passed.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]]]));
  return {
    ...Object.fromEntries(fromServer),
    ...withUrl(environmentVariables, definition.secrets, url),
    AWS_ENDPOINT_URL: url,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_REGION: awsRegion,
    AWS_DEFAULT_REGION: awsRegion,
    AWS_LAMBDA_FUNCTION_NAME: definition.name,
    // Clients of the runtime API read these three without asking whether they are there.
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "1024",
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${definition.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: "todoku",
    AWS_LAMBDA_RUNTIME_API: address,
    _HANDLER: command.handler,
    LAMBDA_TASK_ROOT: directory,
    TODOKU_URL: url,
    TODOKU_API_KEY: credentials.apiKey,
  };
}

/** `${TODOKU_URL}` in a value is where the server is, which nobody knows before it runs; a secret stays as it is. */
function withUrl(variables: Readonly<Record<string, string>>, secrets: HandlerDefinition["secrets"], url: string) {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => {
      return [name, Object.hasOwn(secrets, name) ? value : value.replace(/\$\{TODOKU_URL\}/g, () => url)];
    }),
  );
}
