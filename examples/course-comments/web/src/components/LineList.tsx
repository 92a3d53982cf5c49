import { memo, useState } from "react";
import { useNowMs } from "../../../../task-notifications/web/src/components/clock.ts";
import { relativeTime } from "../../../../task-notifications/web/src/components/relative-time.ts";
import type { Line } from "../live/lines.ts";
import classes from "./LineList.module.css";

/** A line that is younger comes in with a small movement. */
const freshMs = 2000;

interface LineListProps {
  readonly lines: readonly Line[];
  /** Of the user who looks at it. */
  readonly userId: string | undefined;
  /** What stands there while there is nothing. */
  readonly empty: string;
}

/** What users wrote. */
export function LineList({ lines, userId, empty }: LineListProps) {
  if (lines.length === 0) return <div className={classes.empty}>{empty}</div>;
  return (
    <ul className={classes.list}>
      {lines.map((line) => (
        <LineRow key={line.id} line={line} isOwn={line.userId === userId} />
      ))}
    </ul>
  );
}

const LineRow = memo(function LineRow({ line, isOwn }: { line: Line; isOwn: boolean }) {
  const [isFresh] = useState(() => Date.now() - line.atMs < freshMs);
  const { name, text, original, atMs, isOnItsWay } = line;
  return (
    <li
      className={isFresh ? `${classes.row} ${classes.fresh}` : classes.row}
      data-own={isOwn}
      data-pending={isOnItsWay === true}
    >
      <span className={classes.seal} aria-hidden="true">
        {[...name][0]?.toUpperCase()}
      </span>
      <div className={classes.body}>
        <div className={classes.meta}>
          <span className={classes.name}>{name}</span>
          {isOwn && <span className={classes.own}>You</span>}
          {isOnItsWay ? <span>on its way…</span> : <Ago atMs={atMs} />}
        </div>
        <div className={classes.text}>{text}</div>
        {original && original.text !== text && (
          <div className={classes.original} lang={original.language}>
            {original.text}
          </div>
        )}
      </div>
    </li>
  );
});

function Ago({ atMs }: { atMs: number }) {
  const at = new Date(atMs);
  return (
    <time dateTime={at.toISOString()} title={at.toLocaleString()}>
      {relativeTime(atMs, useNowMs())}
    </time>
  );
}
