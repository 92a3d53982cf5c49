import { useRef, useState } from "react";
import type { ChatMessage, PushMode } from "../actions/chat-message.ts";
import { publish } from "../actions/publish.ts";
import { send } from "../actions/send.ts";
import type { LiveConnection } from "../live/live-connection.ts";
import { audienceProblem, whereItGoes } from "../people/audience.ts";
import type { People } from "../people/people.ts";
import { notices } from "./notices.tsx";

export type Way = "publish" | "send";
const ways = { publish: { act: publish, done: "Published" }, send: { act: send, done: "Sent" } } as const;

/** What is wrong in a field, until it is changed. */
interface Problems {
  readonly text?: string | undefined;
  readonly users?: string | undefined;
}

/** The message that is written. */
export function useComposer(live: LiveConnection, people: People) {
  const [text, setText] = useState("");
  const [pushMode, setPushMode] = useState<PushMode>("UNICAST");
  const [users, setUsers] = useState<readonly string[]>([]);
  const [problems, setProblems] = useState<Problems>({});
  const [busy, setBusy] = useState<Way>();
  const textField = useRef<HTMLTextAreaElement>(null);
  const usersField = useRef<HTMLInputElement>(null);
  /** The last message that had no answer, and its id: sending it again is the same message, should it have arrived after all. */
  const attempt = useRef<{ content: string; id: string }>(undefined);

  const submit = async (way: Way) => {
    if (busy !== undefined) return;
    if (live.state !== "connected") return notices.notConnected();
    const message: ChatMessage = { text, push_mode: pushMode, ...(pushMode === "MULTICAST" ? { users } : {}) };
    const found: Problems = {
      text: text.trim() === "" ? "The text is empty." : undefined,
      users: audienceProblem(message, people),
    };
    setProblems(found);
    // The button may be a screen away from the field.
    if (found.text !== undefined) return textField.current?.focus();
    if (found.users !== undefined) return usersField.current?.focus();
    const content = JSON.stringify([way, message]);
    if (attempt.current?.content !== content) attempt.current = { content, id: crypto.randomUUID() };
    setBusy(way);
    try {
      await ways[way].act(live, message, attempt.current.id);
      attempt.current = undefined;
      setText("");
      notices.sent(ways[way].done, whereItGoes(message, people));
    } catch (error) {
      notices.notSent(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(undefined);
    }
  };
  const change =
    <Value>(set: (value: Value) => void) =>
    (value: Value) => {
      setProblems({});
      set(value);
    };
  return {
    ...{ text, pushMode, users, problems, busy, textField, usersField, submit },
    setText: change(setText),
    setPushMode: change(setPushMode),
    setUsers: change(setUsers),
  };
}

export type Composer = ReturnType<typeof useComposer>;
