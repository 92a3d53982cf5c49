import { limits } from "../../domain/limits.ts";
import type { Delivery, Outcome, WebhookDestination } from "../../domain/subscriptions/destination.ts";
import type { Webhook } from "../../domain/subscriptions/subscription.ts";
import type { Webhooks } from "../../domain/subscriptions/webhooks.ts";
import { BoundedMap } from "../../lib/bounded-map.ts";
import type { GuardedClient, GuardedResult } from "../../lib/guarded-client/guarded-client.ts";
import { bodyOf } from "./body.ts";
import { outcomeOf } from "./outcome.ts";
import { messageIdOf, Signer } from "./signatures.ts";

/** What webhooks are delivered with. */
export interface WebhookDestinationOptions {
  readonly client: GuardedClient;
  readonly signingSecrets: Webhooks["signingSecrets"];
  /** The true time, which receivers compare with theirs. */
  readonly wallMs: () => number;
  /** Of this server, for the header `user-agent`. */
  readonly version: string;
}

/** Webhooks whose receivers have not taken up their new secret; past it some first calls are refused once more. */
const behindMax = 10_000;
const { timeoutMs, answerMaxBytes } = limits.webhook;

/** Delivers items by POST, signed as Momento did and as Standard Webhooks wants it. */
export function createWebhookDestination(options: WebhookDestinationOptions): WebhookDestination {
  const { client, signingSecrets, wallMs } = options;
  const userAgent = `Todoku/${options.version} (Webhooks)`;
  const signer = new Signer();
  /** By subscription: the secret that its receiver took, where that is not the current one. */
  const behind = new BoundedMap<number, string>(behindMax);

  async function attempt(delivery: Delivery<Webhook>, secrets: readonly string[]): Promise<GuardedResult> {
    const atMs = wallMs();
    const body = bodyOf(delivery, atMs);
    const [id, timestamp] = [messageIdOf(delivery), String(Math.floor(atMs / 1000))];
    const shared = {
      "content-type": "application/json",
      "user-agent": userAgent,
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": signer.standard(secrets, id, timestamp, body),
      ...(delivery.isTest && { "todoku-test": "true" }),
    };
    const { url } = delivery.subscription.destination;
    const post = (secret: string, withinMs: number) => {
      const headers = { ...shared, "momento-signature": signer.momento(secret, body) };
      return client.call({ method: "POST", url, headers, body, timeoutMs: withinMs, answerMaxBytes });
    };
    return signedByEach(delivery.subscription.id, secrets, post);
  }

  /** `momento-signature` holds one value: a receiver that refuses it may still have another secret. */
  async function signedByEach(
    id: number,
    secrets: readonly string[],
    post: (secret: string, withinMs: number) => Promise<GuardedResult>,
  ): Promise<GuardedResult> {
    const [current = "", ...former] = secrets;
    const known = former.find((secret) => secret === behind.get(id)) ?? current;
    let result = await post(known, timeoutMs);
    for (const secret of secrets) {
      if (!isUnauthorised(result) || result.latencyMs >= timeoutMs) break;
      if (secret === known) continue;
      const { latencyMs } = result;
      const next = await post(secret, Math.ceil(timeoutMs - latencyMs));
      if (next.kind === "answer" && !isUnauthorised(next)) {
        if (secret === current) behind.delete(id);
        else behind.set(id, secret);
      }
      result = { ...next, latencyMs: latencyMs + next.latencyMs };
    }
    return result;
  }

  return {
    async deliver(delivery): Promise<Outcome> {
      let secrets: readonly string[];
      try {
        secrets = await signingSecrets(delivery.subscription);
      } catch {
        return { verdict: "retry", isOutage: true, error: "its secret cannot be read", latencyMs: 0 };
      }
      return outcomeOf(await attempt(delivery, secrets), wallMs());
    },
    usesFormerSecret: ({ id }) => behind.get(id) !== undefined,
    close: () => client.close(),
  };
}

function isUnauthorised(result: GuardedResult): boolean {
  return result.kind === "answer" && (result.status === 401 || result.status === 403);
}
