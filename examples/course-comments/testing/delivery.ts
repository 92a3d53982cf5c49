import { createHmac, randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import type { Payload } from "../receiver/verify.ts";

/** As Todoku makes them. */
export const newSecret = () => `whsec_${randomBytes(32).toString("base64")}`;

/** How a delivery differs from a good one. */
export interface DeliveryTraits {
  readonly webhookId?: string;
  readonly payload?: Partial<Payload>;
  /** When the attempt was made: its time stands in the body and in a header. */
  readonly atMs?: number;
}

/** A delivery of a message of alice, signed as Todoku signs. */
export function aDelivery(secret: string, text: string, traits: DeliveryTraits = {}) {
  const { webhookId = "msg_AAAAAAAAAAAAAAAAAAAAAA_1_1", atMs = Date.now() } = traits;
  const body = JSON.stringify({
    ...{ cache: "course-comments", topic: "comment", event_timestamp: atMs - 5, publish_timestamp: atMs },
    ...{ topic_sequence_number: 1, token_id: "alice", text, ...traits.payload },
  });
  const headers = {
    "content-type": "application/json",
    "momento-signature": createHmac("sha3-256", secret).update(body).digest("hex"),
    "webhook-id": webhookId,
    "webhook-timestamp": String(Math.floor(atMs / 1000)),
    "webhook-signature": new Webhook(secret).sign(webhookId, new Date(atMs), body),
  };
  return { body, headers };
}
