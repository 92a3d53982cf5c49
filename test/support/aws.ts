import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ConfigInput } from "../../src/config/schema.ts";
import { JsonApi } from "./json-api.ts";
import { aServer } from "./server.ts";

const sitePackages = fileURLToPath(new URL("../../contrib/python", import.meta.url));

/** What an AWS client signs with. */
export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A server that AWS clients need access keys for. */
export interface AwsServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Of a super user: the AWS form of `--dev-key`. */
  readonly superUser: AccessKey;
  /** The HTTP API as the operator. */
  readonly api: JsonApi;
  /** A new API key of the environment `dev` with an access key; `keyId` is its access key id too. */
  accessKey(
    grants: readonly unknown[],
    more?: Record<string, unknown>,
  ): Promise<AccessKey & { readonly keyId: string }>;
  /** For the constructors of JavaScript clients: one attempt, so that errors are told at once. Default: the super user. */
  clientOptions(key?: AccessKey): {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: AccessKey;
    readonly maxAttempts: number;
  };
  /** For {@link pythonAws}. Default: the super user. */
  environment(key?: AccessKey): Record<string, string>;
}

/** One in this process, on a free port. */
export async function anAwsServer(
  config: ConfigInput = {},
  traits: Parameters<typeof aServer>[1] = {},
): Promise<AwsServer> {
  const server = await aServer({ devKey: true, ...config }, traits);
  const { port, url, devKey = "" } = server;
  const superUser = { accessKeyId: "dev-key", secretAccessKey: devKey };
  const api = new JsonApi(port, devKey);
  return {
    ...{ port, url, superUser, api },
    async accessKey(grants, more = {}) {
      const body = { accessKey: true, ...(grants.length > 0 && { grants }), ...more };
      const { keyId, accessKeyId, secretAccessKey } = await api.post("/v1/keys", body);
      return { keyId, accessKeyId, secretAccessKey };
    },
    clientOptions: (credentials = superUser) => ({ endpoint: url, region: "us-east-1", credentials, maxAttempts: 1 }),
    environment: ({ accessKeyId, secretAccessKey } = superUser) => ({
      AWS_ENDPOINT_URL: url,
      AWS_DEFAULT_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/**
 * Runs a Python script with Debian's boto3 and resolves with what it printed to stdout.
 * @param env besides PATH its whole environment: {@link AwsServer.environment}.
 * @throws Error with what it printed to stderr.
 */
export async function pythonAws(script: string, env: Readonly<Record<string, string>>): Promise<string> {
  const { stdout } = await promisify(execFile)("/usr/bin/python3", ["-c", script], {
    env: {
      PATH: "/usr/bin:/bin",
      // boto3 1.26 does not know AWS_ENDPOINT_URL: the sitecustomize.py there does.
      PYTHONPATH: sitePackages,
      // No file of this machine, and no address of a cloud, is asked for credentials.
      AWS_CONFIG_FILE: join(sitePackages, "none"),
      AWS_SHARED_CREDENTIALS_FILE: join(sitePackages, "none"),
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_MAX_ATTEMPTS: "1",
      ...env,
    },
  });
  return stdout;
}
