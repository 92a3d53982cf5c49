import type { TokenGrant } from "./grants.ts";

/** Somebody who has signed in elsewhere, and what that gives here. */
export interface SignedInUser {
  readonly environment: string;
  /** Well formed, 1 to `limits.userIdMaxLength` characters: `sub` of a token. */
  readonly userId: string;
  readonly grants: readonly TokenGrant[];
  /** When, by the clock of whoever says so. */
  readonly issuedAtMs: number;
  /** By how much that clock may be ahead of this one. */
  readonly leewayMs: number;
  /** Wall time; undefined: it does not expire. */
  readonly expiresAtMs: number | undefined;
  /** The token's own id, when it has one that could be revoked. */
  readonly jti?: string | undefined;
}

/** Identity providers whose tokens (JWT) let their users in. */
export interface Identity {
  /**
   * Undefined: the token is of none of them. At once where the provider's keys are known, for thousands sign in at a time.
   * @throws TodokuError `unauthenticated`, with a sentence that names the claim and never the token; `unavailable`: the provider's keys cannot be had.
   */
  verify(token: string): SignedInUser | Promise<SignedInUser> | undefined;
}
