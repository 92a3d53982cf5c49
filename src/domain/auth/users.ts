import { limits } from "../limits.ts";
import type { SignedInUser } from "./identity.ts";
import type { Principal } from "./principal.ts";
import type { JudgedCredential, Verdict, Withdrawals } from "./withdrawal.ts";

/** Makes principals of those who have signed in elsewhere. */
export interface Users {
  /** @throws TodokuError `unauthenticated`: the user was revoked since, or its environment is not here. */
  admit(user: SignedInUser): Principal;
  /** The same of whoever may not be let in any more. */
  inspect(user: SignedInUser): { readonly principal: Principal; readonly verdict: Verdict | undefined };
}

export function createUsers(withdrawals: Pick<Withdrawals, "admit" | "judge">): Users {
  return {
    admit(user) {
      const principal = toPrincipal(user);
      return { ...principal, withdrawal: withdrawals.admit(toJudged(principal, user)) };
    },
    inspect(user) {
      const principal = toPrincipal(user);
      return { principal, verdict: withdrawals.judge(toJudged(principal, user)) };
    },
  };
}

function toPrincipal({ environment, userId, grants, issuedAtMs, expiresAtMs, jti }: SignedInUser): Principal {
  return {
    ...{ kind: "user", environment, isSuperUser: false, isOperator: false, grants },
    ...{ tokenId: userId, userId, issuedAtMs, expiresAtMs },
    ...(jti !== undefined && { jti }),
  };
}

/**
 * What others issue carries no version of ours: its time of issue tells whether it is older than a revocation. By the clock of the issuer, which
 * may be ahead: what could be older counts as older.
 */
function toJudged(principal: Principal, { issuedAtMs, leewayMs }: SignedInUser): JudgedCredential {
  return { ...principal, issuedAtMs: issuedAtMs - leewayMs, version: 0 };
}

/** When a token ends: no revocation is remembered for longer than our own tokens live, so none of others may live longer. */
export function endOfToken(issuedAtMs: number, expiresAtMs: number): number {
  return Math.min(expiresAtMs, issuedAtMs + limits.disposableTokenMaxMs);
}
