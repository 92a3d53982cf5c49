import type { Command } from "commander";
import type { Config } from "../../config/schema.ts";
import { devAccessKeyId } from "../../domain/auth/auth.ts";
import { wrapCredential } from "../../domain/auth/credential.ts";
import { openPrincipal } from "../../domain/auth/open-access.ts";
import type { RunningServer } from "../../server/server.ts";
import { loadFor, withConfigFlags } from "./config-flags.ts";
import { runServer } from "./run-server.ts";

/** `todoku dev`: a server for developers, on loopback, without credentials. */
export function registerDev(program: Command): void {
  const command = program
    .command("dev")
    .description("start a server for development: loopback only, no credential needed");
  withConfigFlags(command, "dev").action(async (options: Record<string, unknown>) => {
    const load = () => loadFor("dev", options, process.env);
    const server = await runServer("dev", load);
    const { config } = load();
    process.stdout.write(`${greeting(server, socketPathOf(config), config.aws.enabled)}\n`);
  });
}

/** Where a WebSocket is taken that brings what dev mode asks for; undefined: nowhere. */
function socketPathOf({ gateway }: Config): string | undefined {
  const { environment: dev } = openPrincipal;
  return gateway.endpoints.find(
    ({ environment = dev, hook, apiKeyRequired }) => environment === dev && !hook && !apiKeyRequired,
  )?.path;
}

/** What to paste, for each kind of client. */
function greeting(server: RunningServer, socketPath: string | undefined, takesAws: boolean): string {
  const { url, endpoint, isSecure, port, dataDir, devKey, faultAdminUrl } = server;
  const host = new URL(url).hostname;
  const key = devKey === undefined ? undefined : wrapCredential(endpoint, devKey);
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
  const socketHeader = key === undefined ? "" : " with the header authorization: Bearer $TODOKU_API_KEY";
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
    ...(socketPath === undefined
      ? []
      : [`  WebSocket ${url.replace(/^http/, "ws")}${socketPath}?user=alice${socketHeader}`]),
    ...(takesAws ? [`  AWS SDKs  export AWS_ENDPOINT_URL=${url} ${awsVariables(devKey)}`] : []),
    ...(isSecure
      ? [`  TLS       https://${endpoint}; an SDK needs a key and nothing else: CredentialProvider.fromString(key)`]
      : []),
    ...(faultAdminUrl === undefined
      ? []
      : [
          `  faults    curl -X POST ${faultAdminUrl}/block${bearer}`,
          `            curl -X POST ${faultAdminUrl}/unblock${bearer}`,
        ]),
    `  data      ${dataDir}`,
  ].join("\n");
}

/** What AWS clients want to know: without something to sign with they do not call, though an open server takes anything. */
function awsVariables(devKey: string | undefined): string {
  const [id, secret] = devKey === undefined ? ["any", "any"] : [devAccessKeyId, devKey];
  const region = "us-east-1";
  return `AWS_REGION=${region} AWS_DEFAULT_REGION=${region} AWS_ACCESS_KEY_ID=${id} AWS_SECRET_ACCESS_KEY=${secret}`;
}
