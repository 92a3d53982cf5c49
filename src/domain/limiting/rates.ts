import type { Caller, Principal } from "../auth/principal.ts";

/** What may be done how often and how much of it at once, per key, token, user, address and environment. */
export interface Rates {
  /** Counts one call of a known caller. @throws TodokuError `limit_exceeded` that names whose rate, the rate and when to try again. */
  admit(principal: Principal, caller: Caller): void;
  /** Before a credential is verified that is not remembered: the address may not try without end. @throws TodokuError `limit_exceeded`. */
  admitUnknown(caller: Caller): void;
  /** A credential was refused. */
  refused(caller: Caller): void;
  /** Counts one open stream or waiting poll; returns what ends it. @throws TodokuError `limit_exceeded` with subject `subscribers`. */
  openStream(principal: Principal): () => void;
}

/** Bounds nothing: for parts that are used without a server. */
export const noRates: Rates = { admit() {}, admitUnknown() {}, refused() {}, openStream: () => () => {} };
