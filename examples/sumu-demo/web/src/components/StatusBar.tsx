import { IconCircleCheck, IconCircleX, IconRefresh } from "@tabler/icons-react";
import type { LiveState } from "../live/live-event.ts";
import classes from "./StatusBar.module.css";

const looks = {
  connected: { Icon: IconCircleCheck, text: "Connected" },
  connecting: { Icon: IconRefresh, text: "Connecting" },
  disconnected: { Icon: IconCircleX, text: "Disconnected" },
} as const;

/** Whether the line is there, and how many users are, the one who looks among them. */
export function StatusBar({ state, others }: { state: LiveState; others: number }) {
  const { Icon, text } = looks[state];
  const count = state === "connected" ? others + 1 : others;
  return (
    <div className={classes.status} data-state={state} role="status">
      <Icon className={classes.icon} size={22} aria-hidden />
      <span className={classes.text}>{text}</span>
      <span className={classes.count}>{countText(count)}</span>
    </div>
  );
}

function countText(count: number): string {
  if (count === 0) return "No user connected";
  return count === 1 ? "1 user connected" : `${count} users connected`;
}
