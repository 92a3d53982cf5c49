import { TodokuError } from "../errors.ts";
import {
  deliveryOf,
  documentOf,
  type EventDelivery,
  type EventDocument,
  type EventSubscription,
  type EventTarget,
  type KeptEvent,
  toEventSubscription,
} from "./event-subscription.ts";
import { parseFilter } from "./filter.ts";

/** What a subscription has that was made without a word. */
export const defaultDelivery: EventDelivery = {
  isRaw: false,
  filter: undefined,
  filterScope: "attributes",
  deadLetterQueue: undefined,
  deliveryPolicy: undefined,
};

/** @throws TodokuError `invalid_argument`. */
export function checkRaw({ isRaw }: Partial<EventDelivery>, { kind }: EventTarget): void {
  if (!isRaw || kind !== "handler") return;
  throw new TodokuError("invalid_argument", "functions get no raw messages");
}

/** What is asked for again must not be something else. @throws TodokuError `already_exists`. */
export function sameSubscription(there: KeptEvent, wanted: Partial<EventDelivery>): EventSubscription {
  const is = deliveryOf(there);
  const names = Object.keys(wanted) as (keyof EventDelivery)[];
  const other = names.find((name) => JSON.stringify(wanted[name]) !== JSON.stringify(is[name]));
  if (other === undefined) return toEventSubscription(there);
  const text = `subscription "${there.subscription.name}" exists with another ${other}`;
  throw new TodokuError("already_exists", text, { subject: "subscription" });
}

/** What is stored with other settings. A scope that is changed alone is that of the filter that is there. @throws TodokuError as `parseFilter`. */
export function withDelivery(was: KeptEvent, changes: Partial<EventDelivery>): EventDocument {
  const delivery = { ...deliveryOf(was), ...changes };
  const { filter, filterScope } = delivery;
  const scoped =
    filter && filter.scope !== filterScope ? parseFilter(JSON.stringify(filter.policy), filterScope) : filter;
  const { subscription, document } = was;
  const target = toEventSubscription(was).target;
  const { sns, createdAtMs, pause } = document;
  const content = documentOf({ ...delivery, filter: scoped }, target, {
    topic: subscription.topic,
    place: { region: sns.region, baseUrl: sns.baseUrl },
    isConfirmedWithCredentials: sns.isConfirmedWithCredentials,
  });
  const shared = { ...content, createdAtMs, ...(pause && { pause }) };
  if (shared.kind !== "sns-http") return shared;
  return { ...shared, secrets: document.kind === "sns-http" ? document.secrets : [] };
}
