import { isDeepStrictEqual } from "node:util";
import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { Caches } from "../cache/caches.ts";
import { toTodokuError } from "../errors.ts";
import type { SubscriptionRegistry } from "../subscriptions/subscription-registry.ts";
import type { HandlerSource } from "./handler.ts";
import type { HostedHandler } from "./hosted-handler.ts";

/** A topic that feeds a handler. */
export type TopicSourceSettings = Extract<HandlerSource, { readonly kind: "topic" }>;

/** What a source works with. */
export interface TopicSourceParts {
  readonly registry: Pick<SubscriptionRegistry, "known" | "all" | "change" | "remove" | "removeOrphan" | "places">;
  readonly caches: Pick<Caches, "get">;
  readonly wheel: Pick<TimerWheel, "wait">;
  readonly wallMs: () => number;
  readonly log: Log;
}

/** A map look-up: a cache that was deleted takes the subscription with it, and may be made again. */
const lookEveryMs = 1000;
const namePrefix = "handler/";

/** Keeps the durable subscription that feeds a handler from a topic, as long as it is not ended. What is delivered is topic-destination.ts's. */
export class TopicSource {
  readonly #handler: HostedHandler;
  readonly #settings: TopicSourceSettings;
  readonly #parts: TopicSourceParts;
  readonly #end = new AbortController();
  readonly #tried = Promise.withResolvers<void>();
  /** Resolves when it is subscribed, or waits for its cache. */
  readonly tried = this.#tried.promise;
  readonly ended: Promise<void>;

  constructor(handler: HostedHandler, settings: TopicSourceSettings, parts: TopicSourceParts) {
    this.#handler = handler;
    this.#settings = settings;
    this.#parts = parts;
    this.ended = this.#run();
  }

  /** The subscription stays: what comes meanwhile waits for the next start. */
  end(): void {
    this.#end.abort();
  }

  /** Ends it, and nothing waits for the handler any more. */
  async remove(): Promise<void> {
    this.end();
    await this.ended;
    await this.#parts.registry.remove(this.#key());
  }

  async #run(): Promise<void> {
    const { environment, name } = this.#handler.definition;
    const { cache, topic } = this.#settings;
    const what = `topic "${topic}" of cache "${cache}"`;
    let isMissing = false;
    while (!this.#end.signal.aborted) {
      try {
        await this.#ensure();
        if (isMissing) this.#handler.noteFound(what);
        isMissing = false;
      } catch (caught) {
        const err = toTodokuError(caught);
        if (!isMissing) {
          isMissing = true;
          this.#handler.noteWait(what, `: ${err.message}`);
          this.#parts.log.warn({ environment, handler: name, cache, topic, err }, "a handler waits for its topic");
        }
      }
      this.#tried.resolve();
      await this.#parts.wheel.wait(lookEveryMs, this.#end.signal);
    }
    this.#tried.resolve();
  }

  async #ensure(): Promise<void> {
    const { registry, caches, wallMs } = this.#parts;
    const { topic, filter } = this.#settings;
    const { name: handler } = this.#handler.definition;
    const key = this.#key();
    const known = registry.known(key);
    if (known && isDeepStrictEqual(known.subscription.filter, filter)) return;
    await registry.change(key, async (was) => {
      if (was?.document.kind === "handler") {
        const { filter: _, ...rest } = was.document;
        return { document: { ...rest, ...(filter && { filter }) } };
      }
      const cache = await caches.get(key.environment, key.cache);
      const start = await registry.places.head(cache, topic);
      const document = { kind: "handler" as const, topic, handler, createdAtMs: wallMs(), ...(filter && { filter }) };
      return { document, onStored: (now) => registry.places.open(now, start) };
    });
    await registry.removeOrphan(key);
  }

  #key() {
    const { environment, name } = this.#handler.definition;
    const { cache, topic } = this.#settings;
    return { environment, cache, name: subscriptionNameOf(name, topic) };
  }
}

/** Those of SNS are UUIDs, so no two of them meet. */
function subscriptionNameOf(handler: string, topic: string): string {
  return `${namePrefix}${handler}/${topic}`;
}

/** Was it made for a source of a handler, and not by SNS's Subscribe? */
export function isOfSource(name: string): boolean {
  return name.startsWith(namePrefix);
}

/** Removes the subscriptions of sources that are configured no longer. */
export async function removeFormerSources(
  definitions: readonly Pick<HostedHandler["definition"], "environment" | "name" | "sources">[],
  { registry }: Pick<TopicSourceParts, "registry">,
): Promise<void> {
  const wanted = new Set(
    definitions.flatMap(({ environment, name, sources }) =>
      sources.flatMap((source) => {
        if (source.kind !== "topic") return [];
        return [JSON.stringify([environment, source.cache, subscriptionNameOf(name, source.topic)])];
      }),
    ),
  );
  for (const { subscription } of registry.all()) {
    const { environment, cache, name, destination } = subscription;
    if (destination.kind !== "handler" || !isOfSource(name)) continue;
    if (!wanted.has(JSON.stringify([environment, cache, name]))) await registry.remove(subscription);
  }
}
