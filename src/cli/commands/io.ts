import { setTimeout as wait } from "node:timers/promises";

/** What a client command touches of the process: the one place, so that tests give their own. */
export interface CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean };
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  /** Calls `listener` on Ctrl-C, and when nobody reads the output any more. Returns what stops listening. */
  onInterrupt(listener: () => void): () => void;
  /** Resolves after `ms`; rejects when `signal` is aborted. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

/** The real process. */
export const processIo: CommandIo = {
  env: process.env,
  // Read only when asked for: to touch it opens it.
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  onInterrupt(listener) {
    // `todoku topic subscribe ... | head -1`: the pipe closes, which is no error.
    const onOutputError = (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      listener();
    };
    process.on("SIGINT", listener).on("SIGTERM", listener);
    process.stdout.on("error", onOutputError);
    return () => {
      process.off("SIGINT", listener).off("SIGTERM", listener);
      process.stdout.off("error", onOutputError);
    };
  },
  pause: (ms, signal) => wait(ms, undefined, { signal }),
};

/** Text of others for a terminal: one line, and no control sequence in it can move the cursor or turn the text around. */
export function printable(text: string): string {
  return text.replace(/(?!\t)[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (character) =>
    character === "\n" ? "\\n" : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Rows under their titles, in columns as wide as they need. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = titles.map((title, n) => Math.max(title.length, ...rows.map((row) => row[n]?.length ?? 0)));
  return [titles, ...rows].map((row) =>
    row
      .map((cell, n) => cell.padEnd(widths[n] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
