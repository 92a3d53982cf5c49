// Webhooks by the unmodified Node SDK against a server of this process.
import webhook from "@gomomento/generated-types/dist/webhook.js";
import {
  CreateCache,
  DeleteWebhook,
  DisposableTokenScopes,
  ExpiresIn,
  type GenerateDisposableToken,
  type GetWebhookSecret,
  type ListWebhooks,
  MomentoErrorCode,
  PutWebhook,
  type RotateWebhookSecret,
} from "@gomomento/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aSession, GrpcCall } from "../support/grpc.ts";
import { keyCredential, localCredential, momentoClients } from "../support/momento-node.ts";
import { aServer } from "../support/server.ts";

const { _DeleteWebhookRequest, _PutWebhookRequest, _Webhook, _WebhookId } = webhook.webhook;
const url = "http://127.0.0.1:9/hook";
const to = (destination: string, topicName = "t") => ({ topicName, destination });
const secretPattern = /^whsec_[A-Za-z0-9+/]{43}=$/;

let server: Awaited<ReturnType<typeof aServer>>;
let clients: ReturnType<typeof momentoClients>;

beforeAll(async () => {
  server = await aServer();
  clients = momentoClients(localCredential(server.port));
  expect(await clients.cache.createCache("c")).toBeInstanceOf(CreateCache.Success);
});
afterAll(async () => {
  clients[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

/** Every failed answer of the SDK has these. */
function failure(response: unknown): readonly [MomentoErrorCode | undefined, string] {
  const error = response as { errorCode?: () => MomentoErrorCode; message?: () => string };
  return [error.errorCode?.(), error.message?.() ?? ""];
}

async function put(name: string, destination = url): Promise<string> {
  const response = await clients.topics.putWebhook("c", name, to(destination));
  if (!(response instanceof PutWebhook.Success)) throw new Error(response.toString());
  return response.secretString();
}

describe("TopicClient", () => {
  it("puts, lists, and deletes webhooks", async () => {
    const secret = await put("w");
    expect(secret).toMatch(secretPattern);
    expect(await put("w", `${url}/other`)).toBe(secret);
    const listed = (await clients.topics.listWebhooks("c")) as ListWebhooks.Success;
    expect(
      listed.getWebhooks().map(({ id, topicName, destination }) => ({ id, topicName, url: destination.url() })),
    ).toEqual([{ id: { cacheName: "c", webhookName: "w" }, topicName: "t", url: `${url}/other` }]);
    expect(await clients.topics.deleteWebhook("c", "w")).toBeInstanceOf(DeleteWebhook.Success);
    expect(((await clients.topics.listWebhooks("c")) as ListWebhooks.Success).getWebhooks()).toEqual([]);
  });

  it("reads the secret, and gives another one", async () => {
    const secret = await put("hush");
    const read = (await clients.topics.getWebhookSecret("c", "hush")) as GetWebhookSecret.Success;
    expect([read.secret(), read.cacheName(), read.webhookName()]).toEqual([secret, "c", "hush"]);
    const rotated = (await clients.topics.rotateWebhookSecret("c", "hush")) as RotateWebhookSecret.Success;
    expect([rotated.cacheName(), rotated.webhookName()]).toEqual(["c", "hush"]);
    expect(rotated.secret()).toMatch(secretPattern);
    expect(rotated.secret()).not.toBe(secret);
    const now = (await clients.topics.getWebhookSecret("c", "hush")) as GetWebhookSecret.Success;
    expect(now.secret()).toBe(rotated.secret());
    await clients.topics.deleteWebhook("c", "hush");
  });

  it("is told that it is the webhook that is not there, or the cache", async () => {
    for (const answer of [
      await clients.topics.deleteWebhook("c", "nowhere"),
      await clients.topics.getWebhookSecret("c", "nowhere"),
      await clients.topics.rotateWebhookSecret("c", "nowhere"),
    ]) {
      expect(failure(answer)).toEqual([
        MomentoErrorCode.STORE_ITEM_NOT_FOUND_ERROR,
        expect.stringContaining('webhook "nowhere" of cache "c" does not exist'),
      ]);
    }
    for (const answer of [
      await clients.topics.putWebhook("nowhere", "w", to(url)),
      await clients.topics.listWebhooks("nowhere"),
    ]) {
      expect(failure(answer)).toEqual([
        MomentoErrorCode.CACHE_NOT_FOUND_ERROR,
        expect.stringContaining('cache "nowhere" does not exist'),
      ]);
    }
  });

  it("is told what is wrong with a destination, a name or a missing part", async () => {
    for (const wrong of [
      "ftp://receiver.example/",
      "no url",
      "",
      "http://user:pass@receiver.example/",
      "http://10.0.0.1/",
    ]) {
      const [code, message] = failure(await clients.topics.putWebhook("c", "w", to(wrong)));
      expect(code, wrong).toBe(MomentoErrorCode.INVALID_ARGUMENT_ERROR);
      expect(message, wrong).not.toContain("pass@");
    }
    using session = aSession(server.port);
    const id = new _WebhookId({ cache_name: "c", webhook_name: "w" });
    const incomplete = new _PutWebhookRequest({ webhook: new _Webhook({ webhook_id: id, topic_name: "t" }) });
    for (const [method, request, field] of [
      ["PutWebhook", incomplete, "webhook.destination.post_url"],
      ["PutWebhook", new _PutWebhookRequest(), "webhook.webhook_id"],
      ["DeleteWebhook", new _DeleteWebhookRequest(), "webhook_id"],
    ] as const) {
      const { ended } = new GrpcCall(session, `/webhook.Webhook/${method}`, request.serializeBinary());
      expect(await ended).toMatchObject({ status: 3, message: `${field} is missing` });
    }
  });

  it("with a token may do none of it", async () => {
    await put("w");
    const scope = DisposableTokenScopes.topicPublishSubscribe("c", "t");
    const token = (await clients.auth.generateDisposableToken(
      scope,
      ExpiresIn.minutes(1),
    )) as GenerateDisposableToken.Success;
    using limited = momentoClients(keyCredential(token.authToken, server.port));
    for (const answer of [
      await limited.topics.putWebhook("c", "w", to(url)),
      await limited.topics.deleteWebhook("c", "w"),
      await limited.topics.getWebhookSecret("c", "w"),
      await limited.topics.rotateWebhookSecret("c", "w"),
      await limited.topics.listWebhooks("c"),
    ]) {
      expect(failure(answer)[0]).toBe(MomentoErrorCode.PERMISSION_ERROR);
    }
    await clients.topics.deleteWebhook("c", "w");
  });
});
