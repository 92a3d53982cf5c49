import { createHmac, timingSafeEqual } from "node:crypto";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { z } from "zod";

/** It is not what Todoku sent, or not what it sends now. The message says nothing of the secret. */
export class DeliveryRefused extends Error {
  override readonly name = "DeliveryRefused";
}

/** The body of a delivery, in the form that Momento documented. */
const payloadSchema = z.object({
  cache: z.string(),
  topic: z.string(),
  /** When the message was published, in milliseconds. */
  event_timestamp: z.int(),
  /** When this attempt was made: not the same in the next one. */
  publish_timestamp: z.int(),
  topic_sequence_number: z.int(),
  /** Of the token with which it was published: Todoku writes it, and nobody else can. Empty when it was published with a key. */
  token_id: z.string(),
  /** Missing when the message is bytes. */
  text: z.string().optional(),
  /** Missing when it has none. */
  attributes: z.record(z.string(), z.object({ type: z.string(), value: z.string() })).optional(),
});
export type Payload = z.output<typeof payloadSchema>;

/** A delivery that comes from Todoku. */
export interface Delivery {
  /** The same for every attempt to deliver one message. */
  readonly webhookId: string;
  /** Somebody tries the webhook: nothing was published. */
  readonly isTest: boolean;
  readonly payload: Payload;
}

/** How far the time of an attempt may be from ours. Whoever recorded a delivery has no longer to send it once more. */
const toleranceMs = 60_000;

/**
 * Checks both signatures and the time. Standard Webhooks signs the body with id and time of the attempt, Momento's `momento-signature`
 * the body alone. One of them would do; here stand both, to show how each is checked.
 * @throws DeliveryRefused
 */
export function verifyDelivery(secret: string, headers: Headers, body: Buffer, nowMs: number = Date.now()): Delivery {
  verifyMomento(secret, headers.get("momento-signature") ?? "", body);
  const webhookId = verifyStandard(secret, headers, body);
  const payload = parsePayload(body);
  if (Math.abs(nowMs - payload.publish_timestamp) > toleranceMs) throw new DeliveryRefused("it is too old, or too new");
  return { webhookId, isTest: webhookId.startsWith("msg_test_"), payload };
}

/** `momento-signature`: HMAC-SHA3-256 of the raw body in lower-case hex; the key is the secret's text. */
function verifyMomento(secret: string, signature: string, body: Buffer): void {
  const expected = Buffer.from(createHmac("sha3-256", secret).update(body).digest("hex"));
  const given = Buffer.from(signature);
  // Compared in a time that does not tell how many characters were right.
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw new DeliveryRefused("momento-signature is wrong or missing");
}

/** The headers `webhook-*`, by the library of Standard Webhooks, which refuses what is five minutes off. Answers the id, which is signed. */
function verifyStandard(secret: string, headers: Headers, body: Buffer): string {
  const header = (name: string) => headers.get(name) ?? "";
  const signed = {
    "webhook-id": header("webhook-id"),
    "webhook-timestamp": header("webhook-timestamp"),
    "webhook-signature": header("webhook-signature"),
  };
  try {
    new Webhook(secret).verify(body, signed, { jsonParse: false });
  } catch (error) {
    if (error instanceof WebhookVerificationError) throw new DeliveryRefused(error.message);
    throw error;
  }
  return signed["webhook-id"];
}

function parsePayload(body: Buffer): Payload {
  try {
    return payloadSchema.parse(JSON.parse(body.toString("utf8")));
  } catch {
    // The parser's own words would quote the body.
    throw new DeliveryRefused("the body is not what Todoku delivers");
  }
}
