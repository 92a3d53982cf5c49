import type { UserManager } from "oidc-client-ts";
import { useEffect } from "react";
import type { Api } from "./api/api.ts";
import { useSignIn } from "./auth/use-sign-in.ts";
import { Landing } from "./components/Landing.tsx";
import { clearToasts } from "./components/toasts.tsx";
import { Workspace } from "./components/Workspace.tsx";

/** The page: signed out, or the tasks of a user. */
export function App({ api, manager }: { api: Api; manager: UserManager }) {
  const { profile, isStarting, isBusy, hasFailed, signIn, signOut } = useSignIn(manager);
  const userId = profile?.sub;
  useEffect(() => (userId === undefined ? undefined : clearToasts), [userId]);
  if (profile) {
    const user = { id: profile.sub, name: profile.name ?? profile.given_name, email: profile.email };
    const forgetAndSignOut = (forget: () => void) => {
      forget();
      signOut();
    };
    return <Workspace key={user.id} api={api} user={user} onSignIn={signIn} onSignOut={forgetAndSignOut} />;
  }
  if (isStarting) return null; // a moment: the answer of the identity provider is being checked
  return <Landing hasFailed={hasFailed} isBusy={isBusy} onSignIn={signIn} />;
}
