import type { DurableSubscription } from "./subscription.ts";

/** By subscription, of which there is another one after each change. */
const places = new WeakMap<DurableSubscription, string>();

/** Whose slots its calls take: the origin of its URL, the handler, or that of all queues. */
export function placeOf(subscription: DurableSubscription): string {
  let place = places.get(subscription);
  if (place === undefined) {
    const { environment, destination } = subscription;
    if (destination.kind === "queue") place = "queue";
    else if (destination.kind === "handler") place = `handler:${environment}/${destination.handler}`;
    else place = new URL(destination.url).origin;
    places.set(subscription, place);
  }
  return place;
}

/** Do both hand over at the same place? */
export function goToTheSame(one: DurableSubscription, other: DurableSubscription): boolean {
  return one === other || targetOf(one) === targetOf(other);
}

function targetOf({ destination }: DurableSubscription): string {
  if (destination.kind === "queue") return `queue:${destination.queue}`;
  return destination.kind === "handler" ? `handler:${destination.handler}` : destination.url;
}
