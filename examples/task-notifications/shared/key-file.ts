import { readFile } from "node:fs/promises";
import type { Logger } from "pino";

/** Todoku does not take the credential: unknown, deleted or expired. */
export class CredentialRefused extends Error {
  override readonly name = "CredentialRefused";
}

/** Whatever lends a key to a call. */
export interface Credential {
  /** Runs `call`; when it throws CredentialRefused and there is a newer key, once more with that. */
  use<T>(call: (apiKey: string | undefined) => Promise<T>): Promise<T>;
}

/** How long a key is used before its file is looked at again: a key that is swapped is out of use after this at the latest. */
const maxAgeMs = 5 * 60_000;

/**
 * A key that lives in a file of its own, not in the environment, where every dependency and every crash report can read it.
 * Whoever rotates it replaces the file; nothing has to be restarted.
 */
export class KeyFile implements Credential {
  readonly #path: string;
  readonly #log: Pick<Logger, "info" | "warn">;
  readonly #monotonicMs: () => number;
  #apiKey: string | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<string> | undefined;

  constructor(path: string, log: Pick<Logger, "info" | "warn">, monotonicMs: () => number = () => performance.now()) {
    this.#path = path;
    this.#log = log;
    this.#monotonicMs = monotonicMs;
  }

  /** @throws what `call` throws; Error: there is no key at all. */
  async use<T>(call: (apiKey: string) => Promise<T>): Promise<T> {
    const apiKey = await this.#current();
    try {
      return await call(apiKey);
    } catch (error) {
      if (!(error instanceof CredentialRefused)) throw error;
      // Rotated under us: the file knows more than our memory does.
      const newer = await this.#read();
      if (newer === apiKey) throw error;
      return await call(newer);
    }
  }

  async #current(): Promise<string> {
    const isFresh = this.#monotonicMs() < this.#readAtMs + maxAgeMs;
    return this.#apiKey !== undefined && isFresh ? this.#apiKey : this.#read();
  }

  /** One reader at a time, so that an older text can never replace a newer one. */
  #read(): Promise<string> {
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readNow(): Promise<string> {
    try {
      const apiKey = (await readFile(this.#path, "utf8")).trim();
      if (!/^[\x21-\x7e]+$/.test(apiKey)) throw new Error("it is empty, or no key");
      if (this.#apiKey !== undefined && this.#apiKey !== apiKey) this.#log.info({ keyFile: this.#path }, "a new key");
      this.#apiKey = apiKey;
    } catch (error) {
      const text = `key file ${this.#path} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
      // A file that is missing for a moment must not stop what works.
      if (this.#apiKey === undefined) throw new Error(text);
      this.#log.warn({ keyFile: this.#path }, text);
    }
    this.#readAtMs = this.#monotonicMs();
    return this.#apiKey;
  }
}

/** A key of the environment, for a process that ends soon; undefined in dev mode, which asks for none. */
export function fixedCredential(apiKey: string | undefined): Credential {
  return { use: (call) => call(apiKey) };
}
