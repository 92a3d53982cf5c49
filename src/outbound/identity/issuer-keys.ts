import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { redactUrl } from "../../lib/redact-url.ts";
import type { KeySource } from "./key-sources.ts";
import type { PublicKey } from "./public-keys.ts";

const { identity } = limits;

/** The keys of one provider, kept as long as its source says, and longer while it cannot be reached. */
export class IssuerKeys {
  readonly #source: KeySource;
  readonly #issuer: string;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #log: Log;
  #keys: readonly PublicKey[] = [];
  #readAtMs = Number.NEGATIVE_INFINITY;
  #freshMs = 0;
  /** Of the last try, whatever came of it. */
  #triedAtMs = Number.NEGATIVE_INFINITY;
  /** Why they cannot be read. */
  #problem: string | undefined;
  /** What the log says of that. */
  #told: string | undefined;
  #reading: Promise<void> | undefined;

  constructor(source: KeySource, issuer: string, clock: Pick<Clock, "monotonicMs">, log: Log) {
    this.#source = source;
    this.#issuer = issuer;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Those that `isWanted` picks. At once where they are known; else after they were read again, which strangers cannot make happen more often than
   * each `limits.identity.coolDownMs`.
   * @throws TodokuError `unavailable`: none is found, and the provider could not be asked.
   */
  find(isWanted: (key: PublicKey) => boolean): readonly PublicKey[] | Promise<readonly PublicKey[]> {
    const isFresh = this.#ageMs() < this.#freshMs;
    const found = this.#usable().filter(isWanted);
    if (found.length > 0 && isFresh) return found;
    // The provider is known to be away: nobody waits for it while there are keys that are good enough.
    if (found.length > 0 && this.#problem !== undefined) {
      if (this.#mayTry()) void this.#read();
      this.#tell();
      return found;
    }
    return this.#findAfterReading(isWanted);
  }

  /** Reads them though they are not old. False: they were read a moment ago, or cannot be. */
  async readAgain(): Promise<boolean> {
    if (!this.#reading && !this.#mayTry()) return false;
    await this.#read();
    return this.#problem === undefined;
  }

  /** Reads them before the first user comes. That it fails is no warning yet: a provider may start after this server. */
  async start(): Promise<void> {
    await this.#read();
    if (this.#problem === undefined) return;
    const then = "they are asked for again when a user comes";
    this.#log.info(this.#fields(), `the keys of an identity provider cannot be read yet: ${this.#problem}; ${then}`);
  }

  async #findAfterReading(isWanted: (key: PublicKey) => boolean): Promise<readonly PublicKey[]> {
    if (this.#reading || this.#mayTry()) await this.#read();
    this.#tell();
    const found = this.#usable().filter(isWanted);
    if (found.length === 0 && this.#problem !== undefined) {
      throw new TodokuError("unavailable", "the keys of this token's issuer cannot be had now: try again later");
    }
    return found;
  }

  #usable(): readonly PublicKey[] {
    return this.#ageMs() < Math.max(this.#freshMs, identity.keysStaleMs) ? this.#keys : [];
  }

  #ageMs(): number {
    return this.#clock.monotonicMs() - this.#readAtMs;
  }

  #mayTry(): boolean {
    const isUrgent = this.#problem !== undefined && this.#usable().length === 0;
    const coolDownMs = isUrgent ? identity.firstCoolDownMs : identity.coolDownMs;
    return this.#clock.monotonicMs() - this.#triedAtMs >= coolDownMs;
  }

  /** One at a time. Never rejects. */
  #read(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readOnce(): Promise<void> {
    this.#triedAtMs = this.#clock.monotonicMs();
    try {
      const { keys, freshMs } = await this.#source.read();
      this.#keys = keys;
      this.#freshMs = freshMs;
      this.#readAtMs = this.#clock.monotonicMs();
      if (this.#problem !== undefined)
        this.#log.info(this.#fields(), "the keys of an identity provider can be read again");
      this.#problem = undefined;
      this.#told = undefined;
    } catch (error) {
      this.#problem = (error as Error).message;
    }
  }

  /** Warns of an outage that a user has met: when it begins, and when the last keys are too old. */
  #tell(): void {
    if (this.#problem === undefined) return;
    const then = this.#usable().length > 0 ? "the last ones stay in use for a day" : "none of its users can sign in";
    if (then === this.#told) return;
    this.#told = then;
    this.#log.warn(this.#fields(), `the keys of an identity provider cannot be read: ${this.#problem}; ${then}`);
  }

  #fields() {
    return { area: "auth", issuer: this.#issuer, source: redactUrl(this.#source.name) };
  }
}
