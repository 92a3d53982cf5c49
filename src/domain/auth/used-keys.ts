import type { KeyDocument } from "./api-key.ts";
import type { Principal } from "./principal.ts";
import type { Withdrawal, Withdrawals } from "./withdrawal.ts";

/** A principal whose expiry its service may bring forward. */
type OwnPrincipal = { -readonly [Field in keyof Principal]: Principal[Field] };

type KeyRights = Pick<KeyDocument, "isSuperUser" | "grants">;

interface UsedKey {
  readonly principal: OwnPrincipal;
  readonly withdrawal: Withdrawal;
  readonly rights: string;
}

/** A key's record as it was read. */
export interface KeyRecord {
  readonly keyId: string;
  readonly environment: string;
  readonly id: number;
  readonly document: Pick<KeyDocument, "isSuperUser" | "isOperator" | "grants" | "createdAtMs" | "expiresAtMs">;
}

/** The API keys that were used on this node and are valid: one principal each, whoever calls with it. */
export class UsedKeys {
  readonly #withdrawals: Pick<Withdrawals, "admit">;
  readonly #used = new Map<string, UsedKey>();

  constructor(withdrawals: Pick<Withdrawals, "admit">) {
    this.#withdrawals = withdrawals;
  }

  get keyIds(): readonly string[] {
    return [...this.#used.keys()];
  }

  /** @throws TodokuError `unauthenticated`: the key was taken back. */
  principalOf(record: KeyRecord): Principal {
    const { keyId, environment, id, document } = record;
    this.follow(keyId, document);
    const known = this.#used.get(keyId);
    if (known && !known.withdrawal.isDone) return known.principal;
    const { isSuperUser, isOperator, grants, createdAtMs, expiresAtMs } = document;
    const facts = { kind: "key", environment, isOperator, keyId, tokenId: "", issuedAtMs: createdAtMs } as const;
    const withdrawal = this.#withdrawals.admit({ ...facts, version: id });
    const principal: OwnPrincipal = { ...facts, isSuperUser, grants, expiresAtMs, withdrawal };
    this.#used.set(keyId, { principal, withdrawal, rights: toText(document) });
    return principal;
  }

  /**
   * Takes over what a key's record says. The principal that others hold gets its expiry: calls see it at once, open streams with
   * {@link expire}. With other rights it is another principal: open streams end, and their clients come back as that.
   */
  follow(keyId: string, document: KeyRights & Pick<KeyDocument, "expiresAtMs">): void {
    const known = this.#used.get(keyId);
    if (!known) return;
    known.principal.expiresAtMs = document.expiresAtMs;
    if (known.rights === toText(document)) return;
    known.withdrawal.withdraw("the rights of this API key were changed; connect again", "unavailable");
    this.#used.delete(keyId);
  }

  withdraw(keyId: string, reason: string): void {
    this.#used.get(keyId)?.withdrawal.withdraw(reason);
    this.#used.delete(keyId);
  }

  /** Ends what has expired, and forgets what was taken back. */
  expire(nowMs: number): void {
    for (const [keyId, { principal, withdrawal }] of this.#used) {
      if (withdrawal.isDone) this.#used.delete(keyId);
      else if (principal.expiresAtMs !== undefined && principal.expiresAtMs <= nowMs) {
        this.withdraw(keyId, "this API key has expired");
      }
    }
  }
}

function toText({ isSuperUser, grants }: KeyRights): string {
  return JSON.stringify([isSuperUser, grants]);
}
