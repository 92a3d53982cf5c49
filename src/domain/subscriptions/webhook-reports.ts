import { Buffer } from "node:buffer";
import { type Action, authorize, isAllowed } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Outcome } from "./destination.ts";
import { overlapEndMs } from "./signing-secrets.ts";
import type { DeadLetter, DeliveryEntry, FailureEntry, Numbered, SubscriptionState } from "./store.ts";
import { type DurableSubscription, keyOf } from "./subscription.ts";
import { checkCount } from "./webhook-checks.ts";
import { type Kept, webhookNotFound } from "./webhook-document.ts";
import type { WebhookRegistry } from "./webhook-registry.ts";
import type { WebhookInfo, WebhookParts } from "./webhooks.ts";

type ReportParts = Pick<WebhookParts, "engine" | "caches" | "destination" | "circuitOf" | "waitingOf" | "wallMs">;

/** How webhooks are, what became of their items, and what is done with those that are dead. */
export class WebhookReports {
  readonly #parts: ReportParts;
  readonly #registry: WebhookRegistry;
  /** Ids of those that are being tested. */
  readonly #tested = new Set<number>();

  constructor(parts: ReportParts, registry: WebhookRegistry) {
    this.#parts = parts;
    this.#registry = registry;
  }

  /** One that the principal may do this to. @throws TodokuError `permission_denied`, `not_found`: the webhook, or its cache. */
  protected async find(
    principal: Principal,
    action: Extract<Action, `webhook.${string}`>,
    cache: string,
    name: string,
  ): Promise<Kept> {
    authorize(principal, action, cache, name);
    const { environment } = principal;
    const kept = await this.#registry.current({ environment, cache, name });
    if (kept) return kept;
    await this.#parts.caches.get(environment, cache);
    throw webhookNotFound(cache, name);
  }

  async get(principal: Principal, cache: string, name: string): Promise<WebhookInfo> {
    const { subscription: webhook, document } = await this.find(principal, "webhook.read", cache, name);
    const { circuitOf, destination, engine, wallMs } = this.#parts;
    const state = await engine.subscriptions.state(keyOf(webhook));
    const endsAtMs = overlapEndMs(document, wallMs());
    const overlap = endsAtMs && { endsAtMs, receiverIsBehind: destination().usesFormerSecret(webhook) };
    const waiting = await this.#waiting(webhook.id, state);
    return { ...state, webhook, circuit: circuitOf(webhook.id), waiting, overlap: overlap || undefined };
  }

  /** Without those behind the cursor that the history dropped: they are dead letters by now. */
  async #waiting(id: number, { cursor }: SubscriptionState): Promise<number | undefined> {
    const { caches, engine, waitingOf } = this.#parts;
    const waiting = waitingOf(id);
    if (!waiting) return waiting;
    const { key, position } = cursor;
    const cache = await caches.current(key.cache.environment, key.cache.cache);
    if (cache?.cacheId !== key.cache.cacheId) return waiting;
    const { items, head } = await engine.topics[cache.durability].read(key, position, { maxItems: 1, maxBytes: 1 });
    const next = items[0] ?? { page: head.page, sequence: head.sequence + 1 };
    const dropped = next.page === position.page ? next.sequence - 1 - position.sequence : 0;
    return Math.max(0, waiting - dropped);
  }

  async test(principal: Principal, cache: string, name: string): Promise<Outcome> {
    const { subscription } = await this.find(principal, "webhook.write", cache, name);
    const item = {
      // No item of a log has the number 0: a receiver that remembers numbers takes no real one for this.
      ...{ page: 1, sequence: 0 },
      value: { isText: true, bytes: Buffer.from(`This is a test of webhook ${name}.`) },
      ...{ attributes: undefined, tokenId: "", publishedAtMs: this.#parts.wallMs() },
    };
    const { topic, id } = subscription;
    // These calls are not among those that are counted and wait their turn.
    if (this.#tested.has(id)) {
      throw new TodokuError("limit_exceeded", `webhook "${name}" is being tested; one test may run at a time`, {
        retryAfterMs: limits.webhook.timeoutMs,
      });
    }
    this.#tested.add(id);
    try {
      return await this.#parts.destination().deliver({ subscription, topic, item, attempt: 1, isTest: true });
    } finally {
      this.#tested.delete(id);
    }
  }

  async deliveries(
    principal: Principal,
    cache: string,
    name: string,
    maxItems: number,
    before?: number,
  ): Promise<readonly Numbered<DeliveryEntry>[]> {
    const { subscription } = await this.find(principal, "webhook.read", cache, name);
    checkLimit(maxItems);
    return this.#parts.engine.subscriptions.deliveries(keyOf(subscription), maxItems, before);
  }

  async failures(
    principal: Principal,
    cache: string,
    name: string,
    maxItems: number,
    before?: number,
  ): Promise<readonly Numbered<FailureEntry>[]> {
    const { subscription } = await this.find(principal, "webhook.read", cache, name);
    checkLimit(maxItems);
    const failures = await this.#parts.engine.subscriptions.failures(keyOf(subscription), maxItems, before);
    if (isAllowed(principal, "webhook.write", cache, name)) return failures;
    return failures.map((failure) => ({ ...failure, answer: undefined }));
  }

  async deadLetters(
    principal: Principal,
    cache: string,
    name: string,
    maxItems: number,
    afterId?: number,
  ): Promise<readonly DeadLetter[]> {
    const { subscription } = await this.find(principal, "webhook.read", cache, name);
    checkLimit(maxItems);
    const bounds = { maxItems, maxBytes: limits.batchMaxBytes };
    const letters = await this.#parts.engine.subscriptions.deadLetters(keyOf(subscription), bounds, afterId);
    // They hold what was published: to see a webhook is no right to read its topics.
    for (const topic of new Set(letters.map((letter) => letter.topic))) {
      authorize(principal, "topic.subscribe", cache, topic);
    }
    return letters;
  }

  async replay(principal: Principal, cache: string, name: string, id: number | "all"): Promise<number> {
    const { subscription } = await this.find(principal, "webhook.write", cache, name);
    if (id === "all") await this.checkDeadTopics(principal, subscription);
    else authorize(principal, "topic.subscribe", cache, await this.#topicOf(subscription, id));
    const marked = await this.#parts.engine.subscriptions.replay(keyOf(subscription), id);
    if (marked > 0) this.#registry.tell({ kind: "replay", subscription });
    return marked;
  }

  /**
   * Dead letters go where the webhook points, and may be of a topic that it had before: who says where that is must be allowed to
   * read them. @throws TodokuError `permission_denied`.
   */
  protected async checkDeadTopics(principal: Principal, subscription: DurableSubscription): Promise<void> {
    for (const topic of await this.#parts.engine.subscriptions.deadTopics(keyOf(subscription))) {
      authorize(principal, "topic.subscribe", subscription.cache, topic);
    }
  }

  /** @throws TodokuError `not_found`. */
  async #topicOf(subscription: DurableSubscription, id: number): Promise<string> {
    const bounds = { maxItems: 1, maxBytes: 1 };
    const [letter] = await this.#parts.engine.subscriptions.deadLetters(keyOf(subscription), bounds, id - 1);
    if (letter?.id !== id) throw deadLetterNotFound(subscription, id);
    return letter.topic;
  }

  async drop(principal: Principal, cache: string, name: string, id: number | "all"): Promise<number> {
    const { subscription } = await this.find(principal, "webhook.write", cache, name);
    const dropped = await this.#parts.engine.subscriptions.drop(keyOf(subscription), id);
    if (dropped === 0 && id !== "all") throw deadLetterNotFound(subscription, id);
    return dropped;
  }
}

function checkLimit(maxItems: number): void {
  checkCount("limit", maxItems, 1, limits.webhook.logMax);
}

function deadLetterNotFound({ cache, name }: DurableSubscription, id: number): TodokuError {
  const text = `webhook "${name}" of cache "${cache}" has no dead letter ${id}`;
  return new TodokuError("not_found", text, { subject: "dead_letter" });
}
