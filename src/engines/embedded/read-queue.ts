import type { Worker } from "node:worker_threads";
import { TodokuError } from "../../domain/errors.ts";
import type { StorageFailure } from "./failures.ts";
import { FieldReader, FieldWriter } from "./fields.ts";
import type { ReadAnswer, ReadRequest } from "./reader-thread.ts";

/** One question to the reader thread. */
export interface ReadOperation<T> {
  /** As reader-thread.ts names it. */
  readonly name: string;
  encode(op: FieldWriter): void;
  decode(answer: FieldReader): T;
}

interface Asked {
  readonly operation: ReadOperation<unknown>;
  resolve(result: unknown): void;
  reject(error: TodokuError): void;
}

/** Questions in one message. With 16 a burst of 20,000 heads cost half as much CPU again. */
const maxPerMessage = 64;
/** Questions under way: what is answered and not yet taken lies in memory (a chunk of 256 KiB, a look into a queue of 4 MiB, an item of 5 MB, a list of 10 MB). */
const maxAsked = 2 * maxPerMessage;

/** Asks the reader thread; the questions of one tick travel together. */
export class ReadQueue {
  readonly #worker: Worker;
  readonly #onFailure: (failure: StorageFailure) => void;
  #waiting: Asked[] = [];
  #asked: Asked[] = [];
  #isScheduled = false;
  #refusal: TodokuError | undefined;

  constructor(worker: Worker, onFailure: (failure: StorageFailure) => void) {
    this.#worker = worker;
    this.#onFailure = onFailure;
    worker.on("message", (answer: ReadAnswer | "opened") => {
      if (answer !== "opened") this.#answered(answer);
    });
  }

  submit<T>(operation: ReadOperation<T>): Promise<T> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ operation, resolve: resolve as (result: unknown) => void, reject });
      if (this.#isScheduled) return;
      this.#isScheduled = true;
      setImmediate(() => this.#flush());
    });
  }

  /** Answers all questions, open and to come, with `error`. */
  refuse(error: TodokuError): void {
    this.#refusal ??= error;
    for (const asked of [...this.#asked, ...this.#waiting]) asked.reject(error);
    this.#asked = [];
    this.#waiting = [];
  }

  #flush(): void {
    this.#isScheduled = false;
    while (this.#waiting.length > 0 && this.#asked.length <= maxAsked - maxPerMessage) {
      const some = this.#waiting.splice(0, maxPerMessage);
      const packed = new FieldWriter();
      for (const { operation } of some) {
        packed.put(operation.name);
        operation.encode(packed);
      }
      this.#asked.push(...some);
      const request: ReadRequest = { count: some.length, packed: packed.finish() };
      this.#worker.postMessage(request, [request.packed.bytes]);
    }
  }

  #answered(answer: ReadAnswer): void {
    const some = this.#asked.splice(0, answer.count);
    const { failure } = answer;
    if (failure !== undefined) this.#onFailure(failure);
    let reader = answer.packed && new FieldReader(answer.packed);
    let cause: unknown = failure;
    for (const { operation, resolve, reject } of some) {
      try {
        if (reader !== undefined) resolve(operation.decode(reader));
      } catch (error) {
        // Where the next answer begins is not known any more.
        reader = undefined;
        cause = error;
      }
      if (reader === undefined) reject(new TodokuError("unavailable", "the storage cannot be read", { cause }));
    }
    this.#flush();
  }
}
