import { useRef, useState } from "react";
import { ApiError } from "../../../../task-notifications/web/src/api/api-error.ts";
import { textMaxLength } from "../../../shared/catalog.ts";

/** Publishes a text, once for each key. Rejects when nobody knows whether it arrived. */
export type Say = (text: string, key: string) => Promise<void>;

/** The state of a text field whose text stays until it is published. */
export function useComposer(say: Say) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const [isSending, setIsSending] = useState(false);
  /** The last text that was sent without success, and its key: sending it again is the same comment, should it have arrived after all. */
  const attempt = useRef<{ text: string; key: string }>(undefined);

  const write = (next: string) => {
    setText(next);
    setProblem("");
  };
  const submit = async () => {
    const sent = text.trim().toWellFormed();
    if (isSending) return;
    if (sent === "") return setProblem("Write something first.");
    if (sent.length > textMaxLength) return setProblem(`This is too long: at most ${textMaxLength} characters.`);
    if (attempt.current?.text !== sent) attempt.current = { text: sent, key: randomUuid() };
    setIsSending(true);
    try {
      await say(sent, attempt.current.key);
      attempt.current = undefined;
      write("");
    } catch (error) {
      const isSignedOut = error instanceof ApiError && error.problem === "signed-out";
      setProblem(isSignedOut ? "Your sign-in has ended. Sign in again." : "It did not arrive. Please try again.");
    } finally {
      setIsSending(false);
    }
  };
  return { text, problem, isSending, write, submit };
}

/** `crypto.randomUUID` is there over https and on this machine only. */
function randomUuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40; // version 4
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80; // variant of RFC 9562
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
