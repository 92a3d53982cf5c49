import type { KeptText } from "./kept-text.ts";

/** Todoku does not take the credential: unknown, deleted or expired. */
export class CredentialRefused extends Error {
  override readonly name = "CredentialRefused";
}

/** Whatever lends a key to a call. */
export interface Credential<Key extends string | undefined = string | undefined> {
  /** Runs `call`; when it throws CredentialRefused and there is a newer key, again with that. */
  use<T>(call: (apiKey: Key) => Promise<T>): Promise<T>;
}

/** More often than this no key is swapped while one call is tried. */
const maxTries = 3;

/** A key that may be swapped at any time where it lives; nothing has to be restarted. */
export function keptCredential(key: KeptText): Credential<string> {
  return {
    /** @throws what `call` throws; what reading the key throws, when there is none at all. */
    async use(call) {
      let apiKey = await key.current();
      for (let tries = 1; ; tries++) {
        try {
          return await call(apiKey);
        } catch (error) {
          if (!(error instanceof CredentialRefused) || tries === maxTries) throw error;
          // Rotated under us: the place where it lives knows more than our memory does.
          const newer = await key.newerThan(apiKey);
          if (newer === apiKey) throw error;
          apiKey = newer;
        }
      }
    },
  };
}

/** A key of the environment, for a process that ends soon; undefined in dev mode, which asks for none. */
export function fixedCredential(apiKey: string | undefined): Credential {
  return { use: (call) => call(apiKey) };
}
