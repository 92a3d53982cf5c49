import type { Dispatcher } from "undici";
import { failureOf } from "./failure.ts";
import type { GuardedRequest, GuardedResult } from "./guarded-client.ts";

/** What a call must know of the connection that takes it. */
export interface CallConnection {
  readonly isPublic: boolean;
}

const abandoned = new Error("the call is over");

/** One call on its way: undici tells it what happens, the first end counts. */
export class Call implements Dispatcher.DispatchHandler {
  /** Set as soon as there is one. */
  connection: CallConnection | undefined;
  readonly #resolve: (result: GuardedResult) => void;
  readonly #answerMaxBytes: number;
  readonly #startMs = performance.now();
  // Of its own: undici's bound the head and the gaps of a body, and look each half second.
  readonly #timer: NodeJS.Timeout;
  #isDone = false;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: Readonly<Record<string, string>> = {};
  #body = Buffer.from(new ArrayBuffer(0));

  constructor({ timeoutMs, answerMaxBytes }: GuardedRequest, resolve: (result: GuardedResult) => void) {
    this.#resolve = resolve;
    this.#answerMaxBytes = answerMaxBytes;
    this.#timer = setTimeout(() => this.#endLate(timeoutMs), timeoutMs);
  }

  /** It has its result: nothing is to be sent any more. */
  get isDone(): boolean {
    return this.#isDone;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isDone) controller.abort(abandoned);
  }

  onResponseStart(_controller: unknown, status: number, headers: HeaderValues): void {
    // An interim answer (RFC 9110 15.2): the real one follows.
    if (status < 200) return;
    this.#status = status;
    this.#headers = joined(headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    const left = this.#answerMaxBytes - this.#body.length;
    this.#keep(chunk.length <= left ? chunk : chunk.subarray(0, left));
    if (chunk.length <= left) return;
    this.#answer();
    controller.abort(abandoned);
  }

  onResponseEnd(): void {
    this.#answer();
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#fail(failureOf(error));
  }

  #endLate(timeoutMs: number): void {
    const error = this.#status === 0 ? `no answer within ${timeoutMs} ms` : `the answer took more than ${timeoutMs} ms`;
    this.#fail({ kind: "timeout", error });
    this.#controller?.abort(abandoned);
  }

  /** Copied: a chunk of one byte would keep all that was received with it, 64 KiB of which may lie between two of them. */
  #keep(chunk: Uint8Array): void {
    const bytes = this.#body.length + chunk.length;
    const { buffer } = this.#body;
    const room =
      buffer.byteLength >= bytes ? buffer : new ArrayBuffer(Math.max(bytes, Math.min(this.#answerMaxBytes, 2 * bytes)));
    const body = Buffer.from(room, 0, bytes);
    if (room !== buffer) body.set(this.#body);
    body.set(chunk, this.#body.length);
    this.#body = body;
  }

  #answer(): void {
    const result: GuardedResult = {
      kind: "answer",
      status: this.#status,
      headers: this.#headers,
      body: this.#body,
      latencyMs: this.#elapsedMs(),
      isPublic: this.connection?.isPublic === true,
    };
    // undici takes the connection back in an immediate that it sets behind this: who calls again at once then gets this connection, not one more.
    this.#end(() => queueMicrotask(() => setImmediate(this.#resolve, result)));
  }

  #end(tell: () => void): void {
    if (this.#isDone) return;
    this.#isDone = true;
    clearTimeout(this.#timer);
    tell();
  }

  #fail(failure: ReturnType<typeof failureOf>): void {
    this.#end(() => this.#resolve({ ...failure, latencyMs: this.#elapsedMs() }));
  }

  #elapsedMs(): number {
    return performance.now() - this.#startMs;
  }
}

type HeaderValues = Readonly<Record<string, string | string[] | undefined>>;

function joined(headers: HeaderValues): Readonly<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) values[name] = typeof value === "string" ? value : value.join(", ");
  }
  return values;
}
