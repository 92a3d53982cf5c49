import { Button, Title, VisuallyHidden } from "@mantine/core";
import { IconLogout } from "@tabler/icons-react";
import { useCallback, useState } from "react";
import type { Api } from "../api/api.ts";
import { useTasks } from "../tasks/use-tasks.ts";
import { Shell } from "./Shell.tsx";
import { TaskForm } from "./TaskForm.tsx";
import { TaskList } from "./TaskList.tsx";
import { showNews } from "./toasts.tsx";
import classes from "./Workspace.module.css";

/** Who is signed in, as the ID token tells. */
interface SignedInUser {
  /** The `sub`: unique and stable. */
  readonly id: string;
  readonly name: string | undefined;
  readonly email: string | undefined;
}

interface WorkspaceProps {
  readonly api: Api;
  readonly user: SignedInUser;
  onSignIn(): void;
  /** `forget` removes what this browser keeps of the user's tasks. */
  onSignOut(forget: () => void): void;
}

/** What a signed-in user sees. For another user mount it anew. */
export function Workspace({ api, user, onSignIn, onSignOut }: WorkspaceProps) {
  const { tasks, liveState, store } = useTasks(api, user.id, showNews);
  const [announcement, setAnnouncement] = useState("");
  const draftKey = `todoku-draft:${user.id}`;
  const queueTask = useCallback(
    async (text: string, idempotencyKey: string) => {
      store.addQueued(await api.postTask(text, idempotencyKey), text);
      setAnnouncement(`Queued: ${text}`);
    },
    [api, store],
  );
  const signOut = () =>
    onSignOut(() => {
      store.forget();
      sessionStorage.removeItem(draftKey);
    });
  return (
    <Shell actions={<SignOutButton onClick={signOut} />}>
      <div className={classes.hello}>
        <Title>Hello{user.name ? `, ${user.name}` : ""}</Title>
        {user.email && <span className={classes.email}>{user.email}</span>}
      </div>
      <TaskForm draftKey={draftKey} queueTask={queueTask} onSignIn={onSignIn} />
      <TaskList
        tasks={tasks.list}
        liveState={liveState}
        onSignIn={onSignIn}
        onClearFinished={() => store.clearFinished()}
      />
      <VisuallyHidden role="status">{announcement}</VisuallyHidden>
    </Shell>
  );
}

function SignOutButton({ onClick }: { onClick(): void }) {
  return (
    <Button variant="default" size="xs" radius="xl" h={32} aria-label="Sign out" onClick={onClick}>
      <IconLogout size={16} className={classes.narrow} aria-hidden />
      <span className={classes.wide}>Sign out</span>
    </Button>
  );
}
