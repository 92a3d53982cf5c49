import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Auth } from "../../domain/auth/auth.ts";
import type { Principal } from "../../domain/auth/principal.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { Webhooks } from "../../domain/subscriptions/webhooks.ts";
import type { Method } from "./call.ts";
import { decodeMessage } from "./codec.ts";
import { empty } from "./codec-items.ts";
import {
  DeleteWebhookRequestSchema,
  GetWebhookSecretRequestSchema,
  GetWebhookSecretResponseSchema,
  ListWebhookRequestSchema,
  ListWebhooksResponseSchema,
  PutWebhookRequestSchema,
  PutWebhookResponseSchema,
  RotateWebhookSecretRequestSchema,
  RotateWebhookSecretResponseSchema,
  type WebhookId,
} from "./gen/webhook_pb.ts";

type WebhookControl = Pick<Webhooks, "put" | "delete" | "list" | "secret" | "rotate">;

/** `webhook.Webhook`. */
export function webhookMethods(auth: Auth, webhooks: WebhookControl): [string, Method][] {
  const unary = (
    name: string,
    handle: (principal: Principal, request: Uint8Array) => Promise<Uint8Array>,
  ): [string, Method] => [
    `/webhook.Webhook/${name}`,
    {
      kind: "unary",
      handle: async (call) => handle(await auth.authenticate(call.authorization, call.caller), call.request),
    },
  ];
  return [
    unary("PutWebhook", async (principal, request) => {
      const { webhook } = decodeMessage(PutWebhookRequestSchema, request);
      const { cacheName, webhookName } = required("webhook.webhook_id", webhook?.webhookId);
      const url = required("webhook.destination.post_url", webhook?.destination?.kind.value);
      const { secret } = await webhooks.put(principal, cacheName, webhookName, {
        topic: webhook?.topicName ?? "",
        url,
      });
      return encode(PutWebhookResponseSchema, { secretString: secret });
    }),
    unary("DeleteWebhook", async (principal, request) => {
      const { cacheName, webhookName } = requiredId(decodeMessage(DeleteWebhookRequestSchema, request));
      await webhooks.delete(principal, cacheName, webhookName);
      return empty;
    }),
    unary("ListWebhooks", async (principal, request) => {
      const { cacheName } = decodeMessage(ListWebhookRequestSchema, request);
      const webhook = (await webhooks.list(principal, cacheName)).map(({ cache, name, topic, destination }) => ({
        webhookId: { cacheName: cache, webhookName: name },
        topicName: topic,
        destination: { kind: { case: "postUrl" as const, value: destination.url } },
      }));
      return encode(ListWebhooksResponseSchema, { webhook });
    }),
    unary("GetWebhookSecret", async (principal, request) => {
      const { cacheName, webhookName } = decodeMessage(GetWebhookSecretRequestSchema, request);
      const secretString = await webhooks.secret(principal, cacheName, webhookName);
      return encode(GetWebhookSecretResponseSchema, { cacheName, webhookName, secretString });
    }),
    unary("RotateWebhookSecret", async (principal, request) => {
      const { cacheName, webhookName } = requiredId(decodeMessage(RotateWebhookSecretRequestSchema, request));
      const secretString = await webhooks.rotate(principal, cacheName, webhookName);
      return encode(RotateWebhookSecretResponseSchema, { secretString });
    }),
  ];
}

function requiredId({ webhookId }: { readonly webhookId?: WebhookId | undefined }): WebhookId {
  return required("webhook_id", webhookId);
}

/** @throws TodokuError `invalid_argument` that names the field. */
function required<T>(field: string, value: T | undefined): T {
  if (value !== undefined) return value;
  throw new TodokuError("invalid_argument", `${field} is missing`);
}

function encode<Schema extends DescMessage>(schema: Schema, message: MessageInitShape<Schema>): Uint8Array {
  return toBinary(schema, create(schema, message));
}
