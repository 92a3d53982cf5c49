import { useEffect, useRef, useState } from "react";
import { ApiError, type ApiProblem } from "../api/api-error.ts";
import { taskTextMaxLength } from "../tasks/task.ts";

/** Why a task was not queued. */
export interface FormProblem {
  readonly problem: ApiProblem | "empty" | "too-long";
  /** With `too-many`: until the next try can succeed. */
  readonly waitSeconds: number;
}

export interface TaskFormOptions {
  /** Where the text is kept over a reload, or over signing in again. */
  readonly draftKey: string;
  /** Queues the text, once for each key. @throws ApiError */
  queueTask(text: string, idempotencyKey: string): Promise<void>;
}

/** When the API does not say how long. */
const defaultWaitSeconds = 5;

/** The state of the form. */
export function useTaskForm({ draftKey, queueTask }: TaskFormOptions) {
  const [text, setTextState] = useState(() => sessionStorage.getItem(draftKey) ?? "");
  const [error, setError] = useState<FormProblem>();
  const [isSending, setIsSending] = useState(false);
  /** The last text that was sent without success, and its key: sending it again is the same task, should it have arrived after all. */
  const attempt = useRef<{ text: string; key: string }>(undefined);
  useCountdown(error, setError);

  const setText = (next: string) => {
    setTextState(next);
    sessionStorage.setItem(draftKey, next);
    if (error?.problem !== "too-many") setError(undefined);
  };
  const submit = async () => {
    const sent = text.trim().toWellFormed();
    if (isSending || isWaiting(error)) return;
    if (sent === "") return setError({ problem: "empty", waitSeconds: 0 });
    if (sent.length > taskTextMaxLength) return setError({ problem: "too-long", waitSeconds: 0 });
    if (attempt.current?.text !== sent) attempt.current = { text: sent, key: crypto.randomUUID() };
    setIsSending(true);
    try {
      await queueTask(sent, attempt.current.key);
      attempt.current = undefined;
      setError(undefined);
      setTextState("");
      sessionStorage.removeItem(draftKey);
    } catch (thrown) {
      setError(toFormProblem(thrown));
    } finally {
      setIsSending(false);
    }
  };
  return { text, error, isSending, isWaiting: isWaiting(error), setText, submit };
}

function isWaiting(error: FormProblem | undefined): boolean {
  return error?.problem === "too-many";
}

function toFormProblem(error: unknown): FormProblem {
  if (!(error instanceof ApiError)) return { problem: "unexpected", waitSeconds: 0 };
  const { problem, retryAfterMs } = error;
  const waitSeconds = retryAfterMs === undefined ? defaultWaitSeconds : Math.max(1, Math.ceil(retryAfterMs / 1000));
  return { problem, waitSeconds: problem === "too-many" ? waitSeconds : 0 };
}

/** Counts `waitSeconds` down, and takes the error away at the end. */
function useCountdown(error: FormProblem | undefined, setError: (next: FormProblem | undefined) => void): void {
  useEffect(() => {
    if (!error || !isWaiting(error)) return;
    const waitSeconds = error.waitSeconds - 1;
    const timer = setTimeout(() => setError(waitSeconds > 0 ? { ...error, waitSeconds } : undefined), 1000);
    return () => clearTimeout(timer);
  }, [error, setError]);
}
