import type { Worker } from "node:worker_threads";
import { TodokuError } from "../../domain/errors.ts";
import type { StorageFailure } from "./failures.ts";
import { FieldReader, FieldWriter } from "./fields.ts";
import type { ReadAnswer, ReadRequest } from "./reader-thread.ts";

/** One question to the reader thread. */
export interface ReadOperation<T> {
  readonly name: "head" | "topic" | "item";
  encode(op: FieldWriter): void;
  decode(answer: FieldReader): T;
}

interface Asked {
  readonly operation: ReadOperation<unknown>;
  resolve(result: unknown): void;
  reject(error: TodokuError): void;
}

/** Questions in one message: their answers are one buffer, so this bounds it (each may be a chunk of 256 KiB). */
const maxPerMessage = 32;

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
    this.#refusal = error;
    for (const asked of [...this.#asked, ...this.#waiting]) asked.reject(error);
    this.#asked = [];
    this.#waiting = [];
  }

  #flush(): void {
    this.#isScheduled = false;
    while (this.#waiting.length > 0) {
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
    const reader = answer.packed && new FieldReader(answer.packed);
    for (const { operation, resolve, reject } of some) {
      if (reader === undefined)
        reject(new TodokuError("unavailable", "the storage cannot be read", { cause: failure }));
      else resolve(operation.decode(reader));
    }
  }
}
