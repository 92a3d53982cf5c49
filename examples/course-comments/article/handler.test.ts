// The article's handler, unmodified, behind a webhook of a real Todoku. It knows nothing but its key, so Todoku has TLS and the name that
// stands in the key; a preloaded script leads that name to this machine, as a line in /etc/hosts would.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CacheListFetch } from "@gomomento/sdk";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { z } from "zod";
import { localCredential, momentoClients } from "../../../test/support/momento-node.ts";
import { startProcess } from "../../../test/support/process.ts";
import { aDirectory, aServer } from "../../../test/support/server.ts";
import { aCertificate, host } from "../../../test/support/tls.ts";
import { fixedCredential } from "../../task-notifications/shared/credential.ts";
import { anyAnswer, Todoku } from "../../task-notifications/shared/todoku.ts";
import { aFreePort } from "../testing/application.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const namesScript = pathOf("../../../test/support/momento-names-child.ts");
let certificate: Awaited<ReturnType<typeof aCertificate>>;
let directory: Awaited<ReturnType<typeof aDirectory>>;
let server: Awaited<ReturnType<typeof aServer>>;
let admin: Todoku;
let url: string;

beforeAll(async () => {
  [certificate, directory] = [await aCertificate(), await aDirectory()];
  const { certFile, keyFile } = certificate;
  const port = await aFreePort();
  const tls = { certFile, keyFile, plaintext: "loopback" } as const;
  server = await aServer({ port, publicEndpoint: `${host}:${port}`, tls });
  url = `http://127.0.0.1:${port}`;
  admin = new Todoku(url, fixedCredential(undefined));
  await admin.call("POST", "/v1/caches", { name: "course-comments" }, anyAnswer);
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
  await certificate?.[Symbol.asyncDispose]();
});

/** The handler as a process, and a webhook that leads to it. */
async function deploy(sdk: string) {
  const cache = { name: "course-comments" };
  const grants = [{ resource: "cache", role: "read-write", cache, key: { all: true } }];
  const key = await admin.call("POST", "/v1/keys", { grants }, z.object({ apiKey: z.string() }));
  const secretsFile = join(directory.path, `secrets-${sdk}.json`);
  const started = await startProcess(
    pathOf("function-url.ts"),
    [],
    {
      ...{ SDK: sdk, SECRETS_FILE: secretsFile, THE_SIGNING_SECRET: "signing", MOMENTO_API_KEY_SECRET_NAME: "key" },
      ...{ NODE_OPTIONS: `--import ${namesScript}`, NODE_EXTRA_CA_CERTS: certificate.caFile },
      GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: undefined, // where it is set, gRPC trusts that file alone
    },
    /^Function URL (\S+)\n/,
  );
  onTestFinished(async () => void (await started.end("SIGKILL")));
  const request = { topic: "comment", url: started.found };
  const answer = z.object({ secret: z.string() });
  const { secret } = await admin.call("PUT", `/v1/webhooks/course-comments/${sdk}`, request, answer);
  await writeFile(secretsFile, JSON.stringify({ signing: secret, key: key.apiKey }), { mode: 0o600 });
  const stored = new Promise<void>((resolve) => {
    started.child.stdout?.on("data", () => {
      if (started.output().stdout.includes("Successfully persisted comment for course")) resolve();
    });
  });
  return { ...started, stored };
}

/** As the article's other function does it. */
async function publishAs(tokenId: string, message: unknown): Promise<void> {
  const topic = { cache: { name: "course-comments" }, topic: { name: "comment" } };
  const request = { grants: [{ resource: "topic", role: "publish", ...topic }], validForSeconds: 1800, tokenId };
  const { token } = await admin.call("POST", "/v1/tokens", request, z.object({ token: z.string() }));
  const publisher = new Todoku(url, fixedCredential(token));
  const text = JSON.stringify(message);
  await publisher.call("POST", "/v1/topics/course-comments/comment", { text }, anyAnswer);
}

async function comments(courseId: string): Promise<unknown[]> {
  using clients = momentoClients(localCredential(Number(new URL(url).port)));
  const answer = await clients.cache.listFetch("course-comments", courseId);
  return answer instanceof CacheListFetch.Hit ? answer.valueListString().map((text) => JSON.parse(text)) : [];
}

describe.each(["1.111", "current"])("the article's handler with the SDK %s", (sdk) => {
  it("finds a delivery valid, and keeps the comment under the token id; a forged call it denies", async () => {
    const handler = await deploy(sdk);
    const courseId = `123-${sdk}`;
    await publishAs("taylor", { comment: "This course and video is awesome!", courseId, token_id: "mallory" });
    await handler.stored;
    expect(await comments(courseId)).toEqual([{ userID: "taylor", comment: "This course and video is awesome!" }]);
    const forged = await fetch(handler.found, {
      method: "POST",
      headers: { "momento-signature": "0".repeat(64) },
      body: JSON.stringify({ token_id: "mallory", text: JSON.stringify({ courseId, comment: "forged" }) }),
    });
    expect([forged.status, await forged.text()]).toEqual([403, '{"message": "Access Denied!"}']);
    expect(await comments(courseId)).toHaveLength(1);
    await admin.call("DELETE", `/v1/webhooks/course-comments/${sdk}`, undefined, anyAnswer);
  });
});
