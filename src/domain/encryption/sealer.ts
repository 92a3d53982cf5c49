import { TodokuError } from "../errors.ts";
import type { RecordStore } from "../records/store.ts";
import { decrypt, encrypt } from "./cipher.ts";
import { createDataKeys } from "./data-keys.ts";
import type { MasterKey } from "./master-key.ts";

/**
 * Encrypts what must be recovered (signing keys, secrets): AES-256-GCM with a data key per environment, which the master key wraps.
 * The environment and `name` are bound to the text as associated data: it opens nowhere else.
 */
export interface Sealer {
  /** `name` says what it is within its environment, like `secret/stripe/3`. The first call for an environment makes its data key. */
  seal(environment: string, name: string, plain: Uint8Array): Promise<string>;
  /** @throws TodokuError `internal`: it was sealed for another environment or name, with a master key that this server does not have, or was changed; `unavailable`: the environment is being destroyed. */
  open(environment: string, name: string, sealed: string): Promise<Uint8Array>;
  /** Drops the data key from memory. From the store it goes with the other records of its environment: then nothing that was sealed there can be opened any more. */
  forget(environment: string): void;
}

/** @param masterKey undefined: `seal` and `open` fail with `failed_precondition`. */
export function createSealer(records: RecordStore, masterKey: MasterKey | undefined): Sealer {
  const dataKeys = createDataKeys(records, masterKey);
  return {
    async seal(environment, name, plain) {
      return encrypt(await dataKeys.ensure(environment), [environment, name], plain);
    },
    async open(environment, name, sealed) {
      const key = await dataKeys.find(environment);
      if (!key) {
        // A call that was under way while its environment was destroyed.
        throw new TodokuError("unavailable", `environment "${environment}" has no data key any more: it was destroyed`);
      }
      const plain = decrypt(key, [environment, name], sealed);
      if (plain) return plain;
      throw new TodokuError("internal", `${name} of environment "${environment}" cannot be decrypted`);
    },
    forget: (environment) => dataKeys.forget(environment),
  };
}
