import { IconChartBar, IconLanguage, IconMessage } from "@tabler/icons-react";
import type { Api } from "../api.ts";
import { ChatView } from "../chat/ChatView.tsx";
import { CommentsView } from "../comments/CommentsView.tsx";
import { PollView } from "../poll/PollView.tsx";
import { addressOf, type Place, parsePlace, usePlace } from "./use-place.ts";
import classes from "./Workspace.module.css";

export interface ViewProps {
  readonly api: Api;
  /** What the user is called. */
  readonly name: string;
  onSignIn(): void;
}

const links = [
  { view: "comments", text: "Comments", Icon: IconMessage },
  { view: "poll", text: "Live poll", Icon: IconChartBar },
  { view: "chat", text: "Chat", Icon: IconLanguage },
] as const;

/** What a signed-in user sees: one of three views, which is live. For another user mount it anew. */
export function Workspace(props: ViewProps) {
  const place = usePlace();
  return (
    <>
      <nav className={classes.nav} aria-label="Views">
        {links.map(({ view, text, Icon }) => (
          <a
            key={view}
            className={classes.link}
            href={addressOf(parsePlace(`#${view}`))}
            aria-current={place.view === view ? "page" : undefined}
          >
            <Icon size={18} aria-hidden />
            {text}
          </a>
        ))}
      </nav>
      <View place={place} {...props} />
    </>
  );
}

/** A key for each place: the line of one ends before that of the next begins. */
function View({ place, ...props }: ViewProps & { place: Place }) {
  if (place.view === "poll") return <PollView {...props} />;
  if (place.view === "chat") return <ChatView key={place.language} language={place.language} {...props} />;
  return <CommentsView key={place.courseId} courseId={place.courseId} {...props} />;
}
