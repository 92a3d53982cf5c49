// The article's handler, unmodified, as a handler of a real Todoku: behind its URL, which a webhook calls. It knows nothing but its key, so Todoku has
// TLS and the name that stands in the key; a preloaded script leads that name to this machine, as a line in /etc/hosts would.
import { fileURLToPath } from "node:url";
import { type CacheClient, CacheListFetch } from "@gomomento/sdk";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { localCredential, momentoClients } from "../../../test/support/momento-node.ts";
import { aServer } from "../../../test/support/server.ts";
import { aCertificate, host } from "../../../test/support/tls.ts";
import { fixedCredential } from "../../task-notifications/shared/credential.ts";
import { anyAnswer, Todoku } from "../../task-notifications/shared/todoku.ts";
import { aFreePort } from "../testing/application.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const namesScript = pathOf("../../../test/support/momento-names-child.ts");
/** 1.111, and that of today. */
const sdks = ["pinned", "current"];
let certificate: Awaited<ReturnType<typeof aCertificate>>;
let server: Awaited<ReturnType<typeof aServer>>;
let admin: Todoku;
let url: string;

beforeAll(async () => {
  certificate = await aCertificate();
  const { certFile, keyFile } = certificate;
  const port = await aFreePort();
  const tls = { certFile, keyFile, plaintext: "loopback" } as const;
  const handlers = Object.fromEntries(sdks.map((sdk) => [`comments-${sdk}`, handlerOf(sdk)]));
  server = await aServer({ port, publicEndpoint: `${host}:${port}`, tls, handlers });
  url = `http://127.0.0.1:${port}`;
  admin = new Todoku(url, fixedCredential(undefined));
  await admin.call("POST", "/v1/caches", { name: "course-comments" }, anyAnswer);
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await certificate?.[Symbol.asyncDispose]();
});

/** As its configuration has it. */
function handlerOf(sdk: string) {
  const secrets = [`signing-${sdk}`, `key-${sdk}`];
  const [signing = "", key = ""] = secrets;
  return {
    ...{ command: ["node:handler.handler", "--import", namesScript, "--import", "./sdk.ts"], directory: pathOf(".") },
    grants: [
      {
        ...{ Effect: "Allow", Action: "secretsmanager:GetSecretValue" },
        Resource: secrets.map((name) => `arn:aws:secretsmanager:us-east-1:000000000000:secret:${name}-??????`),
      },
    ],
    functionUrl: "none" as const,
    env: {
      ...{ THE_SIGNING_SECRET: signing, MOMENTO_API_KEY_SECRET_NAME: key },
      ...{ SDK: sdk, NODE_EXTRA_CA_CERTS: certificate.caFile },
    },
  };
}

/** What the handler needs of an operator: a webhook that leads to its URL, and two secrets. */
async function deploy(sdk: string): Promise<string> {
  const cache = { name: "course-comments" };
  const grants = [{ resource: "cache", role: "read-write", cache, key: { all: true } }];
  const key = await admin.call("POST", "/v1/keys", { grants }, z.object({ apiKey: z.string() }));
  const functionUrl = `${url}/functions/comments-${sdk}`;
  const request = { topic: "comment", url: functionUrl };
  const answer = z.object({ secret: z.string() });
  const { secret } = await admin.call("PUT", `/v1/webhooks/course-comments/${sdk}`, request, answer);
  await admin.call("POST", `/v1/secrets/signing-${sdk}`, { value: secret }, anyAnswer);
  await admin.call("POST", `/v1/secrets/key-${sdk}`, { value: key.apiKey }, anyAnswer);
  return functionUrl;
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

async function comments(client: CacheClient, courseId: string): Promise<unknown[]> {
  const answer = await client.listFetch("course-comments", courseId);
  return answer instanceof CacheListFetch.Hit ? answer.valueListString().map((text) => JSON.parse(text)) : [];
}

describe.each(sdks)("the article's handler with the SDK %s", (sdk) => {
  it("finds a delivery valid, and keeps the comment under the token id; a forged call it denies", async () => {
    using clients = momentoClients(localCredential(Number(new URL(url).port)));
    const functionUrl = await deploy(sdk);
    const courseId = `123-${sdk}`;
    await publishAs("taylor", { comment: "This course and video is awesome!", courseId, token_id: "mallory" });
    const kept = await vi.waitUntil(async () => (await comments(clients.cache, courseId))[0], { timeout: 20_000 });
    expect(kept).toEqual({ userID: "taylor", comment: "This course and video is awesome!" });
    const forged = await fetch(functionUrl, {
      method: "POST",
      headers: { "momento-signature": "0".repeat(64) },
      body: JSON.stringify({ token_id: "mallory", text: JSON.stringify({ courseId, comment: "forged" }) }),
    });
    expect([forged.status, await forged.text()]).toEqual([403, '{"message": "Access Denied!"}']);
    expect(await comments(clients.cache, courseId)).toHaveLength(1);
    await admin.call("DELETE", `/v1/webhooks/course-comments/${sdk}`, undefined, anyAnswer);
  });
});
