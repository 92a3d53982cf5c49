import { type Command, Option } from "commander";
import { pino } from "pino";
import { type ConfigInput, configSchema } from "../../config/schema.ts";
import { wrapCredential } from "../../domain/auth/credential.ts";
import { type RunningServer, startServer } from "../../server/server.ts";

/** sysexits.h: an internal failure. The engine will not write again; a supervisor should start us anew. */
const exitFailed = 70;

/** `todoku dev`: a server for developers, on loopback, without credentials. */
export function registerDev(program: Command): void {
  const { shape } = configSchema;
  const flag = (name: string, field: keyof typeof shape) => new Option(name, shape[field].description);
  program
    .command("dev")
    .description("start a server for development: loopback only, no credential needed")
    .addOption(flag("--port <port>", "port").argParser(Number))
    .addOption(flag("--host <host>", "host"))
    .addOption(flag("--data-dir <dir>", "dataDir"))
    .addOption(flag("--dev-key", "devKey"))
    .addOption(flag("--dev-origin <origin...>", "devOrigins"))
    .addOption(flag("--cache-durability <durability>", "cacheDurability").choices(["disk", "memory"]))
    .addOption(flag("--message-max-bytes <bytes>", "messageMaxBytes").argParser(Number))
    .addOption(flag("--public-endpoint <host:port>", "publicEndpoint"))
    .addOption(flag("--log-level <level>", "logLevel").choices(["debug", "info", "warn", "error", "silent"]))
    .action(async ({ devOrigin, ...flags }: ConfigInput & { devOrigin?: string[] }) => {
      await runDev({ ...flags, ...(devOrigin ? { devOrigins: devOrigin } : {}) });
    });
}

async function runDev(flags: ConfigInput): Promise<void> {
  const config = configSchema.parse(flags);
  const log = pino({ level: config.logLevel }, pino.destination({ fd: 2, sync: true }));
  const server = await startServer(config, log);
  process.stdout.write(`${greeting(server)}\n`);

  let isStopping = false;
  const stop = async (exitCode: number) => {
    if (isStopping) process.exit(exitCode || 1); // asked twice: at once
    isStopping = true;
    await server.close().catch((error: unknown) => log.error({ err: error }, "the server did not close cleanly"));
    process.exit(exitCode);
  };
  process.on("SIGINT", () => void stop(0));
  process.on("SIGTERM", () => void stop(0));
  void server.failed.then(() => stop(exitFailed));
}

/** What to paste, for each kind of client. */
function greeting({ url, port, dataDir, devKey }: RunningServer): string {
  const host = new URL(url).hostname;
  const key = devKey === undefined ? undefined : wrapCredential(`${host}:${port}`, devKey);
  const nodeEndpoints = `cacheEndpoint: "${host}:${port}", controlEndpoint: "${host}:${port}", tokenEndpoint: "${host}:${port}"`;
  const webEndpoints = `cacheEndpoint: "${url}", controlEndpoint: "${url}", tokenEndpoint: "${url}"`;
  const node =
    key === undefined
      ? `CredentialProvider.forMomentoLocal(${port === 8080 ? "" : `{ hostname: "${host}", port: ${port} }`})`
      : `CredentialProvider.fromString({ apiKey: process.env.TODOKU_API_KEY, endpointOverrides: { ${nodeEndpoints}, secureConnection: false } })`;
  const web =
    key === undefined
      ? `CredentialProvider.forMomentoLocal({ endpointOverrides: { ${webEndpoints} } })`
      : `CredentialProvider.fromString({ apiKey, endpointOverrides: { ${webEndpoints} } })`;
  const bearer = key === undefined ? "" : ` -H "authorization: Bearer $TODOKU_API_KEY"`;
  const urlFlag = port === 8080 ? "" : ` --url ${url}`;
  return [
    `Todoku listens on ${url}`,
    ...(key === undefined ? [] : [`  key       export TODOKU_API_KEY=${key}`]),
    `  Node SDK  ${node}`,
    `  web SDK   ${web}`,
    `  curl      curl -X POST ${url}/v1/caches${bearer} -H "content-type: application/json" -d '{"name":"demo"}'`,
    `            curl -X POST ${url}/v1/topics/demo/hello${bearer} -H "content-type: application/json" -d '{"text":"hi"}'`,
    `  CLI       npm run todoku -- topic subscribe demo hello${urlFlag}`,
    `  data      ${dataDir}`,
  ].join("\n");
}
