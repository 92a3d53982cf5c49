import type { Outcome } from "../subscriptions/destination.ts";
import { type SnsPlace, type SnsSignature, textToSign } from "./notification.ts";

/** Asks whoever answers at a URL whether it wants the messages of a topic. */
export interface SnsConfirmation {
  readonly environment: string;
  /** A UUID. */
  readonly messageId: string;
  readonly topicArn: string;
  readonly place: SnsPlace;
  /** Which is to be asked; as a webhook's. */
  readonly url: string;
  /** Whoever has it may confirm. */
  readonly token: string;
  /** ISO 8601, in ms. */
  readonly timestamp: string;
}

/** What `outbound` does for subscriptions that are not confirmed. */
export interface SnsConfirmations {
  /** Makes one attempt. Never rejects. */
  sendConfirmation(confirmation: SnsConfirmation): Promise<Outcome>;
}

/** The text that SNS posts. */
export function toConfirmationText(confirmation: SnsConfirmation, signature: SnsSignature): string {
  return JSON.stringify({
    ...fieldsOf(confirmation),
    SignatureVersion: signature.version,
    Signature: signature.signature,
    SigningCertURL: signature.certificateUrl,
  });
}

/** What its signature is of. */
export function confirmationToSign(confirmation: SnsConfirmation): string {
  return textToSign(fieldsOf(confirmation));
}

function fieldsOf({ messageId, topicArn, place, token, timestamp }: SnsConfirmation) {
  const query = new URLSearchParams({ Action: "ConfirmSubscription", TopicArn: topicArn, Token: token });
  const text = `You have chosen to subscribe to the topic ${topicArn}.\nTo confirm the subscription, visit the SubscribeURL included in this message.`;
  return {
    Type: "SubscriptionConfirmation",
    MessageId: messageId,
    Token: token,
    TopicArn: topicArn,
    Message: text,
    SubscribeURL: `${place.baseUrl}/?${query}`,
    Timestamp: timestamp,
  };
}
