import { createHmac } from "node:crypto";
import {
  confirmationToSign,
  type SnsConfirmation,
  type SnsConfirmations,
  toConfirmationText,
} from "../../domain/event-topics/confirmation.ts";
import {
  notificationToSign,
  type SnsMessage,
  type SnsSignature,
  toNotification,
  toSnsMessage,
  unknownPlace,
} from "../../domain/event-topics/notification.ts";
import { limits } from "../../domain/limits.ts";
import type { Delivery, Outcome } from "../../domain/subscriptions/destination.ts";
import type { SnsHttpSubscription } from "../../domain/subscriptions/subscription.ts";
import type { Webhooks } from "../../domain/subscriptions/webhooks.ts";
import type { GuardedClient } from "../../lib/guarded-client/guarded-client.ts";
import { outcomeOf } from "../webhooks/outcome.ts";
import type { SigningKeys } from "./signing-key.ts";

/** What URLs are called with as SNS does. */
export interface SnsHttpOptions {
  readonly client: GuardedClient;
  readonly keys: SigningKeys;
  readonly signingSecrets: Webhooks["signingSecrets"];
  /** The true time, which receivers compare with theirs. */
  readonly wallMs: () => number;
  /** Of this server, for the header `user-agent`. */
  readonly version: string;
}

/** Calls URLs as SNS does. */
export interface SnsHttp extends SnsConfirmations {
  deliver(delivery: Delivery<SnsHttpSubscription>): Promise<Outcome>;
  /** What its signatures are verified with, as PEM; undefined: there is none at this path. It is public. */
  certificate(path: string): Promise<string | undefined>;
}

/** One call before it is made. */
interface Post {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

const { timeoutMs, answerMaxBytes } = limits.webhook;
const unreadable: Outcome = { verdict: "retry", isOutage: true, error: "its keys cannot be read", latencyMs: 0 };

/** Signed with the environment's own key, which receivers find where the message says; and with the subscription's own secret. */
export function createSnsHttp(options: SnsHttpOptions): SnsHttp {
  const { client, keys, signingSecrets, wallMs } = options;
  const agent = { "content-type": "text/plain; charset=UTF-8", "user-agent": `Todoku/${options.version} (SNS)` };

  async function signatureOf(environment: string, baseUrl: string, text: string): Promise<SnsSignature> {
    const key = await keys.of(environment);
    const signature = await key.sign(text);
    return { version: "2", signature, certificateUrl: baseUrl + key.certificatePath };
  }

  async function call({ url, body, headers }: Post): Promise<Outcome> {
    const all = { ...agent, ...headers };
    const result = await client.call({ method: "POST", url, headers: all, body, timeoutMs, answerMaxBytes });
    return outcomeOf(result, wallMs());
  }

  async function toPost({ subscription, topic, item }: Delivery<SnsHttpSubscription>): Promise<Post> {
    const { environment, name: subscriptionId, destination, place = unknownPlace } = subscription;
    const { url, isRaw } = destination;
    const protocol = url.startsWith("https:") ? "https" : "http";
    const message = toSnsMessage({ environment, topic, subscriptionId, item, protocol, place });
    const signed = () => signatureOf(environment, place.baseUrl, notificationToSign(message));
    const body = isRaw ? message.message : toNotification(message, await signed());
    const secrets = await signingSecrets(subscription);
    const signature = { "x-todoku-signature": hmacOf(secrets, body, Math.floor(wallMs() / 1000)) };
    return { url, body, headers: { ...headersOf(message), ...(isRaw && rawHeader), ...signature } };
  }

  async function confirmationToPost(confirmation: SnsConfirmation): Promise<Post> {
    const { environment, url, place, messageId, topicArn } = confirmation;
    const signature = await signatureOf(environment, place.baseUrl, confirmationToSign(confirmation));
    const headers = {
      "x-amz-sns-message-type": "SubscriptionConfirmation",
      "x-amz-sns-message-id": messageId,
      "x-amz-sns-topic-arn": topicArn,
    };
    return { url, body: toConfirmationText(confirmation, signature), headers };
  }

  return {
    deliver: (delivery) => toPost(delivery).then(call, () => unreadable),
    sendConfirmation: (confirmation) => confirmationToPost(confirmation).then(call, () => unreadable),
    certificate: (path) => keys.certificate(path),
  };
}

const rawHeader = { "x-amz-sns-rawdelivery": "true" };

function headersOf({ messageId, topicArn, subscriptionArn }: SnsMessage): Record<string, string> {
  return {
    "x-amz-sns-message-type": "Notification",
    "x-amz-sns-message-id": messageId,
    "x-amz-sns-topic-arn": topicArn,
    "x-amz-sns-subscription-arn": subscriptionArn,
  };
}

/** `t=<seconds>,v1=<hex>`, one `v1` for each secret: what libraries for signatures of this form verify with the text of the whole secret. */
function hmacOf(secrets: readonly string[], body: string, timestamp: number): string {
  const signatures = secrets.map((secret) => createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex"));
  return [`t=${timestamp}`, ...signatures.map((signature) => `v1=${signature}`)].join(",");
}
