import { Popover, UnstyledButton } from "@mantine/core";
import { IconChevronDown, IconCircleCheck, IconCircleX, IconRefresh } from "@tabler/icons-react";
import type { LiveState } from "../live/live-event.ts";
import classes from "./StatusBar.module.css";

const looks = {
  connected: { Icon: IconCircleCheck, text: "Connected" },
  connecting: { Icon: IconRefresh, text: "Connecting" },
  disconnected: { Icon: IconCircleX, text: "Disconnected" },
} as const;

/** Whether the line is there, and while it is, who else. `names`: of those who are connected, the one who looks first. */
export function StatusBar({ state, names }: { state: LiveState; names: readonly string[] }) {
  const { Icon, text } = looks[state];
  return (
    <div className={classes.status} data-state={state}>
      <Icon className={classes.icon} size={22} aria-hidden />
      <span className={classes.text} role="status">
        {text}
      </span>
      {state === "connected" && <WhoIsThere names={names} />}
    </div>
  );
}

function WhoIsThere({ names }: { names: readonly string[] }) {
  return (
    // In place, so that it stays a part of the header for who cannot see it; with the focus in it, so that Escape closes it.
    <Popover withinPortal={false} trapFocus returnFocus withArrow shadow="md">
      <Popover.Target>
        <UnstyledButton className={classes.count}>
          {names.length === 1 ? "1 user connected" : `${names.length} users connected`}
          <IconChevronDown size={14} aria-hidden />
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        <ul className={classes.names} aria-label="Connected users">
          {[...names.entries()].map(([at, name]) => (
            // Two users may have one name.
            <li key={`${at} ${name}`}>{name}</li>
          ))}
        </ul>
      </Popover.Dropdown>
    </Popover>
  );
}
