import { pino } from "pino";

/** Says nothing. */
export const silentLog = pino({ level: "silent" });

/** Keeps its lines. `logged` resolves when there are so many with that text. */
export function aLog() {
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const write = (line: string) => {
    lines.push(line);
    for (const look of waiting) look();
  };
  const logged = (text: string, count = 1) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (lines.filter((line) => line.includes(text)).length < count) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { log: pino({ level: "trace" }, { write }), lines, logged };
}
