import { useEffect, useState } from "react";
import { Landing } from "./components/Landing.tsx";
import { Workspace } from "./components/Workspace.tsx";
import type { Settings } from "./settings.ts";
import type { SignedInUser, SignIn } from "./sign-in/sign-in.ts";

/** The page: signed out, or the messages of a user. */
export function App({ settings, signIn }: { settings: Settings; signIn: SignIn }) {
  const [isStarting, setIsStarting] = useState(true); // a moment: the answer of the identity provider is being checked
  const [user, setUser] = useState<SignedInUser>();
  const [hasFailed, setHasFailed] = useState(false);
  const [isBusy, setIsBusy] = useState(false);
  useEffect(
    () =>
      signIn.onChange((next, failed) => {
        setIsStarting(false);
        setIsBusy(false);
        setHasFailed(failed);
        setUser(next);
      }),
    [signIn],
  );
  if (user) return <Workspace key={user.id} settings={settings} signIn={signIn} user={user} />;
  if (isStarting) return null;
  const start = () => {
    setIsBusy(true);
    signIn.signIn().catch(() => {
      setIsBusy(false);
      setHasFailed(true);
    });
  };
  return <Landing hasFailed={hasFailed} isBusy={isBusy} onSignIn={start} />;
}
