import { UserManager, WebStorageStateStore } from "oidc-client-ts";
import type { Settings } from "../settings.ts";

/**
 * Authorization code with PKCE. The user is kept in `localStorage`, so that all tabs are one session: with one refresh token per tab a
 * duplicated tab would use its token a second time, and a provider that rotates them takes that for a theft and ends the session.
 */
export function createUserManager({ issuer, clientId }: Settings): UserManager {
  const here = new URL("/", window.location.href).href;
  return new UserManager({
    authority: issuer,
    client_id: clientId,
    redirect_uri: here,
    post_logout_redirect_uri: here,
    scope: "openid email profile offline_access",
    userStore: new WebStorageStateStore({ store: window.localStorage }),
    // The tabs would all renew in the same moment; see id-token.ts.
    automaticSilentRenew: false,
    monitorSession: false,
  });
}
