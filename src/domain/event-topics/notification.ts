import { Buffer } from "node:buffer";
import type { Attributes } from "../attributes.ts";
import type { TopicItem } from "../topics/store.ts";
import { defaultRegion, subscriptionArnOf, topicArnOf } from "./arns.ts";
import { snsMessageIdOf } from "./message-id.ts";

/** How an item keeps what SNS says beside its text: attributes that its own forms hide again. */
export const subjectAttribute = "AWS.SNS.Subject";
export const structureAttribute = "AWS.SNS.MessageStructure";

/** Whose text of `MessageStructure=json` it is. */
export type SnsProtocol = "sqs" | "http" | "https" | "lambda";

/** What a subscription that was made through SNS repeats in its deliveries: as its client knew this server. */
export interface SnsPlace {
  readonly region: string;
  /** Without a slash at the end; "" when nobody has said. */
  readonly baseUrl: string;
}

export const unknownPlace: SnsPlace = { region: defaultRegion, baseUrl: "" };

/** One item on its way to one subscription. */
export interface SnsDelivery {
  readonly environment: string;
  readonly topic: string;
  /** The last part of the subscription's ARN. */
  readonly subscriptionId: string;
  readonly item: TopicItem;
  readonly protocol: SnsProtocol;
  readonly place: SnsPlace;
}

/** An item as SNS tells of it: what all of its forms are made of. Raw: `message` alone, with `attributes`. */
export interface SnsMessage {
  readonly messageId: string;
  readonly topicArn: string;
  readonly subscriptionArn: string;
  readonly subject: string | undefined;
  readonly message: string;
  /** ISO 8601, in ms. */
  readonly timestamp: string;
  /** Without those that hold the subject and the structure. */
  readonly attributes: Attributes;
  /** Asks for credentials, as any call does. */
  readonly unsubscribeUrl: string;
}

/** What a receiver verifies. Messages that do not leave the server have none. */
export interface SnsSignature {
  readonly version: "2";
  /** Base64. */
  readonly signature: string;
  readonly certificateUrl: string;
}

const unsigned: SnsSignature = { version: "2", signature: "", certificateUrl: "" };

/** Bytes that are no text come as base64, which is all that SNS can carry. */
export function toSnsMessage({ environment, topic, subscriptionId, item, protocol, place }: SnsDelivery): SnsMessage {
  const { [subjectAttribute]: subject, [structureAttribute]: structure, ...attributes } = item.attributes ?? {};
  const { isText, bytes } = item.value;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(isText ? "utf8" : "base64");
  const subscriptionArn = subscriptionArnOf(place.region, topic, subscriptionId);
  return {
    messageId: snsMessageIdOf(environment, topic, item),
    topicArn: topicArnOf(place.region, topic),
    subscriptionArn,
    subject: subject?.value,
    message: structure?.value === "json" ? textFor(protocol, text) : text,
    timestamp: new Date(item.publishedAtMs).toISOString(),
    attributes,
    unsubscribeUrl: place.baseUrl && `${place.baseUrl}/?Action=Unsubscribe&SubscriptionArn=${subscriptionArn}`,
  };
}

/** The text for one protocol, of JSON that has been checked when it was published. */
function textFor(protocol: SnsProtocol, json: string): string {
  try {
    const texts = JSON.parse(json);
    const text = Object.hasOwn(texts, protocol) ? texts[protocol] : texts.default;
    return typeof text === "string" ? text : json;
  } catch {
    return json; // published by another door
  }
}

/** The text that SNS posts to URLs, and sends to queues. */
export function toNotification(message: SnsMessage, { version, signature, certificateUrl } = unsigned): string {
  const { attributes } = message;
  return JSON.stringify({
    ...fieldsOf(message),
    SignatureVersion: version,
    Signature: signature,
    SigningCertURL: certificateUrl,
    UnsubscribeURL: message.unsubscribeUrl,
    ...(Object.keys(attributes).length > 0 && { MessageAttributes: toMessageAttributes(attributes) }),
  });
}

/** What the signature of a notification is of. */
export function notificationToSign(message: SnsMessage): string {
  return textToSign(fieldsOf(message));
}

/** SNS signs each field's name and value on a line of its own, in the order of the alphabet. */
export function textToSign(fields: Readonly<Record<string, string | undefined>>): string {
  const signed = Object.entries(fields).filter(([, value]) => value !== undefined);
  return signed
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}\n${value}\n`)
    .join("");
}

function fieldsOf({ messageId, topicArn, subject, message, timestamp }: SnsMessage) {
  return {
    Type: "Notification",
    MessageId: messageId,
    TopicArn: topicArn,
    Subject: subject,
    Message: message,
    Timestamp: timestamp,
  };
}

/** One of the `Records` that a function gets: as the notification, but for the spelling of some names. */
export function toLambdaRecord(message: SnsMessage) {
  return {
    EventSource: "aws:sns",
    EventVersion: "1.0",
    EventSubscriptionArn: message.subscriptionArn,
    Sns: {
      ...fieldsOf(message),
      Subject: message.subject ?? null,
      SignatureVersion: unsigned.version,
      Signature: unsigned.signature,
      SigningCertUrl: unsigned.certificateUrl,
      UnsubscribeUrl: message.unsubscribeUrl,
      MessageAttributes: toMessageAttributes(message.attributes),
    },
  };
}

function toMessageAttributes(attributes: Attributes) {
  const entries = Object.entries(attributes).map(([name, { type, value }]) => [name, { Type: type, Value: value }]);
  return Object.fromEntries(entries);
}
