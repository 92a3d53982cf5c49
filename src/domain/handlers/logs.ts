import { Buffer } from "node:buffer";
import { BoundedMap } from "../../lib/bounded-map.ts";
import type { Clock } from "../../lib/clock.ts";
import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";

/** One line that a handler wrote, or (`system`) that the server wrote of it. */
export interface HandlerLogLine {
  /** Wall time. */
  readonly atMs: number;
  readonly stream: "stdout" | "stderr" | "system";
  /** What ran when it was written. */
  readonly invocationId?: string | undefined;
  /** Without its line break; cut at `limits.handler.logLineMaxBytes`. */
  readonly text: string;
}

/** Lines of one handler, the oldest first. */
interface HandlerLogPage {
  readonly lines: readonly HandlerLogLine[];
  /** What comes behind these: to be given as `after`. It is of this run of the server: after a restart all that is there follows it. */
  readonly next: string;
}

/** What to read of a log. */
interface HandlerLogRequest {
  /** A `next` of before; undefined: the last lines. */
  readonly after?: string | undefined;
  /** Lines: 1..`limits.handler.logMaxLines`; default all. */
  readonly limit?: number | undefined;
  /** Waits for the first line until this is aborted; undefined: does not wait. */
  readonly signal?: AbortSignal | undefined;
}

/** What handlers wrote, in memory: the last lines of each. */
export interface HandlerLogs {
  add(environment: string, name: string, line: HandlerLogLine): void;
  /** @throws TodokuError `permission_denied`; `invalid_argument` for an `after` that is none. */
  read(principal: Principal, name: string, request: HandlerLogRequest): Promise<HandlerLogPage>;
  /** Who waits for lines is answered, with none. */
  close(): void;
}

interface Ring {
  readonly lines: HandlerLogLine[];
  /** Number of the first line of `lines`. */
  first: number;
  bytes: number;
}

/** Nobody can tell the numbers of two runs of the server apart without this. */
export function createHandlerLogs(clock: Pick<Clock, "wallMs">): HandlerLogs {
  return new MemoryLogs(clock.wallMs());
}

class MemoryLogs implements HandlerLogs {
  readonly #page: number;
  readonly #rings = new BoundedMap<string, Ring>(limits.handler.logsMax);
  readonly #readers = new Map<string, Set<() => void>>();
  #isClosed = false;

  constructor(page: number) {
    this.#page = page;
  }

  add(environment: string, name: string, line: HandlerLogLine): void {
    const key = keyOf(environment, name);
    const ring = this.#rings.get(key) ?? { lines: [], first: 1, bytes: 0 };
    const kept = { ...line, text: cut(line.text, limits.handler.logLineMaxBytes) };
    ring.lines.push(kept);
    ring.bytes += sizeOf(kept);
    while (ring.lines.length > limits.handler.logMaxLines || ring.bytes > limits.handler.logMaxBytes) {
      ring.bytes -= sizeOf(ring.lines.shift() as HandlerLogLine);
      ring.first++;
    }
    this.#rings.set(key, ring);
    for (const wake of this.#readers.get(key) ?? []) wake();
  }

  async read(principal: Principal, name: string, request: HandlerLogRequest): Promise<HandlerLogPage> {
    authorize(principal, "handler.read", "", name);
    const key = keyOf(principal.environment, name);
    const after = request.after === undefined ? undefined : this.#numberOf(request.after);
    const { limit = limits.handler.logMaxLines, signal } = request;
    for (;;) {
      const page = this.#pageOf(key, after, limit);
      if (page.lines.length > 0 || !signal || signal.aborted || this.#isClosed) return page;
      await this.#change(key, signal);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const readers of this.#readers.values()) for (const wake of readers) wake();
  }

  #pageOf(key: string, after: number | undefined, limit: number): HandlerLogPage {
    const { lines, first } = this.#rings.get(key) ?? { lines: [], first: 1 };
    const from = after === undefined ? Math.max(0, lines.length - limit) : Math.max(0, after + 1 - first);
    const found = lines.slice(from, from + limit);
    const last = found.length > 0 ? first + from + found.length - 1 : Math.max(after ?? 0, first + lines.length - 1);
    return { lines: found, next: `${this.#page}-${last}` };
  }

  /** What was read in another run of the server lies before all of this one. */
  #numberOf(after: string): number {
    const [, page, number] = /^(\d{1,15})-(\d{1,15})$/.exec(after) ?? [];
    if (page === undefined) {
      throw new TodokuError("invalid_argument", `"after" must be a "next" that was answered before`);
    }
    return Number(page) === this.#page ? Number(number) : 0;
  }

  #change(key: string, signal: AbortSignal): Promise<void> {
    const readers = this.#readers.get(key) ?? new Set();
    this.#readers.set(key, readers);
    return new Promise((resolve) => {
      const wake = () => {
        readers.delete(wake);
        if (readers.size === 0) this.#readers.delete(key);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      readers.add(wake);
      signal.addEventListener("abort", wake);
    });
  }
}

/** Names hold no spaces. */
function keyOf(environment: string, name: string): string {
  return `${environment} ${name}`;
}

/** What a line takes in memory, roughly. */
function sizeOf({ text, invocationId = "" }: HandlerLogLine): number {
  return 128 + Buffer.byteLength(text) + Buffer.byteLength(invocationId);
}

/** `text`, at most `maxBytes` of it in UTF-8. */
function cut(text: string, maxBytes: number): string {
  if (text.length <= maxBytes && Buffer.byteLength(text) <= maxBytes) return text;
  return new TextDecoder().decode(Buffer.from(text).subarray(0, maxBytes)).replace(/\ufffd$/, "");
}
