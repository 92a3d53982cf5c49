import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { Sealer } from "../encryption/sealer.ts";
import { limits } from "../limits.ts";
import { type KeptSigning, recordNameOf, type StoredSecret } from "./subscription-document.ts";

const prefix = "whsec_";
/** As long as what HMAC-SHA256 makes of them: more would add nothing. */
const secretBytes = 32;

/** What is stored of a subscription that signs: the current secret last. */
type Signing = Pick<KeptSigning["document"], "secrets">;

/** Whose secrets are asked for. */
type Signer = Pick<KeptSigning, "subscription" | "document">;

/** A secret as it signs. */
interface OpenSecret {
  readonly secret: string;
  readonly expiresAtMs: number | undefined;
}

/** What webhooks, and subscriptions that call URLs as SNS does, sign with: drawn, sealed, and opened once for each version of a record. */
export class SigningSecrets {
  readonly #sealer: Pick<Sealer, "seal" | "open">;
  readonly #wallMs: () => number;
  /** A change of a record is another `Kept`, so none of these is ever stale. */
  readonly #opened = new WeakMap<Signer, Promise<readonly OpenSecret[]>>();

  constructor(sealer: Pick<Sealer, "seal" | "open">, wallMs: () => number) {
    this.#sealer = sealer;
    this.#wallMs = wallMs;
  }

  /** A new one, to be the subscription's secret number `number`. */
  async draw(environment: string, cache: string, name: string, number: number): Promise<StoredSecret> {
    const secret = prefix + randomBytes(secretBytes).toString("base64");
    const sealed = await this.#sealer.seal(environment, sealedName(cache, name, number), Buffer.from(secret));
    return { number, sealed, createdAtMs: this.#wallMs() };
  }

  /** Those that sign now, the current one first. @throws TodokuError `internal`. */
  async of(kept: Signer): Promise<readonly string[]> {
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
  async current(kept: Signer): Promise<string> {
    return (await this.of(kept))[0] as string;
  }

  #open({ subscription: { environment, cache, name }, document }: Signer): Promise<readonly OpenSecret[]> {
    const opened = document.secrets.map(async ({ number, sealed, expiresAtMs }) => {
      const plain = await this.#sealer.open(environment, sealedName(cache, name, number), sealed);
      return { secret: Buffer.from(plain).toString("utf8"), expiresAtMs };
    });
    return Promise.all(opened);
  }
}

/** With one more secret, which is the current one. Those before sign too for `overlapMs`, but none longer than it would have anyway. */
export function withSecret<D extends Signing>(document: D, secret: StoredSecret, overlapMs: number, nowMs: number): D {
  const endMs = nowMs + overlapMs;
  const before = withoutExpired(document, nowMs).secrets.map(({ expiresAtMs = endMs, ...one }) => {
    return { ...one, expiresAtMs: Math.min(expiresAtMs, endMs) };
  });
  const kept = overlapMs > 0 ? before.slice(1 - limits.webhook.secretsMax) : [];
  return { ...document, secrets: [...kept, secret] };
}

/** When the last of those before the current one ends; undefined when only that one signs. */
export function overlapEndMs({ secrets }: Signing, nowMs: number): number | undefined {
  const ends = secrets.flatMap(({ expiresAtMs = 0 }) => (expiresAtMs > nowMs ? [expiresAtMs] : []));
  return ends.length > 0 ? Math.max(...ends) : undefined;
}

/** Without the secrets that sign no longer. */
export function withoutExpired<D extends Signing>(document: D, nowMs: number): D {
  const secrets = document.secrets.filter(({ expiresAtMs = Number.POSITIVE_INFINITY }) => expiresAtMs > nowMs);
  return { ...document, secrets };
}

/** What a secret is sealed as; the number stands last, so no two webhooks share one. */
function sealedName(cache: string, name: string, number: number): string {
  return `webhook/${recordNameOf(cache, name)}/${number}`;
}
