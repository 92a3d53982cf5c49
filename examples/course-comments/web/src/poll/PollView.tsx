import { poll } from "../../../shared/catalog.ts";
import { ViewHead } from "../components/ViewHead.tsx";
import type { ViewProps } from "../components/Workspace.tsx";
import classes from "./PollView.module.css";
import { shareOf, totalOf } from "./standing.ts";
import { usePoll } from "./use-poll.ts";

/** The poll: one vote for each user, which may be changed. */
export function PollView({ api, onSignIn }: ViewProps) {
  const { standing, mine, hasFailed, liveState, vote } = usePoll(api);
  const total = totalOf(standing);
  return (
    <>
      <ViewHead title={poll.question} state={liveState} onSignIn={onSignIn} />
      <fieldset className={classes.options} aria-label={poll.question}>
        {poll.options.map(({ id, text }) => {
          const share = shareOf(standing, id);
          return (
            <button
              key={id}
              type="button"
              className={classes.option}
              aria-pressed={mine === id}
              data-count={standing.counts[id] ?? 0}
              onClick={() => void vote(id)}
            >
              <span className={classes.bar} style={{ width: `${share}%` }} aria-hidden="true" />
              <span className={classes.text}>{text}</span>
              {mine === id && <span className={classes.mine}>Your vote</span>}
              <span className={classes.share}>{share} %</span>
            </button>
          );
        })}
      </fieldset>
      <p className={classes.foot} aria-live="polite">
        {hasFailed ? (
          <span className={classes.problem}>Your vote did not arrive. Please try again.</span>
        ) : (
          `${total} ${total === 1 ? "person has" : "people have"} voted. You may change your vote at any time.`
        )}
      </p>
    </>
  );
}
