import { TodokuError } from "../errors.ts";
import { arnParts } from "../event-topics/arns.ts";
import type { SnsPlace, SnsProtocol } from "../event-topics/notification.ts";
import { checkQueueName } from "../queues/settings.ts";
import type { FilterScope, StoredFilter } from "./filter.ts";
import type { SubscriptionDestination } from "./subscription.ts";
import type { Kept, SubscriptionDocument } from "./subscription-document.ts";
import { checkWebhookUrl } from "./webhook-checks.ts";

/** How messages of an event topic are delivered: what may be changed of it later. */
export interface EventDelivery {
  /** The message alone, without SNS's envelope. */
  readonly isRaw: boolean;
  readonly filter: StoredFilter | undefined;
  /** Of the filter, whether there is one or not. */
  readonly filterScope: FilterScope;
  /** A queue of the environment that gets what cannot be delivered. */
  readonly deadLetterQueue: string | undefined;
  /** How SNS would try again, as JSON: kept and shown. */
  readonly deliveryPolicy: string | undefined;
}

/** A subscription of an event topic that was made through SNS. */
export interface EventSubscription extends EventDelivery {
  /** A UUID, the last part of its ARN. */
  readonly id: string;
  readonly environment: string;
  readonly topic: string;
  readonly protocol: SnsProtocol;
  readonly target: EventTarget;
  readonly place: SnsPlace;
  /** Nothing is delivered until somebody confirms it. */
  readonly isPending: boolean;
  /** Whoever confirmed it had credentials; those of queues and handlers need nobody to. */
  readonly isConfirmedWithCredentials: boolean;
}

/** Where its messages go, in SNS's words; `address` is the part that says which: a URL, or the name of a queue or handler. */
export interface EventTarget {
  readonly kind: "queue" | "sns-http" | "handler";
  readonly address: string;
}

/** A durable subscription's document that was made through SNS. */
export type EventDocument = Exclude<SubscriptionDocument, { readonly kind?: undefined }> & {
  readonly sns: NonNullable<Exclude<SubscriptionDocument, { readonly kind?: undefined }>["sns"]>;
};

/** One of the registry that was made through SNS. */
export interface KeptEvent extends Kept {
  readonly document: EventDocument;
}

export function isKeptEvent(kept: Kept): kept is KeptEvent {
  return kept.document.kind !== undefined && kept.document.sns !== undefined;
}

const unoffered = ["email", "email-json", "sms", "application", "firehose"];

/**
 * @param refusal says why a URL may not be called; undefined when it may.
 * @throws TodokuError `unimplemented`: a protocol of SNS that is not offered; `invalid_argument`.
 */
export function toTarget(
  protocol: string,
  endpoint: string,
  refusal: (url: string) => string | undefined,
): { readonly protocol: SnsProtocol; readonly target: EventTarget } {
  switch (protocol) {
    case "http":
    case "https":
      if (!endpoint.startsWith(`${protocol}://`))
        throw invalid(`the endpoint of protocol ${protocol} must begin with ${protocol}://`);
      checkWebhookUrl(endpoint, refusal);
      return { protocol, target: { kind: "sns-http", address: endpoint } };
    case "sqs":
      return { protocol, target: { kind: "queue", address: queueOf(endpoint) } };
    case "lambda":
      return { protocol, target: { kind: "handler", address: handlerOf(endpoint) } };
    default: {
      const shown = protocol.slice(0, 50);
      if (unoffered.includes(protocol)) throw new TodokuError("unimplemented", `protocol ${shown} is not offered`);
      throw invalid(`protocol "${shown}" must be sqs, http, https or lambda`);
    }
  }
}

/** The queue that an ARN names. @throws TodokuError `invalid_argument`. */
export function queueOf(arn: string): string {
  const [queue = "", ...more] = arnParts("sqs", arn) ?? [];
  if (queue === "" || more.length > 0)
    throw invalid("a queue is named by its ARN, like arn:aws:sqs:us-east-1:000000000000:tasks");
  checkQueueName(queue);
  return queue;
}

function handlerOf(arn: string): string {
  const [word, handler = "", ...more] = arnParts("lambda", arn) ?? [];
  if (word === "function" && more.length === 0 && /^[\w-]{1,64}$/.test(handler)) return handler;
  throw invalid("a function is named by its ARN, like arn:aws:lambda:us-east-1:000000000000:function:tasks");
}

/** What a subscription's document says of its delivery. */
export function deliveryOf({ document, subscription }: KeptEvent): EventDelivery {
  const { filter, deadLetterQueue } = subscription;
  return {
    isRaw: document.kind !== "handler" && document.isRaw,
    ...{ filter, deadLetterQueue },
    filterScope: filter?.scope ?? document.sns.filterScope ?? "attributes",
    deliveryPolicy: document.sns.deliveryPolicy,
  };
}

/** As SNS tells of it. */
export function toEventSubscription(kept: KeptEvent): EventSubscription {
  const { environment, name, topic, destination } = kept.subscription;
  const { region, baseUrl, isConfirmedWithCredentials } = kept.document.sns;
  const target = targetOf(destination);
  return {
    ...deliveryOf(kept),
    ...{ id: name, environment, topic, target, protocol: protocolOf(target) },
    place: { region, baseUrl },
    isPending: false,
    isConfirmedWithCredentials,
  };
}

/** What SNS calls a way to deliver. */
function protocolOf({ kind, address }: EventTarget): SnsProtocol {
  if (kind === "sns-http") return address.startsWith("https:") ? "https" : "http";
  return kind === "queue" ? "sqs" : "lambda";
}

function targetOf(destination: SubscriptionDestination): EventTarget {
  switch (destination.kind) {
    case "queue":
      return { kind: "queue", address: destination.queue };
    case "handler":
      return { kind: "handler", address: destination.handler };
    default:
      return { kind: "sns-http", address: destination.url };
  }
}

/** What is stored of it, but for what is its own: its address, when it was made, and what it signs with. */
export function documentOf(
  { isRaw, filter, filterScope, deadLetterQueue, deliveryPolicy }: EventDelivery,
  { kind, address }: EventTarget,
  {
    topic,
    place,
    isConfirmedWithCredentials,
  }: Pick<EventSubscription, "topic" | "place" | "isConfirmedWithCredentials">,
) {
  const shared = {
    topic,
    ...(filter && { filter: { scope: filter.scope, policy: { ...filter.policy } } }),
    ...(deadLetterQueue !== undefined && { deadLetterQueue }),
    sns: {
      ...place,
      isConfirmedWithCredentials,
      ...(filterScope !== "attributes" && { filterScope }),
      ...(deliveryPolicy !== undefined && { deliveryPolicy }),
    },
  };
  if (kind === "queue") return { kind, ...shared, queue: address, isRaw };
  if (kind === "handler") return { kind, ...shared, handler: address };
  return { kind, ...shared, url: address, isRaw };
}

function invalid(message: string): TodokuError {
  return new TodokuError("invalid_argument", message);
}
