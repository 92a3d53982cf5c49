import { useCallback } from "react";
import { courses } from "../../../shared/catalog.ts";
import { Composer } from "../components/Composer.tsx";
import { LineList } from "../components/LineList.tsx";
import { addressOf } from "../components/use-place.ts";
import { ViewHead } from "../components/ViewHead.tsx";
import type { ViewProps } from "../components/Workspace.tsx";
import { useLines } from "../live/use-lines.ts";
import classes from "./CommentsView.module.css";

/** The comments of a course. For another course mount it anew. */
export function CommentsView({ api, name, courseId, onSignIn }: ViewProps & { courseId: string }) {
  const message = useCallback((comment: string, key: string) => ({ courseId, comment, key }), [courseId]);
  const { lines, liveState, userId, say } = useLines(api, { view: "comments", id: courseId }, name, message);
  const course = courses.find(({ id }) => id === courseId);
  return (
    <>
      <nav className={classes.courses} aria-label="Courses">
        {courses.map(({ id, title, teacher }) => (
          <a
            key={id}
            className={classes.course}
            href={addressOf({ view: "comments", courseId: id })}
            aria-current={id === courseId ? "true" : undefined}
          >
            <span className={classes.title}>{title}</span>
            <span className={classes.teacher}>{teacher}</span>
          </a>
        ))}
      </nav>
      <ViewHead title={course?.title ?? ""} state={liveState} onSignIn={onSignIn} />
      <Composer label="Your comment" placeholder="What do you think?" action="Comment" say={say} />
      <LineList
        lines={lines}
        userId={userId}
        empty={liveState === "connecting" ? "Looking for comments…" : "Nobody has said a word yet."}
      />
    </>
  );
}
