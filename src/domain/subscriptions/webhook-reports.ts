import { Buffer } from "node:buffer";
import { type Action, authorize, isAllowed } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Outcome } from "./destination.ts";
import { overlapEndMs } from "./signing-secrets.ts";
import type { DeadLetter, DeliveryEntry, FailureEntry, Numbered } from "./store.ts";
import { keyOf, type Webhook } from "./subscription.ts";
import { isKeptWebhook, type KeptWebhook, webhookNotFound } from "./subscription-document.ts";
import { reportOf } from "./subscription-reports.ts";
import { checkCount } from "./webhook-checks.ts";
import type { WebhookInfo, WebhookParts } from "./webhooks.ts";

/** How webhooks are, what became of their items, and what is done with those that are dead. */
export class WebhookReports {
  readonly #parts: WebhookParts;
  /** Ids of those that are being tested. */
  readonly #tested = new Set<number>();

  constructor(parts: WebhookParts) {
    this.#parts = parts;
  }

  /** One that the principal may do this to. @throws TodokuError `permission_denied`, `not_found`: the webhook, or its cache. */
  protected async find(
    principal: Principal,
    action: Extract<Action, `webhook.${string}`>,
    cache: string,
    name: string,
  ): Promise<KeptWebhook> {
    authorize(principal, action, cache, name);
    const { environment } = principal;
    const kept = await this.#parts.registry.current({ environment, cache, name });
    if (kept && isKeptWebhook(kept)) return kept;
    await this.#parts.caches.get(environment, cache);
    throw webhookNotFound(cache, name);
  }

  async get(principal: Principal, cache: string, name: string): Promise<WebhookInfo> {
    const { subscription: webhook, document } = await this.find(principal, "webhook.read", cache, name);
    const { destination, wallMs } = this.#parts;
    const report = await reportOf(this.#parts, webhook);
    const endsAtMs = overlapEndMs(document, wallMs());
    const overlap = endsAtMs && { endsAtMs, receiverIsBehind: destination().usesFormerSecret(webhook) };
    return { ...report, webhook, overlap: overlap || undefined };
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
    if (marked > 0) this.#parts.registry.tell({ kind: "replay", subscription });
    return marked;
  }

  /**
   * Dead letters go where the webhook points, and may be of a topic that it had before: who says where that is must be allowed to
   * read them. @throws TodokuError `permission_denied`.
   */
  protected async checkDeadTopics(principal: Principal, subscription: Webhook): Promise<void> {
    for (const topic of await this.#parts.engine.subscriptions.deadTopics(keyOf(subscription))) {
      authorize(principal, "topic.subscribe", subscription.cache, topic);
    }
  }

  /** @throws TodokuError `not_found`. */
  async #topicOf(subscription: Webhook, id: number): Promise<string> {
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

function deadLetterNotFound({ cache, name }: Webhook, id: number): TodokuError {
  const text = `webhook "${name}" of cache "${cache}" has no dead letter ${id}`;
  return new TodokuError("not_found", text, { subject: "dead_letter" });
}
