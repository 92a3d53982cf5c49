import { queueArnOf } from "../../../domain/event-topics/arns.ts";
import { checkShownAttribute } from "../../../domain/event-topics/event-topic.ts";
import { type EventDelivery, queueOf } from "../../../domain/subscriptions/event-subscription.ts";
import { type FilterScope, parseFilter } from "../../../domain/subscriptions/filter.ts";
import { invalidParameter } from "./errors.ts";
import { flag } from "./form.ts";

const scopes: Readonly<Record<string, FilterScope>> = { MessageAttributes: "attributes", MessageBody: "body" };

/** What attributes of a subscription say of its delivery. @throws AwsError `InvalidParameter`; TodokuError of filters and queues. */
export function readDelivery(attributes: ReadonlyMap<string, string>): Partial<EventDelivery> {
  let delivery: Partial<EventDelivery> = {};
  // A filter is read for its scope, wherever that stands.
  const scope = attributes.get("FilterPolicyScope");
  if (scope !== undefined) delivery = { filterScope: scopeOf(scope) };
  for (const [name, value] of attributes) {
    if (name === "FilterPolicyScope") continue;
    delivery = { ...delivery, ...readDeliveryAttribute(name, value, delivery.filterScope ?? "attributes") };
  }
  return delivery;
}

/** One of them; an empty value takes away what it says. `scope`: of the filter. @throws as {@link readDelivery}. */
export function readDeliveryAttribute(name: string, value: string, scope: FilterScope): Partial<EventDelivery> {
  switch (name) {
    case "RawMessageDelivery":
      return { isRaw: flag(name, value) };
    case "FilterPolicyScope":
      return { filterScope: scopeOf(value) };
    case "FilterPolicy":
      return { filter: value === "" || value.trim() === "{}" ? undefined : parseFilter(value, scope) };
    case "RedrivePolicy":
      return { deadLetterQueue: value === "" ? undefined : deadLetterQueueOf(value) };
    case "DeliveryPolicy":
      if (value !== "") checkJson(name, value);
      return { deliveryPolicy: value === "" ? undefined : value };
    case "SubscriptionRoleArn":
      return {}; // of deliveries to Firehose
    default:
      throw invalidParameter(`AttributeName: ${name.slice(0, 100)} is not offered`);
  }
}

function scopeOf(text: string): FilterScope {
  const scope = Object.hasOwn(scopes, text) ? scopes[text] : undefined;
  if (scope) return scope;
  throw invalidParameter("FilterPolicyScope: must be MessageAttributes or MessageBody");
}

export function toScopeText(scope: FilterScope): string {
  return scope === "body" ? "MessageBody" : "MessageAttributes";
}

function deadLetterQueueOf(text: string): string {
  const policy = parseObject("RedrivePolicy", text);
  const arn = "deadLetterTargetArn" in policy ? policy.deadLetterTargetArn : undefined;
  if (typeof arn === "string") return queueOf(arn);
  throw invalidParameter("RedrivePolicy: deadLetterTargetArn is missing");
}

export function toRedrivePolicy(region: string, queue: string): string {
  return JSON.stringify({ deadLetterTargetArn: queueArnOf(region, queue) });
}

function checkJson(name: string, text: string): void {
  checkShownAttribute(name, text);
  parseObject(name, text);
}

function parseObject(name: string, text: string): object {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
  throw invalidParameter(`${name}: must be a JSON object`);
}
