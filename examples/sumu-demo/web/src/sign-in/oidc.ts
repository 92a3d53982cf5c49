import type { User, UserManager } from "oidc-client-ts";
import { ApiError } from "../../../../task-notifications/web/src/api/api-error.ts";
import { createIdTokenSource } from "../../../../task-notifications/web/src/auth/id-token.ts";
import { createUserManager } from "../../../../task-notifications/web/src/auth/user-manager.ts";
import type { Settings } from "../settings.ts";
import type { SignedInUser, SignIn } from "./sign-in.ts";

/** Any provider that speaks OpenID Connect: authorization code with PKCE. */
export function createOidcSignIn({ issuer, clientId }: Settings): SignIn {
  const manager = createUserManager({ issuer, clientId, apiUrl: "" });
  const source = createIdTokenSource(manager);
  return {
    onChange: (listener) => follow(manager, listener),
    signIn: () => manager.signinRedirect(),
    signOut: () => signOut(manager),
    idToken: (isRefused) =>
      source({ isRefused }).catch((error: unknown) => {
        if (error instanceof ApiError && error.problem === "signed-out") return undefined;
        throw error;
      }),
  };
}

function follow(manager: UserManager, listener: Parameters<SignIn["onChange"]>[0]): () => void {
  const { authority, client_id } = manager.settings;
  const ending = new AbortController();
  const tell = (user: User | null, hasFailed = false) => {
    if (!ending.signal.aborted) listener(user ? toUser(user) : undefined, hasFailed);
  };
  void returnedUser(manager).then(
    (user) => tell(user),
    () => tell(null, true),
  );
  const onStorage = ({ key, newValue }: StorageEvent) => {
    if (!key?.endsWith(`user:${authority}:${client_id}`)) return;
    // Another tab has signed out, or perhaps in as another user.
    if (newValue === null) tell(null);
    else void manager.getUser().then((user) => tell(user));
  };
  window.addEventListener("storage", onStorage, { signal: ending.signal });
  const endUnloaded = manager.events.addUserUnloaded(() => tell(null));
  return () => {
    ending.abort();
    endUnloaded();
  };
}

let returning: Promise<User | undefined> | undefined;

/** Who comes back from the provider, or was signed in before. The provider's answer is good once, however often it is asked for. @throws what is wrong with it. */
async function returnedUser(manager: UserManager): Promise<User | null> {
  const query = new URLSearchParams(window.location.search);
  if (!query.has("state")) return manager.getUser();
  try {
    returning ??= manager.signinCallback();
    return (await returning) ?? (await manager.getUser());
  } finally {
    // Code and state stand in the address; nobody should bookmark or share them.
    window.history.replaceState({}, "", window.location.pathname);
  }
}

function toUser({ profile }: User): SignedInUser {
  return { id: profile.sub, name: profile.name ?? profile.given_name ?? profile.email ?? profile.sub };
}

/** Signed out here whatever happens; at the provider when it can be reached. */
async function signOut(manager: UserManager): Promise<void> {
  await manager.revokeTokens(["refresh_token"]).catch(() => undefined);
  await manager.removeUser();
  // After the user is removed, so that no ID token stands in the address as a hint: the client's id says who asks.
  await manager.signoutRedirect().catch(() => undefined);
}
