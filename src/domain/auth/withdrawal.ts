import { TodokuError } from "../errors.ts";
import type { CredentialFacts, Revocations } from "./revocations.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** Which environments are here, as `Environments` says. */
export interface KnownEnvironments {
  known(name: string): { readonly createdAtMs: number } | undefined;
  onGone(listener: (name: string) => void): void;
}

/** A credential as it is judged. */
export interface JudgedCredential extends CredentialFacts {
  /** Of a token: the key that it was signed with. */
  readonly kid?: string;
}

/** Why a credential is not valid any more. */
export type Verdict = "gone" | "revoked";

/** Asks whether a credential was taken back. */
interface Judge {
  /** Grows with whatever may have taken one back. */
  readonly generation: number;
  /** Those that somebody listens to. */
  readonly listened: Set<Withdrawal>;
  /** A sentence for the caller; undefined: it is valid. */
  refusal(): string | undefined;
}

/**
 * Tells the open streams of a credential that it was taken back. No AbortSignal: that looks through all its listeners for each
 * new one, and a worker's key may have many thousand streams.
 */
export class Withdrawal {
  readonly #listeners = new Set<(error: TodokuError) => void>();
  readonly #judge: Judge | undefined;
  #judgedAt = -1;
  #error: TodokuError | undefined;

  constructor(judge?: Judge) {
    this.#judge = judge;
  }

  /** True: the credential is not valid any more. Asked on each call: it is judged again only after something was taken back. */
  get isDone(): boolean {
    return this.error !== undefined;
  }

  /** What to tell the caller. */
  get error(): TodokuError | undefined {
    const judge = this.#judge;
    if (this.#error || !judge || judge.generation === this.#judgedAt) return this.#error;
    this.#judgedAt = judge.generation;
    const refusal = judge.refusal();
    if (refusal !== undefined) this.withdraw(refusal);
    return this.#error;
  }

  /** Calls `listener` once, with what to tell the caller: at once when it is done already. Returns what stops listening. */
  onDone(listener: (error: TodokuError) => void): () => void {
    const error = this.error;
    if (error) {
      listener(error);
      return () => {};
    }
    this.#listeners.add(listener);
    this.#judge?.listened.add(this);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#judge?.listened.delete(this);
    };
  }

  /** `reason` is a sentence for the caller. `unavailable`: the same credential is good for another call, which clients then make. */
  withdraw(reason: string, code: "unauthenticated" | "unavailable" = "unauthenticated"): void {
    if (this.#error) return;
    this.#error = new TodokuError(code, reason);
    this.#judge?.listened.delete(this);
    for (const listener of this.#listeners) listener(this.#error);
    this.#listeners.clear();
  }
}

/**
 * The withdrawals of all credentials that are in use on this node. Those with open streams are told; the others, remembered somewhere
 * or in the hands of a call under way, find out when they are asked.
 */
export class Withdrawals {
  readonly #revocations: Pick<Revocations, "isRevoked">;
  readonly #signingKeys: Pick<SigningKeys, "isLive">;
  readonly #environments: KnownEnvironments | undefined;
  readonly #listened = new Set<Withdrawal>();
  #generation = 0;

  constructor(
    revocations: Pick<Revocations, "isRevoked" | "onRevoked">,
    signingKeys: Pick<SigningKeys, "isLive" | "onChanged">,
    environments?: KnownEnvironments,
  ) {
    this.#revocations = revocations;
    this.#signingKeys = signingKeys;
    this.#environments = environments;
    revocations.onRevoked(() => this.#tell());
    signingKeys.onChanged(() => this.#tell());
    environments?.onGone(() => this.#tell());
  }

  /** How many have open streams. */
  get size(): number {
    return this.#listened.size;
  }

  /** Undefined: the credential is valid. */
  judge(credential: JudgedCredential): Verdict | undefined {
    const { environment, kid } = credential;
    if (this.#environments && !this.#environments.known(environment)) return "gone";
    if (kid !== undefined && !this.#signingKeys.isLive(environment, kid)) return "revoked";
    return this.#revocations.isRevoked(credential) ? "revoked" : undefined;
  }

  /** For a credential that was just verified. @throws TodokuError `unauthenticated`: it was taken back. */
  admit(credential: JudgedCredential): Withdrawal {
    const withdrawals = this;
    // An environment that was destroyed and made anew is another one.
    const bornMs = this.#environments?.known(credential.environment)?.createdAtMs;
    const withdrawal = new Withdrawal({
      listened: this.#listened,
      get generation() {
        return withdrawals.#generation;
      },
      refusal() {
        const environment = withdrawals.#environments?.known(credential.environment);
        const verdict = environment?.createdAtMs === bornMs ? withdrawals.judge(credential) : "gone";
        return verdict && toSentence(verdict, credential.kind);
      },
    });
    if (withdrawal.error) throw withdrawal.error;
    return withdrawal;
  }

  #tell(): void {
    this.#generation++;
    for (const withdrawal of [...this.#listened]) withdrawal.error;
  }
}

function toSentence(verdict: Verdict, kind: CredentialFacts["kind"]): string {
  if (verdict === "gone") return "this credential's environment is not here";
  if (kind === "user") return "this user's sign-in was revoked: sign in again";
  return kind === "key" ? "this API key was deleted" : "this token was revoked";
}
