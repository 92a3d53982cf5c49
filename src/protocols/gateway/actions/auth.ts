import { z } from "zod";
import type { Auth } from "../../../domain/auth/auth.ts";
import type { Caller, Principal } from "../../../domain/auth/principal.ts";
import { TodokuError } from "../../../domain/errors.ts";
import { check } from "../../check.ts";
import type { Actions, Session } from "../session.ts";
import { answer } from "./answer.ts";

const refreshSchema = z.object({ token: z.string().min(1) });

/** @param onAdopted is called when a session has another credential. */
export function createAuthActions(
  { auth }: { readonly auth: Pick<Auth, "authenticate"> },
  onAdopted: (session: Session) => void,
): Actions {
  let lastTurn = 0;
  /** Of each session, the newest refresh that was taken. */
  const taken = new WeakMap<Session, number>();
  return {
    async "auth.refresh"(session, frame) {
      const { token } = check(refreshSchema, frame, "the frame");
      const turn = ++lastTurn;
      const principal = await auth.authenticate(token, callerOf(session));
      if (!session.isOpen) return;
      checkIsSame(session, principal);
      // How long a token takes to verify says nothing of which is the newer one.
      if ((taken.get(session) ?? 0) > turn) {
        throw new TodokuError("failed_precondition", "a later auth.refresh of this connection was taken already");
      }
      taken.set(session, turn);
      session.adopt(principal);
      onAdopted(session);
      const { expiresAtMs } = principal;
      answer(session, frame, { type: "auth.refreshed", ...(expiresAtMs === undefined ? {} : { expiresAtMs }) });
    },
  };
}

/** No more than the address: the empty credential of dev mode is for handshakes. */
function callerOf({ connection }: Session): Caller {
  return {
    address: connection.address,
    isLoopbackPeer: false,
    host: undefined,
    origin: undefined,
    secFetchSite: undefined,
  };
}

/**
 * Whose presence a connection is, and as whom it publishes, stays what it was. A connection that a super user has opened, for a user or for
 * nobody, goes on with a super user.
 * @throws TodokuError `permission_denied`.
 */
function checkIsSame({ connection, environment, principal: before }: Session, principal: Principal): void {
  if (principal.environment !== environment) {
    throw new TodokuError("permission_denied", `this credential is not of the environment "${environment}"`);
  }
  if (before.isSuperUser && principal.isSuperUser) return;
  if (principal.userId !== connection.userId) {
    throw new TodokuError("permission_denied", "this credential is of another user than the connection");
  }
  // Without a user the token id is all that its messages are known by.
  if (connection.userId === undefined && principal.tokenId !== before.tokenId) {
    throw new TodokuError("permission_denied", "this credential has another token id than the connection's");
  }
}
