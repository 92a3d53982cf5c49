import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { Sealer } from "../encryption/sealer.ts";
import { limits } from "../limits.ts";
import { type Kept, recordNameOf, type StoredSecret, type WebhookDocument } from "./webhook-document.ts";

const prefix = "whsec_";
/** As long as what HMAC-SHA256 makes of them: more would add nothing. */
const secretBytes = 32;

/** A secret as it signs. */
interface OpenSecret {
  readonly secret: string;
  readonly expiresAtMs: number | undefined;
}

/** What webhooks sign with: drawn, sealed, and opened once for each version of a record. */
export class SigningSecrets {
  readonly #sealer: Pick<Sealer, "seal" | "open">;
  readonly #wallMs: () => number;
  /** A change of a record is another `Kept`, so none of these is ever stale. */
  readonly #opened = new WeakMap<Kept, Promise<readonly OpenSecret[]>>();

  constructor(sealer: Pick<Sealer, "seal" | "open">, wallMs: () => number) {
    this.#sealer = sealer;
    this.#wallMs = wallMs;
  }

  /** A new one, to be the webhook's secret number `number`. */
  async draw(environment: string, cache: string, name: string, number: number): Promise<StoredSecret> {
    const secret = prefix + randomBytes(secretBytes).toString("base64");
    const sealed = await this.#sealer.seal(environment, sealedName(cache, name, number), Buffer.from(secret));
    return { number, sealed, createdAtMs: this.#wallMs() };
  }

  /** Those that sign now, the current one first. @throws TodokuError `internal`. */
  async of(kept: Kept): Promise<readonly string[]> {
    let opened = this.#opened.get(kept);
    if (!opened) {
      opened = this.#open(kept);
      this.#opened.set(kept, opened);
      opened.catch(() => this.#opened.delete(kept)); // whoever asked is told; the next one tries again
    }
    const nowMs = this.#wallMs();
    const signing = (await opened).filter(({ expiresAtMs = Number.POSITIVE_INFINITY }) => expiresAtMs > nowMs);
    return signing.map(({ secret }) => secret).toReversed();
  }

  /** @throws TodokuError `internal`. */
  async current(kept: Kept): Promise<string> {
    return (await this.of(kept))[0] as string;
  }

  #open({ subscription: { environment, cache, name }, document }: Kept): Promise<readonly OpenSecret[]> {
    const opened = document.secrets.map(async ({ number, sealed, expiresAtMs }) => {
      const plain = await this.#sealer.open(environment, sealedName(cache, name, number), sealed);
      return { secret: Buffer.from(plain).toString("utf8"), expiresAtMs };
    });
    return Promise.all(opened);
  }
}

/** With one more secret, which is the current one. Those before sign too for `overlapMs`, but none longer than it would have anyway. */
export function withSecret(
  document: WebhookDocument,
  secret: StoredSecret,
  overlapMs: number,
  nowMs: number,
): WebhookDocument {
  const endMs = nowMs + overlapMs;
  const before = withoutExpired(document, nowMs).secrets.map(({ expiresAtMs = endMs, ...one }) => {
    return { ...one, expiresAtMs: Math.min(expiresAtMs, endMs) };
  });
  const kept = overlapMs > 0 ? before.slice(1 - limits.webhook.secretsMax) : [];
  return { ...document, secrets: [...kept, secret] };
}

/** When the last of those before the current one ends; undefined when only that one signs. */
export function overlapEndMs({ secrets }: WebhookDocument, nowMs: number): number | undefined {
  const ends = secrets.flatMap(({ expiresAtMs = 0 }) => (expiresAtMs > nowMs ? [expiresAtMs] : []));
  return ends.length > 0 ? Math.max(...ends) : undefined;
}

/** Without the secrets that sign no longer. */
export function withoutExpired(document: WebhookDocument, nowMs: number): WebhookDocument {
  const secrets = document.secrets.filter(({ expiresAtMs = Number.POSITIVE_INFINITY }) => expiresAtMs > nowMs);
  return { ...document, secrets };
}

/** What a secret is sealed as; the number stands last, so no two webhooks share one. */
function sealedName(cache: string, name: string, number: number): string {
  return `webhook/${recordNameOf(cache, name)}/${number}`;
}
