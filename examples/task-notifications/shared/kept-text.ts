import type { Logger } from "pino";

/** What a text is kept with. */
interface KeptTextOptions {
  /** For the log. */
  readonly name: string;
  /** Gets the text from where it lives. */
  readonly read: () => Promise<string>;
  readonly log: Pick<Logger, "info" | "warn">;
  readonly monotonicMs?: (() => number) | undefined;
}

/** How long a text is used before it is read again: one that is swapped is out of use after this at the latest. */
const maxAgeMs = 5 * 60_000;

/** A text that lives elsewhere and may be swapped there: a key in a file, a secret. Kept for five minutes. */
export class KeptText {
  readonly #options: KeptTextOptions;
  readonly #monotonicMs: () => number;
  #text: string | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<string> | undefined;

  constructor(options: KeptTextOptions) {
    this.#options = options;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
  }

  /** @throws what `read` throws, when there is no text at all. */
  async current(): Promise<string> {
    const isFresh = this.#monotonicMs() < this.#readAtMs + maxAgeMs;
    return this.#text !== undefined && isFresh ? this.#text : this.#read();
  }

  /** For who was refused with `refused`: another text, or the same when there is no other yet. */
  async newerThan(refused: string): Promise<string> {
    // A read that began before the refusal may still bring the old text: only one that begins behind it is proof.
    await this.#reading?.catch(() => {});
    return this.#text !== undefined && this.#text !== refused ? this.#text : this.#read();
  }

  /** One reader at a time, so that an older text can never replace a newer one. */
  #read(): Promise<string> {
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readNow(): Promise<string> {
    const { name, read, log } = this.#options;
    try {
      const text = await read();
      if (this.#text !== undefined && this.#text !== text) log.info({ name }, "another text");
      this.#text = text;
    } catch (error) {
      // What is missing for a moment must not stop what works.
      if (this.#text === undefined) throw error;
      log.warn({ name, err: error }, "cannot be read; the old text goes on");
    }
    this.#readAtMs = this.#monotonicMs();
    return this.#text;
  }
}
