import { arnParts } from "../../../domain/event-topics/arns.ts";
import { checkEventTopicName } from "../../../domain/event-topics/event-topic.ts";
import { readList } from "../form.ts";
import type { XmlElements } from "../xml.ts";
import { invalidParameter } from "./errors.ts";

/** A field that must be there. @throws AwsError `InvalidParameter`. */
export function required(form: URLSearchParams, name: string): string {
  const value = form.get(name);
  if (value) return value;
  throw invalidParameter(`${name} is missing`);
}

/** A field that may be left out; empty is left out too. */
export function optional(form: URLSearchParams, name: string): string | undefined {
  return form.get(name) || undefined;
}

/** A field that is `true` or `false`. @throws AwsError `InvalidParameter`. */
export function flag(name: string, value: string): boolean {
  if (value === "true" || value === "false") return value === "true";
  throw invalidParameter(`${name}: must be true or false`);
}

/** The topic that an ARN names. @throws AwsError `InvalidParameter`; TodokuError `invalid_argument`. */
export function topicOf(arn: string, field: string): string {
  const [topic = "", ...more] = arnParts("sns", arn) ?? [];
  if (topic === "" || more.length > 0) throw invalidParameter(`${field}: it is no ARN of a topic`);
  checkEventTopicName(topic);
  return topic;
}

/** The parts of a subscription's ARN. @throws AwsError `InvalidParameter`. */
export function subscriptionOf(form: URLSearchParams): { readonly topic: string; readonly id: string } {
  const [topic = "", id = "", ...more] = arnParts("sns", required(form, "SubscriptionArn")) ?? [];
  if (id !== "" && more.length === 0) return { topic, id };
  throw invalidParameter("SubscriptionArn: it is no ARN of a subscription");
}

/** `Attributes.entry.1.key=a&Attributes.entry.1.value=b`. @throws AwsError `InvalidParameter`: one twice, or without a name. */
export function readMap(form: URLSearchParams, name: string): Map<string, string> {
  const map = new Map<string, string>();
  for (const entry of readList(form, `${name}.entry`)) {
    const key = required(entry, "key");
    if (map.has(key)) throw invalidParameter(`${name}: ${key.slice(0, 100)} is there twice`);
    map.set(key, entry.get("value") ?? "");
  }
  return map;
}

/** The other way round. */
export function toMapXml(values: Readonly<Record<string, string | undefined>>): XmlElements {
  const there = Object.entries(values).filter(([, value]) => value !== undefined);
  return { entry: there.map(([key, value]) => ({ key, value })) };
}
