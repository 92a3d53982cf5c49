import { Anchor } from "@mantine/core";
import { memo, useState } from "react";
import type { Task, TaskStatus } from "../tasks/task.ts";
import { useNowMs } from "./clock.ts";
import { relativeTime } from "./relative-time.ts";
import { StatusIcon } from "./StatusIcon.tsx";
import classes from "./TaskRow.module.css";

const words: Readonly<Record<TaskStatus, string>> = {
  queued: "Queued",
  working: "Working",
  done: "Done",
  failed: "Failed",
};
/** About two lines of a wide window, four of a phone's. */
const shortTextLength = 150;
/** A row that is younger comes in with a small movement. */
const freshMs = 2000;

/** One task. Rows do not render again while their task stays the same: the list has hundreds. */
export const TaskRow = memo(function TaskRow({ task }: { task: Task }) {
  const [isFresh] = useState(() => Date.now() - task.createdAtMs < freshMs);
  return (
    <li className={isFresh ? `${classes.row} ${classes.fresh}` : classes.row} data-status={task.status}>
      <StatusIcon status={task.status} />
      <div className={classes.body}>
        <TaskText text={task.text} />
        <div className={classes.meta}>
          <span className={`${classes.status} ${classes[task.status]}`}>{words[task.status]}</span>
          <Ago atMs={task.changedAtMs} />
          {task.attempt > 1 && <span>try {task.attempt}</span>}
        </div>
      </div>
    </li>
  );
});

function TaskText({ text }: { text: string }) {
  const [isOpen, setIsOpen] = useState(false);
  if (text === "") return <div className={classes.text}>(without text)</div>;
  if (text.length <= shortTextLength) return <div className={classes.text}>{text}</div>;
  return (
    <div className={classes.text}>
      {isOpen ? text : `${text.slice(0, shortTextLength).trimEnd()}…`}
      <Anchor component="button" className={classes.more} aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
        {isOpen ? "Show less" : "Show all"}
      </Anchor>
    </div>
  );
}

function Ago({ atMs }: { atMs: number }) {
  const at = new Date(atMs);
  return (
    <time dateTime={at.toISOString()} title={at.toLocaleString()}>
      {relativeTime(atMs, useNowMs())}
    </time>
  );
}
