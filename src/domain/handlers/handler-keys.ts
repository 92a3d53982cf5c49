import { randomBytes } from "node:crypto";
import type { Log } from "../../lib/log.ts";
import { apiKeyRecordKind, handlerKeyName } from "../auth/api-key.ts";
import type { Keys } from "../auth/keys.ts";
import { serverPrincipal } from "../auth/principal.ts";
import { TodokuError } from "../errors.ts";
import type { RecordStore } from "../records/store.ts";
import type { HandlerDefinition } from "./handler.ts";
import type { HandlerCredentials } from "./runtime.ts";

/** What handler keys are made of. */
export interface HandlerKeysParts {
  readonly keys: Pick<Keys, "create" | "delete">;
  readonly records: Pick<RecordStore, "list">;
  readonly log: Pick<Log, "warn" | "info">;
}

/** One API key for each handler that runs, with its grants and no other, for as long as it runs. */
export class HandlerKeys {
  readonly #parts: HandlerKeysParts;
  /** Names of this run's, until those of the last one are ended: who attaches a handler does not wait for that. */
  #own: Set<string> | undefined = new Set();

  constructor(parts: HandlerKeysParts) {
    this.#parts = parts;
  }

  /** @throws TodokuError `not_found`: the environment; `invalid_argument`: the grants; `limit_exceeded`. */
  async make({ environment, name, grants }: HandlerDefinition): Promise<HandlerCredentials> {
    const keyName = `handler/${name}/${randomBytes(8).toString("hex")}`;
    this.#own?.add(keyName);
    const request = { name: keyName, description: `of handler ${name}, for as long as it runs` };
    const rights = { isSuperUser: false, grants, withAccessKey: true, isOfHandler: true } as const;
    const made = this.#parts.keys.create(serverPrincipal(environment), { ...request, ...rights });
    const { key, secret, accessKey } = await made.catch((error: unknown) => {
      if (!(error instanceof TodokuError) || error.subject !== "environment") throw error;
      const text = `${error.message}: todoku env create ${environment}`;
      throw new TodokuError(error.code, text, { subject: "environment" });
    });
    if (!accessKey) throw new TodokuError("internal", "a key of a handler was made without access key");
    return { keyId: key.keyId, apiKey: secret, ...accessKey };
  }

  /** It is void when this resolves; unless the store refuses, which is told: then the next start ends it. */
  async end(environment: string, keyId: string): Promise<void> {
    try {
      await this.#parts.keys.delete(serverPrincipal(environment), keyId);
    } catch (err) {
      // With its environment it went too.
      if (err instanceof TodokuError && err.code === "not_found") return;
      this.#parts.log.warn({ environment, keyId, err }, "the key of a handler could not be ended; the next start does");
    }
  }

  /** Ends the keys of a server that could not do it itself. To be called once. */
  async endLeftOver(): Promise<void> {
    const stored = await this.#parts.records.list(apiKeyRecordKind);
    const own = this.#own;
    this.#own = undefined;
    const leftOver = stored.filter(({ document }) => {
      const keyName = String(document.name ?? "");
      return handlerKeyName.test(keyName) && !own?.has(keyName);
    });
    for (const { environment, name } of leftOver) await this.end(environment, name);
    if (leftOver.length > 0) this.#parts.log.info({ keys: leftOver.length }, "ended keys of handlers of the last run");
  }
}
