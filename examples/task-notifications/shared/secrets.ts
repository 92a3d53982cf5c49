import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import { z } from "zod";
import { type Credential, keptCredential } from "./credential.ts";
import { KeptText } from "./kept-text.ts";
import { Todoku } from "./todoku.ts";

/** What the secrets of a process are read with. */
export interface SecretsOptions {
  readonly todokuUrl: string;
  /** Holds the bootstrap key: the one that may read the secrets of this process, and do nothing else. */
  readonly keyFile: string;
  readonly log: Pick<Logger, "info" | "warn">;
  readonly monotonicMs?: () => number;
}

const secretSchema = z.object({ value: z.string() });

/**
 * Todoku's secret store, as one process sees it. The bootstrap key lives in a file of its own, not in the environment, where every
 * dependency and every crash report can read it; it opens nothing but the secrets. The key that does the work is one of those, so that
 * `todoku key rotate` reaches every process without a restart.
 */
export class Secrets {
  readonly #options: SecretsOptions;
  readonly #todoku: Todoku;

  constructor(options: SecretsOptions) {
    this.#options = options;
    const { todokuUrl, keyFile, log, monotonicMs } = options;
    const bootstrapKey = new KeptText({ name: keyFile, read: () => readKeyFile(keyFile), log, monotonicMs });
    this.#todoku = new Todoku(todokuUrl, keptCredential(bootstrapKey));
  }

  /** A secret of the stage, or a shared one of the stage whose secrets it may read. */
  text(name: string): KeptText {
    const { log, monotonicMs } = this.#options;
    const path = `/v1/secrets/${encodeURIComponent(name)}`;
    const read = async () => (await this.#todoku.call("GET", path, undefined, secretSchema)).value;
    return new KeptText({ name, read, log, monotonicMs });
  }

  /** An API key that is rotated in a secret. */
  key(name: string): Credential<string> {
    return keptCredential(this.text(name));
  }
}

/** @throws Error that names the file. */
async function readKeyFile(path: string): Promise<string> {
  try {
    const apiKey = (await readFile(path, "utf8")).trim();
    if (!/^[\x21-\x7e]+$/.test(apiKey)) throw new Error("it is empty, or no key");
    return apiKey;
  } catch (error) {
    throw new Error(`key file ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
