import type { Frame } from "./frame.ts";

interface Waiting {
  resolve(answer: Frame): void;
  reject(error: Error): void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** Requests that wait for their answers: a client's frame carries an `id`, and so does the answer to it. */
export class Requests {
  readonly #waiting = new Map<string, Waiting>();
  #lastId = 0;

  /** Sends the frame with an id. The answer, or an Error: it says no, does not come in time, or the connection is lost before it. */
  ask(frame: Frame, send: (text: string) => void, timeoutMs: number): Promise<Frame> {
    const id = String(++this.#lastId);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#take(id)?.reject(new Error("there was no answer in time")), timeoutMs);
      this.#waiting.set(id, { resolve, reject, timer });
      send(JSON.stringify({ ...frame, id }));
    });
  }

  /** Gives an answer to who waits for it. */
  settle(frame: Frame): void {
    const waiting = typeof frame.id === "string" ? this.#take(frame.id) : undefined;
    const problem = problemOf(frame);
    if (problem === undefined) waiting?.resolve(frame);
    else waiting?.reject(new Error(problem));
  }

  rejectAll(error: Error): void {
    for (const id of this.#waiting.keys()) this.#take(id)?.reject(error);
  }

  #take(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    clearTimeout(waiting?.timer);
    return waiting;
  }
}

/** An error comes as `{"type": "error", "error": {"message"}}`, or as API Gateway writes it: without a type, the message a text. */
function problemOf({ type, message, error }: Frame): string | undefined {
  if (type !== undefined && type !== "error") return undefined;
  const detail = typeof error === "object" && error !== null && "message" in error ? error.message : message;
  return typeof detail === "string" ? detail : undefined;
}
