/**
 * Encrypts what must be recovered (signing keys, secrets): AES-256-GCM with a data key per environment, which the master key wraps.
 * The environment and `name` are bound to the text as associated data: it opens nowhere else.
 */
export interface Sealer {
  /** `name` says what it is within its environment, like `secret/stripe/3`. The first call for an environment makes its data key. */
  seal(environment: string, name: string, plain: Uint8Array): Promise<string>;
  /** @throws TodokuError `internal`: it was sealed for another environment or name, with a master key that this server does not have, or was changed. */
  open(environment: string, name: string, sealed: string): Promise<Uint8Array>;
  /** The data key is gone: nothing that was sealed in this environment can be opened any more. */
  forget(environment: string): Promise<void>;
}
