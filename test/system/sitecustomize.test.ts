// contrib/python/sitecustomize.py with Debian's Python and boto3.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { aDirectory } from "../support/server.ts";

const contrib = fileURLToPath(new URL("../../contrib/python", import.meta.url));

/** What the script prints, as lines. @param path directories behind ours on PYTHONPATH. */
async function python(script: string, env: Record<string, string> = {}, ...path: string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)("/usr/bin/python3", ["-c", script], {
    env: {
      ...{ PATH: "/usr/bin:/bin", PYTHONDONTWRITEBYTECODE: "1", AWS_DEFAULT_REGION: "us-east-1" },
      PYTHONPATH: [contrib, ...path].join(delimiter),
      ...env,
    },
  });
  return stdout.trim().split("\n");
}

/** A directory with these Python files. */
async function withFiles(files: Readonly<Record<string, string>>) {
  const directory = await aDirectory();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory.path, name)), { recursive: true });
    await writeFile(join(directory.path, name), text);
  }
  return directory;
}

const printEndpoints = `
import boto3
for name in ("sqs", "secretsmanager", "apigatewaymanagementapi"):
    print(boto3.client(name).meta.endpoint_url)
print(boto3.client("ssm", endpoint_url="http://given:1").meta.endpoint_url)
print(boto3.client("ssm", "us-east-1", None, True, None, "http://given:2").meta.endpoint_url)
print(boto3.session.Session().resource("dynamodb").meta.client.meta.endpoint_url)`;

it("gives boto3 the endpoints of the environment, a service's own first, and a program's own before both", async () => {
  const env = { AWS_ENDPOINT_URL: "http://all:1", AWS_ENDPOINT_URL_SECRETS_MANAGER: "http://secrets:1" };
  expect(await python(printEndpoints, env)).toEqual([
    ...["http://all:1", "http://secrets:1", "http://all:1"],
    ...["http://given:1", "http://given:2", "http://all:1"],
  ]);
});

it("changes nothing without them, or when they are to be ignored", async () => {
  const script = `
import boto3, os
print(boto3.client("ssm").meta.endpoint_url)
os.environ.update(AWS_ENDPOINT_URL="http://all:1", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true")
print(boto3.client("ssm").meta.endpoint_url)`;
  const aws = "https://ssm.us-east-1.amazonaws.com";
  expect(await python(script)).toEqual([aws, aws]);
});

it("imports nothing of boto3 for a program that does not", async () => {
  const script = 'import sys, json\nprint([name for name in sys.modules if name.startswith(("boto", "urllib"))])';
  expect(await python(script)).toEqual(["[]"]);
});

it("leaves a boto3 alone that knows the variables itself", async () => {
  await using newer = await withFiles({
    "boto3/__init__.py": "from boto3.session import Session",
    "boto3/session.py":
      "class Session:\n    def client(self, service_name, endpoint_url=None):\n        return endpoint_url",
    "botocore/__init__.py": "",
    "botocore/configprovider.py": "class ConfiguredEndpointProvider:\n    pass",
  });
  const script = 'import boto3\nprint(boto3.Session().client("ssm"))';
  expect(await python(script, { AWS_ENDPOINT_URL: "http://all:1" }, newer.path)).toEqual(["None"]);
});

it("runs the sitecustomize that it stands in front of, too", async () => {
  await using other = await withFiles({ "sitecustomize.py": 'import builtins\nbuiltins.other = "has run"' });
  const script = 'print(other)\nimport boto3\nprint(boto3.client("ssm").meta.endpoint_url)';
  expect(await python(script, { AWS_ENDPOINT_URL: "http://all:1" }, other.path)).toEqual(["has run", "http://all:1"]);
});
