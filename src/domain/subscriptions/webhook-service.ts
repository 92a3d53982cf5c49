import { authorize, isAllowed } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import { selects } from "../auth/selector.ts";
import type { Cache } from "../cache/cache.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { checkName } from "../names.ts";
import { SigningSecrets, withoutExpired, withSecret } from "./signing-secrets.ts";
import { type DurableSubscription, isWebhook, type Pause, type Webhook } from "./subscription.ts";
import {
  isKeptSigning,
  isKeptWebhook,
  type Kept,
  type KeptWebhook,
  type WebhookDocument,
  webhookNotFound,
} from "./subscription-document.ts";
import type { SubscriptionPlaces } from "./subscription-places.ts";
import type { Decision, SubscriptionName, SubscriptionRegistry } from "./subscription-registry.ts";
import { checkCount, checkWebhookName, checkWebhookUrl } from "./webhook-checks.ts";
import { WebhookReports } from "./webhook-reports.ts";
import type { WebhookParts, WebhookRequest, Webhooks } from "./webhooks.ts";

/** Makes and changes webhooks; what became of their items is told by {@link WebhookReports}. */
export class WebhookService extends WebhookReports implements Webhooks {
  readonly #parts: WebhookParts;
  readonly #registry: SubscriptionRegistry;
  readonly #secrets: SigningSecrets;
  readonly #places: SubscriptionPlaces;

  constructor(parts: WebhookParts) {
    super(parts);
    this.#parts = parts;
    this.#registry = parts.registry;
    this.#secrets = new SigningSecrets(parts.sealer, parts.wallMs);
    this.#places = parts.registry.places;
  }

  async put(principal: Principal, cacheName: string, name: string, request: WebhookRequest) {
    authorize(principal, "webhook.write", cacheName, name);
    checkWebhookName(name);
    checkName("topic", request.topic);
    checkWebhookUrl(request.url, this.#parts.refusal);
    authorize(principal, "topic.subscribe", cacheName, request.topic);
    const key = { environment: principal.environment, cache: cacheName, name };
    let isNew = false;
    const change = this.#registry.change(key, async (was) => {
      const cache = await this.#parts.caches.get(key.environment, cacheName);
      isNew = !was;
      if (was) checkIsWebhook(was);
      return was ? this.#changed(was, request, cache, principal) : this.#made(key, request, cache);
    });
    const kept = await change.finally(() => this.#registry.removeOrphan(key));
    await this.#parts.caches.get(key.environment, cacheName);
    if (!kept || !isKeptWebhook(kept)) throw webhookNotFound(cacheName, name);
    return { webhook: kept.subscription, secret: await this.#secrets.current(kept), isNew };
  }

  async #made(
    key: SubscriptionName,
    { topic, url, isOrdered = true }: WebhookRequest,
    cache: Cache,
  ): Promise<Decision> {
    const { environment, name } = key;
    const { perEnvironment } = limits.webhook;
    if (this.#webhooks(environment).length >= perEnvironment) {
      const text = `environment "${environment}" has ${perEnvironment} webhooks, the most it may have`;
      throw new TodokuError("limit_exceeded", text);
    }
    const start = await this.#places.head(cache, topic);
    const secrets = [await this.#secrets.draw(environment, key.cache, name, 1)];
    const document = { topic, url, isOrdered, createdAtMs: this.#parts.wallMs(), secrets };
    return { document, onStored: (now) => this.#places.open(now, start) };
  }

  async #changed(
    was: KeptWebhook,
    request: WebhookRequest,
    cache: Cache,
    principal: Principal,
  ): Promise<Decision | undefined> {
    const { topic, url, isOrdered = was.document.isOrdered } = request;
    const { topic: oldTopic, url: oldUrl, isOrdered: wasOrdered, pause, ...rest } = was.document;
    if (url !== oldUrl) await this.checkDeadTopics(principal, was.subscription);
    const start = await this.#places.head(cache, topic);
    if (topic === oldTopic && url === oldUrl && isOrdered === wasOrdered) {
      // A call that failed half-way is made again.
      await this.#places.open(was.subscription, start);
      return undefined;
    }
    // A receiver that wanted nothing any more is another one.
    const stays = pause && (pause.reason === "asked" || url === oldUrl);
    const document = withoutExpired({ ...rest, topic, url, isOrdered, ...(stays && { pause }) }, this.#parts.wallMs());
    return { document, ...(topic !== oldTopic && { onStored: () => this.#places.move(was.subscription, start) }) };
  }

  async list(principal: Principal, cache?: string): Promise<readonly Webhook[]> {
    const { environment } = principal;
    const grants = principal.grants.filter((grant) => grant.resource === "webhook");
    const isSome = grants.some((grant) => cache === undefined || selects(grant.cache, cache));
    if (!isSome) authorize(principal, "webhook.read", cache);
    if (cache !== undefined) await this.#parts.caches.get(environment, cache);
    return this.#webhooks(environment)
      .filter((one) => (cache === undefined || one.cache === cache) && this.#maySee(principal, one))
      .sort((a, b) => compareText(a.cache, b.cache) || compareText(a.name, b.name));
  }

  #maySee(principal: Principal, { cache, name }: Webhook): boolean {
    return isAllowed(principal, "webhook.read", cache, name);
  }

  #webhooks(environment: string): readonly Webhook[] {
    return this.#registry
      .all(environment)
      .map(({ subscription }) => subscription)
      .filter(isWebhook);
  }

  async delete(principal: Principal, cache: string, name: string): Promise<void> {
    const { subscription } = await this.find(principal, "webhook.write", cache, name);
    if (!(await this.#registry.remove(subscription))) throw webhookNotFound(cache, name);
  }

  async secret(principal: Principal, cache: string, name: string): Promise<string> {
    return this.#secrets.current(await this.find(principal, "webhook.write", cache, name));
  }

  async rotate(
    principal: Principal,
    cache: string,
    name: string,
    overlapMs: number = limits.webhook.rotationOverlapMs.default,
  ): Promise<string> {
    checkCount("overlap in ms", overlapMs, 0, limits.webhook.rotationOverlapMs.max);
    const kept = await this.#change(principal, cache, name, async ({ subscription: { environment }, document }) => {
      const number = (document.secrets.at(-1)?.number ?? 0) + 1;
      const secret = await this.#secrets.draw(environment, cache, name, number);
      return withSecret(document, secret, overlapMs, this.#parts.wallMs());
    });
    return this.#secrets.current(kept);
  }

  async pause(principal: Principal, cache: string, name: string): Promise<Webhook> {
    const pause: Pause = { reason: "asked", atMs: this.#parts.wallMs() };
    const kept = await this.#change(principal, cache, name, async ({ document }) => {
      return document.pause?.reason === "asked" ? undefined : { ...document, pause };
    });
    return kept.subscription;
  }

  async resume(principal: Principal, cache: string, name: string): Promise<Webhook> {
    const { subscription: was } = await this.find(principal, "webhook.write", cache, name);
    const { subscription } = await this.#change(principal, cache, name, async ({ document }) => {
      const { pause, ...rest } = document;
      return pause && rest;
    });
    if (!was.pause) this.#registry.tell({ kind: "changed", was: subscription, now: subscription });
    return subscription;
  }

  async pauseGone(subscription: Webhook): Promise<void> {
    const { id, destination } = subscription;
    await this.#registry.change(subscription, async (was) => {
      if (!was || !isKeptWebhook(was) || was.subscription.id !== id) return undefined;
      if (was.document.url !== destination.url || was.document.pause) return undefined;
      return { document: { ...was.document, pause: { reason: "gone", atMs: this.#parts.wallMs() } } };
    });
  }

  /** Changes one that is there; undefined leaves it as it is. */
  async #change(
    principal: Principal,
    cache: string,
    name: string,
    decide: (was: KeptWebhook) => Promise<WebhookDocument | undefined>,
  ): Promise<KeptWebhook> {
    const { subscription } = await this.find(principal, "webhook.write", cache, name);
    const kept = await this.#registry.change(subscription, async (was) => {
      const document = was && isKeptWebhook(was) ? await decide(was) : undefined;
      return document && { document: withoutExpired(document, this.#parts.wallMs()) };
    });
    if (!kept || !isKeptWebhook(kept)) throw webhookNotFound(cache, name);
    return kept;
  }

  async signingSecrets(subscription: DurableSubscription): Promise<readonly string[]> {
    const kept = this.#registry.known(subscription);
    if (kept?.subscription.id === subscription.id && isKeptSigning(kept)) return this.#secrets.of(kept);
    throw webhookNotFound(subscription.cache, subscription.name);
  }
}

/** @throws TodokuError `failed_precondition`: a subscription of another kind has the name. */
function checkIsWebhook(kept: Kept): asserts kept is KeptWebhook {
  if (isKeptWebhook(kept)) return;
  const { cache, name } = kept.subscription;
  const text = `"${name}" of cache "${cache}" is a subscription of SNS or of a handler, and no webhook`;
  throw new TodokuError("failed_precondition", text);
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
