import type { Position } from "../../domain/topics/position.ts";

/** Pending positions as they are stored: JSON of pages, each with its sequences. */
export function formatPending(pending: readonly Position[]): string {
  const pages: [number, number[]][] = [];
  for (const { page, sequence } of pending) {
    const last = pages.at(-1);
    if (last?.[0] === page) last[1].push(sequence);
    else pages.push([page, [sequence]]);
  }
  return JSON.stringify(pages);
}

/** Reads what {@link formatPending} wrote. */
export function parsePending(text: string): Position[] {
  const pages: [number, number[]][] = JSON.parse(text);
  return pages.flatMap(([page, sequences]) => sequences.map((sequence) => ({ page, sequence })));
}
