import { Anchor } from "@mantine/core";
import type { LiveState } from "../live/live-connection.ts";
import classes from "./LiveStatus.module.css";

const words: Readonly<Record<LiveState, string>> = {
  connecting: "Connecting…",
  live: "Live",
  reconnecting: "Reconnecting…",
  "signed-out": "Your sign-in has ended.",
};

/** Whether news arrive. Always there, so that nothing moves when the line is lost. */
export function LiveStatus({ state, onSignIn }: { state: LiveState; onSignIn(): void }) {
  return (
    <span className={`${classes.status} ${classes[state]}`} role="status" data-state={state}>
      <span className={classes.dot} aria-hidden="true" />
      {words[state]}
      {state === "signed-out" && (
        <Anchor component="button" inherit underline="always" onClick={onSignIn}>
          Sign in again
        </Anchor>
      )}
    </span>
  );
}
