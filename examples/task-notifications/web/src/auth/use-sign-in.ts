import type { UserManager } from "oidc-client-ts";
import { useEffect } from "react";
import { hasAuthParams, useAuth } from "react-oidc-context";

/** The code and the state of a sign-in stand in the address after it; nobody should bookmark or share them. */
export function cleanAddress(): void {
  window.history.replaceState({}, "", window.location.pathname);
}

/** Signing in and out, and what other tabs do about it. */
export function useSignIn(manager: UserManager) {
  const { user, isLoading, activeNavigator, error, signinRedirect } = useAuth();
  useEffect(() => {
    if (error && hasAuthParams()) cleanAddress();
  }, [error]);
  useEffect(() => followOtherTabs(manager), [manager]);
  return {
    // Also when its token has expired: it is renewed when it is needed.
    profile: user?.profile,
    isStarting: isLoading && !activeNavigator,
    isBusy: activeNavigator !== undefined,
    hasFailed: error !== undefined,
    // An error is shown by `hasFailed`.
    signIn: () => void signinRedirect().catch(() => undefined),
    signOut: () => void signOut(manager),
  };
}

/** Signed out here whatever happens; at the provider when it can be reached. */
async function signOut(manager: UserManager): Promise<void> {
  await manager.revokeTokens(["refresh_token"]).catch(() => undefined);
  await manager.removeUser();
  // After the user is removed, so that no ID token stands in the address as a hint: the client's id says who asks.
  await manager.signoutRedirect().catch(() => undefined);
}

function followOtherTabs(manager: UserManager): () => void {
  const { authority, client_id } = manager.settings;
  const listening = new AbortController();
  window.addEventListener(
    "storage",
    ({ key, newValue }) => {
      if (!key?.endsWith(`user:${authority}:${client_id}`)) return;
      // Signed out there, or perhaps in as another user.
      void (newValue === null ? manager.removeUser() : manager.getUser(true));
    },
    { signal: listening.signal },
  );
  return () => listening.abort();
}
