import { Button, SegmentedControl, Title } from "@mantine/core";
import { useDeferredValue, useMemo, useState } from "react";
import type { LiveState } from "../live/live-connection.ts";
import { isFinished, type Task } from "../tasks/task.ts";
import { LiveStatus } from "./LiveStatus.tsx";
import classes from "./TaskList.module.css";
import { TaskRow } from "./TaskRow.tsx";

type Filter = "all" | "running" | "done" | "failed";

const filters: readonly { value: Filter; name: string; empty: string; has(task: Task): boolean }[] = [
  { value: "all", name: "All", empty: "Nothing here yet. Your first task will appear in this place.", has: () => true },
  {
    value: "running",
    name: "Running",
    empty: "Nothing is waiting or being worked on.",
    has: (task) => !isFinished(task.status),
  },
  { value: "done", name: "Done", empty: "Nothing is done yet.", has: (task) => task.status === "done" },
  { value: "failed", name: "Failed", empty: "Nothing has failed.", has: (task) => task.status === "failed" },
];

interface TaskListProps {
  readonly tasks: readonly Task[];
  readonly liveState: LiveState;
  onSignIn(): void;
  onClearFinished(): void;
}

/** All tasks of the user that this device knows, newest first. */
export function TaskList({ tasks, liveState, onSignIn, onClearFinished }: TaskListProps) {
  const [value, setValue] = useState<Filter>("all");
  // Typing goes first when hundreds of rows change.
  const shown = useDeferredValue(tasks);
  const counts = useMemo(() => new Map(filters.map((one) => [one.value, shown.filter(one.has).length])), [shown]);
  const filter = filters.find((one) => one.value === value);
  const rows = filter ? shown.filter(filter.has) : shown;
  const hasFinished = shown.some((task) => isFinished(task.status));
  return (
    <section aria-labelledby="tasks-title">
      <div className={classes.head}>
        <Title order={2} id="tasks-title">
          Tasks
        </Title>
        <LiveStatus state={liveState} onSignIn={onSignIn} />
        <Button
          className={classes.clear}
          variant="subtle"
          size="compact-sm"
          data-hidden={!hasFinished}
          onClick={onClearFinished}
        >
          Clear finished
        </Button>
      </div>
      <SegmentedControl
        classNames={{ root: classes.filter ?? "", label: classes.filterLabel ?? "" }}
        aria-label="Show"
        size="sm"
        withItemsBorders={false}
        value={value}
        onChange={setValue}
        data={filters.map((one) => ({
          value: one.value,
          label: <FilterLabel name={one.name} count={counts.get(one.value) ?? 0} />,
        }))}
      />
      {rows.length === 0 ? (
        <div className={classes.empty}>{liveState === "connecting" ? "Looking for your tasks…" : filter?.empty}</div>
      ) : (
        <ul className={classes.list}>
          {rows.map((task) => (
            <TaskRow key={task.id} task={task} />
          ))}
        </ul>
      )}
    </section>
  );
}

function FilterLabel({ name, count }: { name: string; count: number }) {
  return (
    <>
      {name}
      <span className={classes.count}>{count}</span>
    </>
  );
}
