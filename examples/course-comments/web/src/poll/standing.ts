/** How the poll stands, as far as this page knows. */
export interface Standing {
  readonly version: number;
  /** By option. */
  readonly counts: Readonly<Record<string, number>>;
}

export const noVotes: Standing = { version: 0, counts: {} };

/** The newer of two: what comes late does not set the bars back. */
export function newerStanding(known: Standing, value: unknown): Standing {
  if (typeof value !== "object" || value === null) return known;
  const { version, counts } = value as { version?: unknown; counts?: unknown };
  if (typeof version !== "number" || typeof counts !== "object" || counts === null) return known;
  return version > known.version ? { version, counts: counts as Standing["counts"] } : known;
}

/** Whole per cent; 0 while nobody has voted. */
export function shareOf({ counts }: Standing, option: string): number {
  const total = totalOf({ version: 0, counts });
  return total === 0 ? 0 : Math.round((100 * (counts[option] ?? 0)) / total);
}

export function totalOf({ counts }: Standing): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
