import { pino } from "pino";

/** Says nothing. */
export const silentLog = pino({ level: "silent" });

/** Keeps its lines. */
export function aLog(): { readonly log: pino.Logger; readonly lines: string[] } {
  const lines: string[] = [];
  return { log: pino({ level: "trace" }, { write: (line) => void lines.push(line) }), lines };
}
