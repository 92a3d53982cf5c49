import { Title } from "@mantine/core";
import { LiveStatus } from "../../../../task-notifications/web/src/components/LiveStatus.tsx";
import type { LiveState } from "../../../../task-notifications/web/src/live/live-connection.ts";
import classes from "./ViewHead.module.css";

/** The title of a view, and whether it is live. */
export function ViewHead({ title, state, onSignIn }: { title: string; state: LiveState; onSignIn(): void }) {
  return (
    <div className={classes.head}>
      <Title order={1} size="h2">
        {title}
      </Title>
      <LiveStatus state={state} onSignIn={onSignIn} />
    </div>
  );
}
