import { Button } from "@mantine/core";
import { IconLogout } from "@tabler/icons-react";
import type { UserManager } from "oidc-client-ts";
import { useSignIn } from "../../../task-notifications/web/src/auth/use-sign-in.ts";
import { Shell } from "../../../task-notifications/web/src/components/Shell.tsx";
import type { Api } from "./api.ts";
import { Landing } from "./components/Landing.tsx";
import { Workspace } from "./components/Workspace.tsx";

/** The page: signed out, or the three views of a user. */
export function App({ api, manager }: { api: Api; manager: UserManager }) {
  const { profile, isStarting, isBusy, hasFailed, signIn, signOut } = useSignIn(manager);
  if (profile) {
    const name = profile.name ?? profile.given_name ?? profile.email ?? "Somebody";
    return (
      <Shell actions={<SignOutButton name={name} onClick={signOut} />}>
        <Workspace key={profile.sub} api={api} name={name} onSignIn={signIn} />
      </Shell>
    );
  }
  if (isStarting) return null; // a moment: the answer of the identity provider is being checked
  return <Landing hasFailed={hasFailed} isBusy={isBusy} onSignIn={signIn} />;
}

function SignOutButton({ name, onClick }: { name: string; onClick(): void }) {
  const label = `Sign out ${name}`;
  return (
    <Button variant="default" size="xs" radius="xl" h={32} aria-label={label} title={label} onClick={onClick}>
      <IconLogout size={16} aria-hidden />
    </Button>
  );
}
