import { authorize, isAllowed } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import { selects } from "../auth/selector.ts";
import type { Cache } from "../cache/cache.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { checkName } from "../names.ts";
import { SigningSecrets, withoutExpired, withSecret } from "./signing-secrets.ts";
import type { DurableSubscription, Pause } from "./subscription.ts";
import { checkCount, checkWebhookName, checkWebhookUrl } from "./webhook-checks.ts";
import { type Kept, type WebhookDocument, webhookNotFound } from "./webhook-document.ts";
import { WebhookPlaces } from "./webhook-places.ts";
import { type Decision, type WebhookKey, WebhookRegistry } from "./webhook-registry.ts";
import { WebhookReports } from "./webhook-reports.ts";
import type { WebhookChange, WebhookParts, WebhookRequest, Webhooks } from "./webhooks.ts";

/** Makes and changes webhooks; what became of their items is told by {@link WebhookReports}. */
export class WebhookService extends WebhookReports implements Webhooks {
  readonly #parts: WebhookParts;
  readonly #registry: WebhookRegistry;
  readonly #secrets: SigningSecrets;
  readonly #places: WebhookPlaces;

  constructor(parts: WebhookParts) {
    const registry = new WebhookRegistry(parts.engine);
    super(parts, registry);
    this.#parts = parts;
    this.#registry = registry;
    this.#secrets = new SigningSecrets(parts.sealer, parts.wallMs);
    this.#places = new WebhookPlaces(parts.engine);
    parts.caches.onChange(({ was: { environment, cache } }) => {
      // As if the hint were lost: the tick of each second comes anyway.
      registry.refreshCache(environment, cache).catch(() => {});
    });
  }

  async start(): Promise<void> {
    await this.#registry.refresh();
    await Promise.all(this.#registry.all().map((kept) => this.#settle(kept).catch(ignoreUnavailable)));
  }

  /** Finishes what a stop of the server has left half done. */
  async #settle({ subscription }: Kept): Promise<void> {
    const cache = await this.#parts.caches.current(subscription.environment, subscription.cache);
    if (cache) await this.#places.open(subscription, await this.#places.head(cache, subscription.topic));
    else await this.#registry.remove(subscription);
  }

  refresh(): Promise<void> {
    return this.#registry.refresh();
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
      return was ? this.#changed(was, request, cache, principal) : this.#made(key, request, cache);
    });
    const kept = await change.finally(() => this.#removeOrphan(key));
    await this.#parts.caches.get(key.environment, cacheName);
    if (!kept) throw webhookNotFound(cacheName, name);
    return { webhook: kept.subscription, secret: await this.#secrets.current(kept), isNew };
  }

  /** Its cache may have been deleted after it was found: the webhook must not wait for the next one of that name. */
  async #removeOrphan(key: WebhookKey): Promise<void> {
    const cache = await this.#parts.caches.current(key.environment, key.cache);
    if (!cache && this.#registry.known(key)) await this.#registry.remove(key);
  }

  async #made(key: WebhookKey, { topic, url, isOrdered = true }: WebhookRequest, cache: Cache): Promise<Decision> {
    const { environment, name } = key;
    const { perEnvironment } = limits.webhook;
    if (this.#registry.all(environment).length >= perEnvironment) {
      const text = `environment "${environment}" has ${perEnvironment} webhooks, the most it may have`;
      throw new TodokuError("limit_exceeded", text);
    }
    const start = await this.#places.head(cache, topic);
    const secrets = [await this.#secrets.draw(environment, key.cache, name, 1)];
    const document = { topic, url, isOrdered, createdAtMs: this.#parts.wallMs(), secrets };
    return { document, onStored: (now) => this.#places.open(now, start) };
  }

  async #changed(
    was: Kept,
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

  async list(principal: Principal, cache?: string): Promise<readonly DurableSubscription[]> {
    const { environment } = principal;
    const grants = principal.grants.filter((grant) => grant.resource === "webhook");
    const isSome = grants.some((grant) => cache === undefined || selects(grant.cache, cache));
    if (!isSome) authorize(principal, "webhook.read", cache);
    if (cache !== undefined) await this.#parts.caches.get(environment, cache);
    const webhooks = this.#registry.all(environment).map(({ subscription }) => subscription);
    return webhooks
      .filter((one) => (cache === undefined || one.cache === cache) && this.#maySee(principal, one))
      .sort((a, b) => compareText(a.cache, b.cache) || compareText(a.name, b.name));
  }

  #maySee(principal: Principal, { cache, name }: DurableSubscription): boolean {
    return isAllowed(principal, "webhook.read", cache, name);
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

  async pause(principal: Principal, cache: string, name: string): Promise<DurableSubscription> {
    const pause: Pause = { reason: "asked", atMs: this.#parts.wallMs() };
    const kept = await this.#change(principal, cache, name, async ({ document }) => {
      return document.pause?.reason === "asked" ? undefined : { ...document, pause };
    });
    return kept.subscription;
  }

  async resume(principal: Principal, cache: string, name: string): Promise<DurableSubscription> {
    const { subscription: was } = await this.find(principal, "webhook.write", cache, name);
    const { subscription } = await this.#change(principal, cache, name, async ({ document }) => {
      const { pause, ...rest } = document;
      return pause && rest;
    });
    if (!was.pause) this.#registry.tell({ kind: "changed", was: subscription, now: subscription });
    return subscription;
  }

  async pauseGone(subscription: DurableSubscription): Promise<void> {
    const { id, destination } = subscription;
    await this.#registry.change(subscription, async (was) => {
      const isAnother = was?.subscription.id !== id || was.document.url !== destination.url;
      if (!was || isAnother || was.document.pause) return undefined;
      return { document: { ...was.document, pause: { reason: "gone", atMs: this.#parts.wallMs() } } };
    });
  }

  /** Changes one that is there; undefined leaves it as it is. */
  async #change(
    principal: Principal,
    cache: string,
    name: string,
    decide: (was: Kept) => Promise<WebhookDocument | undefined>,
  ): Promise<Kept> {
    const { subscription } = await this.find(principal, "webhook.write", cache, name);
    const kept = await this.#registry.change(subscription, async (was) => {
      const document = was && (await decide(was));
      return document && { document: withoutExpired(document, this.#parts.wallMs()) };
    });
    if (!kept) throw webhookNotFound(cache, name);
    return kept;
  }

  async signingSecrets(subscription: DurableSubscription): Promise<readonly string[]> {
    const kept = this.#registry.known(subscription);
    if (kept?.subscription.id === subscription.id) return this.#secrets.of(kept);
    throw webhookNotFound(subscription.cache, subscription.name);
  }

  all(): readonly DurableSubscription[] {
    return this.#registry.all().map(({ subscription }) => subscription);
  }

  onChange(listener: (change: WebhookChange) => void): void {
    this.#registry.onChange(listener);
  }

  forgetEnvironment(environment: string): void {
    this.#registry.forgetEnvironment(environment);
  }
}

/** A full disk is no reason not to start: whoever delivers gives it its place later. */
function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof TodokuError) || error.code !== "unavailable") throw error;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
