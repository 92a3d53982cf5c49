import { SegmentedControl } from "@mantine/core";
import { useCallback } from "react";
import { type Language, languageCodes, languages } from "../../../shared/catalog.ts";
import { Composer } from "../components/Composer.tsx";
import { LineList } from "../components/LineList.tsx";
import { addressOf } from "../components/use-place.ts";
import { ViewHead } from "../components/ViewHead.tsx";
import type { ViewProps } from "../components/Workspace.tsx";
import { useLines } from "../live/use-lines.ts";
import classes from "./ChatView.module.css";

const choices = languageCodes.map((value) => ({ value, label: languages[value] }));

/** The room of a language: what is written here is read in the others in theirs. For another language mount it anew. */
export function ChatView({ api, name, language, onSignIn }: ViewProps & { language: Language }) {
  const message = useCallback((text: string, key: string) => ({ language, text, key }), [language]);
  const { lines, liveState, userId, say } = useLines(api, { view: "chat", id: language }, name, message);
  const choose = (value: string) => {
    const chosen = languageCodes.find((code) => code === value);
    if (chosen) window.location.hash = addressOf({ view: "chat", language: chosen });
  };
  return (
    <>
      <SegmentedControl
        aria-label="Your language"
        fullWidth
        withItemsBorders={false}
        value={language}
        onChange={choose}
        data={choices}
      />
      <ViewHead title="One room, four languages" state={liveState} onSignIn={onSignIn} />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: without it the keyboard cannot scroll here (WCAG 2.1.1) */}
      <div className={classes.room} role="log" aria-label="Chat" tabIndex={0}>
        <LineList
          lines={lines}
          userId={userId}
          empty={liveState === "connecting" ? "Opening the room…" : "It is quiet here. Say hello."}
        />
      </div>
      <Composer
        label="Your message"
        placeholder={`Write in ${languages[language]}`}
        action="Send"
        language={language}
        say={say}
      />
      <p className={classes.note}>Translated word for word from a small dictionary; what it does not know stays.</p>
    </>
  );
}
