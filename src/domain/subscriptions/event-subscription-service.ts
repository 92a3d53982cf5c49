import { authorize, isAllowed } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import { TodokuError } from "../errors.ts";
import { eventTopicNotFound } from "../event-topics/event-topic.ts";
import { snsSubscriptionIdOf } from "../event-topics/message-id.ts";
import { limits } from "../limits.ts";
import { eventsCache } from "../names.ts";
import { askToConfirm } from "./ask-to-confirm.ts";
import { checkRaw, defaultDelivery, sameSubscription, withDelivery } from "./event-delivery.ts";
import {
  documentOf,
  type EventDelivery,
  type EventSubscription,
  type EventTarget,
  isKeptEvent,
  type KeptEvent,
  toEventSubscription,
  toTarget,
} from "./event-subscription.ts";
import type { EventSubscriptionParts, EventSubscriptionRequest, EventSubscriptions } from "./event-subscriptions.ts";
import { PendingSubscriptions } from "./pending-subscriptions.ts";
import { SigningSecrets } from "./signing-secrets.ts";
import type { Decision } from "./subscription-registry.ts";
import { reportOf, type SubscriptionReport } from "./subscription-reports.ts";

/** Makes and changes the subscriptions of event topics. */
export class EventSubscriptionService implements EventSubscriptions {
  readonly #parts: EventSubscriptionParts;
  readonly #pending: PendingSubscriptions;
  readonly #secrets: SigningSecrets;

  constructor(parts: EventSubscriptionParts) {
    this.#parts = parts;
    this.#pending = new PendingSubscriptions(parts.engine.records, parts.wallMs);
    this.#secrets = new SigningSecrets(parts.sealer, parts.wallMs);
    parts.eventTopics.onDelete((environment, topic) => this.#forgetTopic(environment, topic));
  }

  async start(): Promise<void> {
    for (const { subscription } of this.#parts.registry.all().filter(isKeptEvent)) {
      const { environment, topic } = subscription;
      if (!this.#parts.eventTopics.known(environment, topic)) await this.#parts.registry.remove(subscription);
    }
  }

  async #forgetTopic(environment: string, topic: string): Promise<void> {
    const kept = this.#all(environment).filter(({ subscription }) => subscription.topic === topic);
    for (const { subscription } of kept) await this.#parts.registry.remove(subscription);
    await this.#pending.removeTopic(environment, topic);
  }

  async subscribe(principal: Principal, topic: string, request: EventSubscriptionRequest): Promise<EventSubscription> {
    const { environment } = principal;
    authorize(principal, "topic.subscribe", eventsCache, topic);
    if (!this.#parts.eventTopics.known(environment, topic)) throw eventTopicNotFound(topic);
    const { protocol, target } = toTarget(request.protocol, request.endpoint, this.#parts.refusal);
    const id = snsSubscriptionIdOf(environment, topic, protocol, target.address);
    authorize(principal, "webhook.write", eventsCache, id);
    await this.#checkTarget(principal, target);
    const { protocol: _, endpoint, place, ...wanted } = request;
    const delivery = { ...defaultDelivery, ...wanted };
    checkRaw(delivery, target);
    if (delivery.deadLetterQueue !== undefined) await this.#checkQueue(principal, delivery.deadLetterQueue);
    const there = this.#known(environment, id);
    if (there) return sameSubscription(there, wanted);
    const isPending = target.kind === "sns-http";
    const places = { topic, place, isPending, isConfirmedWithCredentials: !isPending };
    const subscription = { ...delivery, ...places, id, environment, protocol, target };
    return isPending ? this.#ask(subscription) : this.#make(subscription);
  }

  async #checkTarget(principal: Principal, { kind, address }: EventTarget): Promise<void> {
    if (kind === "queue") await this.#checkQueue(principal, address);
    if (kind === "handler") authorize(principal, "handler.invoke", "", address);
  }

  async #checkQueue(principal: Principal, queue: string): Promise<void> {
    authorize(principal, "queue.send", "", queue);
    await this.#parts.queues.get(principal.environment, queue);
  }

  async #ask(subscription: EventSubscription): Promise<EventSubscription> {
    this.#checkRoom(subscription.environment);
    const token = await this.#pending.add(subscription);
    const { environment, id } = subscription;
    const isWaiting = async () => !this.#known(environment, id) && (await this.#pending.find(token)) !== undefined;
    askToConfirm(this.#parts, subscription, token, isWaiting);
    return subscription;
  }

  #checkRoom(environment: string): void {
    const { perEnvironment } = limits.eventSubscription;
    if (this.#all(environment).length < perEnvironment) return;
    const text = `environment "${environment}" has ${perEnvironment} event subscriptions, the most it may have`;
    throw new TodokuError("limit_exceeded", text, { subject: "subscriptions" });
  }

  /** Answers the one that somebody made meanwhile. */
  async #make(subscription: EventSubscription): Promise<EventSubscription> {
    const { environment, topic, id } = subscription;
    const key = nameOf(environment, id);
    const { registry } = this.#parts;
    await registry.change(key, async (was) => (was ? undefined : this.#made(subscription)));
    // Its topic may have been deleted after it was found: the subscription must not wait for the next one of that name.
    if (!this.#parts.eventTopics.known(environment, topic)) await registry.remove(key);
    const kept = this.#known(environment, id);
    if (kept) return toEventSubscription(kept);
    throw eventTopicNotFound(topic);
  }

  async #made(subscription: EventSubscription): Promise<Decision> {
    const { environment, topic, id, target } = subscription;
    this.#checkRoom(environment);
    const { caches, registry, wallMs } = this.#parts;
    const start = await registry.places.head(await caches.get(environment, eventsCache), topic);
    const content = documentOf(subscription, target, subscription);
    const shared = { ...content, createdAtMs: wallMs() };
    const document =
      shared.kind === "sns-http"
        ? { ...shared, secrets: [await this.#secrets.draw(environment, eventsCache, id, 1)] }
        : shared;
    return { document, onStored: (now) => registry.places.open(now, start) };
  }

  async confirm(token: string, topic: string, principal?: Principal): Promise<EventSubscription> {
    const pending = await this.#pending.find(token);
    const isOther = principal && pending && principal.environment !== pending.environment;
    if (!pending || isOther || pending.topic !== topic) {
      throw new TodokuError("invalid_argument", "the token confirms no subscription of this topic", {
        subject: "token",
      });
    }
    // The record stays: whoever has no answer asks again, and gets the same one.
    const isConfirmedWithCredentials = principal !== undefined;
    return this.#make({ ...pending, isPending: false, isConfirmedWithCredentials });
  }

  async unsubscribe(principal: Principal, id: string): Promise<void> {
    authorize(principal, "webhook.write", eventsCache, id);
    const { environment } = principal;
    await this.#pending.remove(environment, id);
    if (this.#known(environment, id)) await this.#parts.registry.remove(nameOf(environment, id));
  }

  async get(principal: Principal, id: string): Promise<EventSubscription> {
    authorize(principal, "webhook.read", eventsCache, id);
    const { environment } = principal;
    const kept = this.#known(environment, id);
    if (kept) return toEventSubscription(kept);
    const pending = (await this.#waiting(environment)).find((one) => one.id === id);
    if (pending) return pending;
    throw notFound(id);
  }

  async list(principal: Principal, topic?: string): Promise<readonly EventSubscription[]> {
    if (!principal.grants.some(({ resource }) => resource === "webhook")) {
      authorize(principal, "webhook.read", eventsCache);
    }
    const all = await this.#listed(principal.environment, topic);
    return all.filter(({ id }) => isAllowed(principal, "webhook.read", eventsCache, id)).sort(byTopic);
  }

  async #listed(environment: string, topic?: string): Promise<EventSubscription[]> {
    const all = [...this.#all(environment).map(toEventSubscription), ...(await this.#waiting(environment))];
    return topic === undefined ? all : all.filter((one) => one.topic === topic);
  }

  /** Those whose tokens were used stay for a while, and are listed as what they have become. */
  async #waiting(environment: string): Promise<EventSubscription[]> {
    const pending = await this.#pending.list(environment);
    return pending.filter(({ id }) => !this.#known(environment, id));
  }

  async change(principal: Principal, id: string, changes: Partial<EventDelivery>): Promise<void> {
    authorize(principal, "webhook.write", eventsCache, id);
    const { environment } = principal;
    if (changes.deadLetterQueue !== undefined) await this.#checkQueue(principal, changes.deadLetterQueue);
    if (!this.#known(environment, id)) {
      await this.get(principal, id);
      throw new TodokuError("failed_precondition", `subscription "${id}" is not confirmed yet: it cannot be changed`);
    }
    await this.#parts.registry.change(nameOf(environment, id), async (was) => {
      if (!was || !isKeptEvent(was)) throw notFound(id);
      checkRaw(changes, toEventSubscription(was).target);
      return { document: withDelivery(was, changes) };
    });
  }

  async count(principal: Principal, topic: string) {
    this.#parts.eventTopics.get(principal, topic);
    const all = await this.#listed(principal.environment, topic);
    const pending = all.filter(({ isPending }) => isPending).length;
    return { confirmed: all.length - pending, pending };
  }

  async report(principal: Principal, id: string): Promise<SubscriptionReport | undefined> {
    authorize(principal, "webhook.read", eventsCache, id);
    const kept = this.#known(principal.environment, id);
    return kept && reportOf(this.#parts.reportParts, kept.subscription);
  }

  async signingSecret(principal: Principal, id: string): Promise<string | undefined> {
    if (!isAllowed(principal, "webhook.write", eventsCache, id)) return undefined;
    const kept = this.#known(principal.environment, id);
    if (kept?.document.kind !== "sns-http") return undefined;
    return this.#secrets.current({ subscription: kept.subscription, document: kept.document });
  }

  #known(environment: string, id: string): KeptEvent | undefined {
    const kept = this.#parts.registry.known(nameOf(environment, id));
    return kept && isKeptEvent(kept) ? kept : undefined;
  }

  #all(environment: string): KeptEvent[] {
    return this.#parts.registry.all(environment).filter(isKeptEvent);
  }
}

function nameOf(environment: string, id: string) {
  return { environment, cache: eventsCache, name: id };
}

function notFound(id: string): TodokuError {
  return new TodokuError("not_found", `subscription "${id.slice(0, 100)}" does not exist`, { subject: "subscription" });
}

function byTopic(a: EventSubscription, b: EventSubscription): number {
  if (a.topic === b.topic) return a.id < b.id ? -1 : 1;
  return a.topic < b.topic ? -1 : 1;
}
