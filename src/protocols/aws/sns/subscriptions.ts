import {
  accountId,
  handlerArnOf,
  queueArnOf,
  subscriptionArnOf,
  topicArnOf,
} from "../../../domain/event-topics/arns.ts";
import { limits } from "../../../domain/limits.ts";
import type { EventSubscription } from "../../../domain/subscriptions/event-subscription.ts";
import type { AwsCall, AwsPublicRequest } from "../call.ts";
import { AwsError } from "../errors.ts";
import { pageOf } from "../page.ts";
import type { XmlElements } from "../xml.ts";
import { readDelivery, readDeliveryAttribute, toRedrivePolicy, toScopeText } from "./delivery.ts";
import { flag, optional, readMap, required, subscriptionOf, toMapXml, topicOf } from "./form.ts";
import type { SnsOptions } from "./options.ts";

export async function subscribe({ eventSubscriptions }: SnsOptions, call: AwsCall): Promise<XmlElements> {
  const { form, principal, region, baseUrl } = call;
  const topic = topicOf(required(form, "TopicArn"), "TopicArn");
  const subscription = await eventSubscriptions.subscribe(principal, topic, {
    ...readDelivery(readMap(form, "Attributes")),
    protocol: required(form, "Protocol"),
    endpoint: required(form, "Endpoint"),
    place: { region, baseUrl },
  });
  const wantsArn = flag("ReturnSubscriptionArn", optional(form, "ReturnSubscriptionArn") ?? "false");
  const isHidden = subscription.isPending && !wantsArn;
  return { SubscriptionArn: isHidden ? "pending confirmation" : arnOf(subscription, region) };
}

export async function confirmSubscription(options: SnsOptions, call: AwsCall): Promise<XmlElements> {
  const { form, principal, region } = call;
  const subscription = await confirm(options, form, principal);
  return { SubscriptionArn: arnOf(subscription, region) };
}

/** For whoever opens the address in a confirmation: its token is all that it takes. */
export async function confirmPublicly(options: SnsOptions, { query }: AwsPublicRequest): Promise<XmlElements> {
  const subscription = await confirm(options, query);
  return { SubscriptionArn: arnOf(subscription, subscription.place.region) };
}

function confirm({ eventSubscriptions }: SnsOptions, form: URLSearchParams, principal?: AwsCall["principal"]) {
  const topic = topicOf(required(form, "TopicArn"), "TopicArn");
  // Who unsubscribes has to show credentials anyway.
  flag("AuthenticateOnUnsubscribe", optional(form, "AuthenticateOnUnsubscribe") ?? "false");
  return eventSubscriptions.confirm(required(form, "Token"), topic, principal);
}

export async function unsubscribe({ eventSubscriptions }: SnsOptions, call: AwsCall): Promise<undefined> {
  await eventSubscriptions.unsubscribe(call.principal, subscriptionOf(call.form).id);
}

export async function listSubscriptions(options: SnsOptions, call: AwsCall): Promise<XmlElements> {
  return listed(await options.eventSubscriptions.list(call.principal), call);
}

export async function listSubscriptionsByTopic(options: SnsOptions, call: AwsCall): Promise<XmlElements> {
  const { form, principal } = call;
  const topic = topicOf(required(form, "TopicArn"), "TopicArn");
  options.eventTopics.get(principal, topic);
  return listed(await options.eventSubscriptions.list(principal, topic), call);
}

function listed(subscriptions: readonly EventSubscription[], { form, region }: AwsCall): XmlElements {
  const named = subscriptions.map((subscription) => ({
    name: `${subscription.topic}:${subscription.id}`,
    subscription,
  }));
  named.sort((a, b) => (a.name < b.name ? -1 : 1));
  const { page, more } = pageOf(named, { NextToken: optional(form, "NextToken") }, limits.eventTopic.pageMax);
  const members = page.map(({ subscription }) => ({
    SubscriptionArn: subscription.isPending ? "PendingConfirmation" : arnOf(subscription, region),
    Owner: accountId,
    Protocol: subscription.protocol,
    Endpoint: endpointOf(subscription, region),
    TopicArn: topicArnOf(region, subscription.topic),
  }));
  return { Subscriptions: { member: members }, ...more };
}

export async function getSubscriptionAttributes(options: SnsOptions, call: AwsCall): Promise<XmlElements> {
  const { eventSubscriptions } = options;
  const { principal, region } = call;
  const subscription = await found(options, call);
  const { id, filter, filterScope, deadLetterQueue, deliveryPolicy, isPending } = subscription;
  const report = await eventSubscriptions.report(principal, id);
  return {
    Attributes: toMapXml({
      SubscriptionArn: arnOf(subscription, region),
      TopicArn: topicArnOf(region, subscription.topic),
      Owner: accountId,
      SubscriptionPrincipal: `arn:aws:iam::${accountId}:root`,
      Protocol: subscription.protocol,
      Endpoint: endpointOf(subscription, region),
      ConfirmationWasAuthenticated: String(subscription.isConfirmedWithCredentials),
      PendingConfirmation: String(isPending),
      RawMessageDelivery: String(subscription.isRaw),
      FilterPolicy: filter && JSON.stringify(filter.policy),
      FilterPolicyScope: toScopeText(filterScope),
      RedrivePolicy: deadLetterQueue === undefined ? undefined : toRedrivePolicy(region, deadLetterQueue),
      DeliveryPolicy: deliveryPolicy,
      TodokuSigningSecret: await eventSubscriptions.signingSecret(principal, id),
      TodokuCircuit: report?.circuit,
      TodokuWaiting: report?.waiting === undefined ? undefined : String(report.waiting),
      TodokuDeadLetters: report && String(report.deadLetters.count),
    }),
  };
}

export async function setSubscriptionAttributes(options: SnsOptions, call: AwsCall): Promise<undefined> {
  const { form, principal } = call;
  const { id, filterScope } = await found(options, call);
  const name = required(form, "AttributeName");
  const changes = readDeliveryAttribute(name, form.get("AttributeValue") ?? "", filterScope);
  await options.eventSubscriptions.change(principal, id, changes);
}

async function found({ eventSubscriptions }: SnsOptions, { form, principal }: AwsCall): Promise<EventSubscription> {
  const { topic, id } = subscriptionOf(form);
  const subscription = await eventSubscriptions.get(principal, id);
  if (subscription.topic === topic) return subscription;
  throw new AwsError("NotFound", "Subscription does not exist", { status: 404 });
}

function arnOf({ topic, id }: EventSubscription, region: string): string {
  return subscriptionArnOf(region, topic, id);
}

function endpointOf({ target: { kind, address } }: EventSubscription, region: string): string {
  if (kind === "sns-http") return address;
  return kind === "queue" ? queueArnOf(region, address) : handlerArnOf(region, address);
}
