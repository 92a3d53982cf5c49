import { TodokuError } from "../../domain/errors.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";

/** A change in the storage thread. */
export type Operation = (op: FieldReader, answer: FieldWriter) => void;

/**
 * Gives a TodokuError of `work` as its verdict, for the other operations of the batch must not suffer from it. So `work` throws one
 * only when it has read all of its operation, has answered nothing, and has written nothing but what is right without it too.
 */
export function answering(work: Operation): Operation {
  return (op, answer) => {
    try {
      work(op, answer);
    } catch (error) {
      if (!(error instanceof TodokuError)) throw error;
      answer.put(error.code);
      answer.put(error.message);
      answer.put(error.subject ?? null);
    }
  };
}

/** Reads the verdict of such an operation. @throws TodokuError when it is not `ok`. */
export function readVerdictWithSubject(answer: FieldReader): void {
  const code = answer.text();
  if (code === "ok") return;
  const [message, subject] = [answer.text(), answer.textOrNull()];
  throw new TodokuError(code as TodokuError["code"], message, subject === null ? {} : { subject });
}
