import { Buffer } from "node:buffer";
import { createHmac, createSecretKey, hash, type KeyObject, randomBytes } from "node:crypto";
import type { Delivery } from "../../domain/subscriptions/destination.ts";
import { BoundedMap } from "../../lib/bounded-map.ts";

/** What Standard Webhooks secrets begin with. */
const prefix = "whsec_";
/** 128 bits of 22 characters: no two topics of a receiver meet. */
const topicIdLength = 22;

/** Some 300 bytes each. */
const keysMax = 10_000;

/** Both keys of a secret. */
interface SigningKeys {
  readonly momento: KeyObject;
  readonly standard: KeyObject;
}

/** Signs with any webhook's secrets. */
export class Signer {
  /** A key that is given as bytes costs an HMAC seven times as much: 15 us of a delivery's 50. */
  readonly #keys = new BoundedMap<string, SigningKeys>(keysMax);

  /** Momento's `momento-signature`: its key is the text of the whole secret. */
  momento(secret: string, body: Buffer): string {
    return createHmac("sha3-256", this.#keysOf(secret).momento).update(body).digest("hex");
  }

  /** Standard Webhooks' `webhook-signature`: one of each secret, the current one's first. `timestamp`: seconds. */
  standard(secrets: readonly string[], id: string, timestamp: string, body: Buffer): string {
    const head = `${id}.${timestamp}.`;
    return secrets.map((secret) => `v1,${this.#standard(secret, head, body)}`).join(" ");
  }

  #standard(secret: string, head: string, body: Buffer): string {
    return createHmac("sha256", this.#keysOf(secret).standard).update(head).update(body).digest("base64");
  }

  #keysOf(secret: string): SigningKeys {
    const known = this.#keys.get(secret);
    if (known) return known;
    const keys = {
      momento: createSecretKey(Buffer.from(secret)),
      standard: createSecretKey(Buffer.from(secret.slice(prefix.length), "base64")),
    };
    this.#keys.set(secret, keys);
    return keys;
  }
}

/**
 * `webhook-id`: the same for every attempt and replay of an item, so that a receiver knows what it has seen. Two items never have the same one;
 * it says nothing of the names.
 */
export function messageIdOf({ subscription, topic, item, isTest }: Delivery): string {
  if (isTest) return `msg_test_${randomBytes(16).toString("base64url")}`;
  const names = JSON.stringify([subscription.environment, subscription.cache, topic]);
  return `msg_${hash("sha256", names, "base64url").slice(0, topicIdLength)}_${item.page}_${item.sequence}`;
}
