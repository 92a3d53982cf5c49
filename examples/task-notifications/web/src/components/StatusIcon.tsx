import { type Icon, IconCheck, IconClock, IconLoader2, IconX } from "@tabler/icons-react";
import type { TaskStatus } from "../tasks/task.ts";
import classes from "./StatusIcon.module.css";

const icons: Readonly<Record<TaskStatus, Icon>> = {
  queued: IconClock,
  working: IconLoader2,
  done: IconCheck,
  failed: IconX,
};

/** A sign beside the word, which says the same. */
export function StatusIcon({ status }: { status: TaskStatus }) {
  const StatusSign = icons[status];
  return (
    <span className={`${classes.icon} ${classes[status]}`} aria-hidden="true">
      <StatusSign size={18} stroke={2.2} />
    </span>
  );
}
