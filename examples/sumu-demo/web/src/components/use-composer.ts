import { useRef, useState } from "react";
import type { ChatMessage, PushMode } from "../actions/chat-message.ts";
import { publish } from "../actions/publish.ts";
import { send } from "../actions/send.ts";
import type { LiveConnection } from "../live/live-connection.ts";
import { notices } from "./notices.tsx";

export type Way = "publish" | "send";
const ways = { publish: { act: publish, done: "Published" }, send: { act: send, done: "Sent" } } as const;

/** The message that is written. */
export function useComposer(live: LiveConnection) {
  const [text, setText] = useState("");
  const [pushMode, setPushMode] = useState<PushMode>("UNICAST");
  const [users, setUsers] = useState<readonly string[]>([]);
  const [busy, setBusy] = useState<Way>();
  /** The last message that had no answer, and its id: sending it again is the same message, should it have arrived after all. */
  const attempt = useRef<{ content: string; id: string }>(undefined);

  const submit = async (way: Way) => {
    if (busy !== undefined) return;
    if (live.state !== "connected") return notices.notConnected();
    if (text.trim() === "") return notices.emptyText();
    if (pushMode === "MULTICAST" && users.length === 0) return notices.noUsers();
    const message: ChatMessage = { text, push_mode: pushMode, ...(pushMode === "MULTICAST" ? { users } : {}) };
    const content = JSON.stringify([way, message]);
    if (attempt.current?.content !== content) attempt.current = { content, id: crypto.randomUUID() };
    setBusy(way);
    try {
      await ways[way].act(live, message, attempt.current.id);
      attempt.current = undefined;
      setText("");
      notices.sent(ways[way].done);
    } catch (error) {
      notices.notSent(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(undefined);
    }
  };
  return { text, pushMode, users, busy, setText, setPushMode, setUsers, submit };
}

export type Composer = ReturnType<typeof useComposer>;
