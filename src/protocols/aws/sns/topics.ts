import { accountId, topicArnOf } from "../../../domain/event-topics/arns.ts";
import { limits } from "../../../domain/limits.ts";
import type { AwsCall } from "../call.ts";
import { readList } from "../form.ts";
import { pageOf } from "../page.ts";
import type { XmlElements } from "../xml.ts";
import { invalidParameter } from "./errors.ts";
import { optional, readMap, required, toMapXml, topicOf } from "./form.ts";
import type { SnsOptions } from "./options.ts";

export async function createTopic({ eventTopics }: SnsOptions, call: AwsCall): Promise<XmlElements> {
  const { form, principal, region } = call;
  if (form.has("DataProtectionPolicy")) throw invalidParameter("DataProtectionPolicy: it is not offered");
  const attributes = Object.fromEntries(readMap(form, "Attributes"));
  const tags = Object.fromEntries(readTags(form));
  const { name } = await eventTopics.create(principal, required(form, "Name"), { attributes, tags });
  return { TopicArn: topicArnOf(region, name) };
}

export async function deleteTopic({ eventTopics }: SnsOptions, { form, principal }: AwsCall): Promise<undefined> {
  await eventTopics.delete(principal, topicOf(required(form, "TopicArn"), "TopicArn"));
}

export async function listTopics({ eventTopics }: SnsOptions, call: AwsCall): Promise<XmlElements> {
  const { form, principal, region } = call;
  const token = { NextToken: optional(form, "NextToken") };
  const { page, more } = pageOf(eventTopics.list(principal), token, limits.eventTopic.pageMax);
  return { Topics: { member: page.map(({ name }) => ({ TopicArn: topicArnOf(region, name) })) }, ...more };
}

export async function getTopicAttributes(options: SnsOptions, call: AwsCall): Promise<XmlElements> {
  const { form, principal, region } = call;
  const name = topicOf(required(form, "TopicArn"), "TopicArn");
  const { attributes } = options.eventTopics.get(principal, name);
  const { confirmed, pending } = await options.eventSubscriptions.count(principal, name);
  const arn = topicArnOf(region, name);
  return {
    Attributes: toMapXml({
      TopicArn: arn,
      Owner: accountId,
      DisplayName: "",
      Policy: JSON.stringify(policyOf(arn)),
      ...attributes,
      SubscriptionsConfirmed: String(confirmed),
      SubscriptionsPending: String(pending),
      SubscriptionsDeleted: "0",
      EffectiveDeliveryPolicy: JSON.stringify(deliveryPolicy),
    }),
  };
}

/** What SNS gives a topic that nobody has given one. Who may do what is up to the grants of keys. */
function policyOf(arn: string): object {
  const statement = {
    Sid: "__default_statement_ID",
    Effect: "Allow",
    Principal: { AWS: "*" },
    Action: ["SNS:Publish", "SNS:Subscribe", "SNS:GetTopicAttributes", "SNS:ListSubscriptionsByTopic"],
    Resource: arn,
    Condition: { StringEquals: { "AWS:SourceAccount": accountId } },
  };
  return { Version: "2008-10-17", Id: "__default_policy_ID", Statement: [statement] };
}

/** How posts are tried again, as far as SNS's words go. */
const deliveryPolicy = {
  http: {
    defaultHealthyRetryPolicy: {
      minDelayTarget: limits.webhook.retry.firstMs / 1000,
      maxDelayTarget: limits.webhook.retry.maxMs / 1000,
      backoffFunction: "exponential",
    },
  },
};

export async function setTopicAttributes({ eventTopics }: SnsOptions, call: AwsCall): Promise<undefined> {
  const { form, principal } = call;
  const name = topicOf(required(form, "TopicArn"), "TopicArn");
  await eventTopics.setAttribute(principal, name, required(form, "AttributeName"), form.get("AttributeValue") ?? "");
}

export async function tagResource({ eventTopics }: SnsOptions, { form, principal }: AwsCall): Promise<XmlElements> {
  const name = topicOf(required(form, "ResourceArn"), "ResourceArn");
  await eventTopics.changeTags(principal, name, Object.fromEntries(readTags(form)));
  return {};
}

export async function untagResource({ eventTopics }: SnsOptions, { form, principal }: AwsCall): Promise<XmlElements> {
  const name = topicOf(required(form, "ResourceArn"), "ResourceArn");
  const keys = readList(form, "TagKeys.member").map((member) => required(member, ""));
  await eventTopics.changeTags(principal, name, Object.fromEntries(keys.map((key) => [key, null])));
  return {};
}

export async function listTags({ eventTopics }: SnsOptions, { form, principal }: AwsCall): Promise<XmlElements> {
  const { tags } = eventTopics.get(principal, topicOf(required(form, "ResourceArn"), "ResourceArn"));
  return { Tags: { member: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) } };
}

function readTags(form: URLSearchParams): Map<string, string> {
  const tags = new Map<string, string>();
  for (const member of readList(form, "Tags.member")) {
    const key = required(member, "Key");
    if (tags.has(key)) throw invalidParameter(`Tags: ${key.slice(0, 128)} is there twice`);
    tags.set(key, member.get("Value") ?? "");
  }
  return tags;
}
