import { CallFailure, type Client } from "./client.ts";
import { type CommandIo, printable } from "./io.ts";
import type { ServerEvent } from "./server-events.ts";

const backoffMs = { first: 250, most: 10_000 };

/** What to follow, and for how long. */
export interface TailRequest {
  readonly cache: string;
  readonly path: string;
  readonly after: string | undefined;
  /** Ends after this many items; undefined = never. */
  readonly count: number | undefined;
  readonly json: boolean;
  /** What to print of an item; undefined: nothing, and it does not count. Default: a line of its own, or all of it with `json`. */
  readonly toLine?: (item: ItemJson) => string | undefined;
}

/** An item as the server has it. */
export interface ItemJson {
  readonly position: string;
  readonly text?: string;
  readonly binary?: string;
  readonly tokenId?: string;
  readonly publishedAtMs: number;
}

/**
 * Prints a topic's items as they come, until Ctrl-C or `count`. Once it has begun, a lost connection is opened again from the
 * last position; what cannot get better by waiting ends it.
 * @throws CallFailure.
 */
export async function tail(client: Client, request: TailRequest, io: CommandIo): Promise<void> {
  const stop = new AbortController();
  const stopListening = io.onInterrupt(() => stop.abort());
  const progress = { after: request.after, left: request.count ?? Number.POSITIVE_INFINITY, attempts: -1 };
  const hints = { not_found: `create it with: todoku cache create ${printable(request.cache)}` };
  try {
    while (progress.left > 0) {
      const reason = await follow(client.follow(request.path, progress.after, stop.signal, hints), progress);
      if (progress.left === 0) return;
      if (progress.attempts < 0) throw reason;
      const mostMs = Math.min(backoffMs.first * 2 ** progress.attempts++, backoffMs.most);
      const waitMs = mostMs * (0.5 + Math.random() / 2); // so that many do not come back at once
      io.stderr.write(
        `connection lost: ${reason.message.split("\n", 1)[0]}; reconnecting in ${(waitMs / 1000).toFixed(1)} s behind ${progress.after}\n`,
      );
      await io.pause(waitMs, stop.signal);
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    stopListening();
  }

  /** One connection; returns why it ended when another may follow. `attempts` is -1 until the first one has opened. */
  async function follow(events: AsyncGenerator<ServerEvent>, state: typeof progress): Promise<CallFailure> {
    let isOpen = false;
    try {
      for await (const event of events) {
        if (!isOpen && state.attempts > 0) io.stderr.write("connected again\n");
        isOpen = true;
        state.attempts = 0;
        state.after = event.id ?? state.after;
        if (print(event, request, io)) state.left--;
        if (state.left === 0) break; // the generator closes the connection
      }
    } catch (error) {
      if (!(error instanceof CallFailure) || !error.isTemporary) throw error;
      return error;
    }
    return new CallFailure("the server closed it", { isTemporary: true });
  }
}

/** Returns whether it was an item. */
function print({ type, data }: ServerEvent, { json, toLine }: TailRequest, io: CommandIo): boolean {
  if (data === undefined) return false;
  if (type === "message") {
    const text = toLine || !json ? (toLine ?? line)(JSON.parse(data) as ItemJson) : data;
    if (text !== undefined) io.stdout.write(`${text}\n`);
    return text !== undefined;
  }
  if (type === "discontinuity") {
    const { after, now } = JSON.parse(data) as { after: string; now: string };
    io.stdout.write(
      json
        ? `{"discontinuity":${data}}\n`
        : `-- discontinuity: what came behind ${after} is gone; going on behind ${now}\n`,
    );
  }
  return false;
}

function line({ position, text, binary, tokenId, publishedAtMs }: ItemJson): string {
  const value = text === undefined ? `<binary ${Buffer.byteLength(binary ?? "", "base64")} bytes>` : printable(text);
  const sender = tokenId === undefined ? [] : [printable(tokenId)];
  return [new Date(publishedAtMs).toISOString(), position, ...sender, value].join("  ");
}
