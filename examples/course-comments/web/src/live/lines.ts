/** Something that a user wrote, as a view shows it. */
export interface Line {
  /** The same however often it is told. */
  readonly id: string;
  readonly userId: string;
  readonly name: string;
  readonly text: string;
  /** What its author wrote, when that was in another language. */
  readonly original?: { readonly language: string; readonly text: string } | undefined;
  readonly atMs: number;
  /** Published, and the receiver has not told of it yet. */
  readonly isOnItsWay?: boolean;
}

/** Both, each line once, the newest first. What was told replaces what is on its way. */
export function mergeLines(known: readonly Line[], come: readonly Line[]): readonly Line[] {
  const byId = new Map(known.map((line) => [line.id, line]));
  for (const line of come) {
    const old = byId.get(line.id);
    if (!old || (old.isOnItsWay && !line.isOnItsWay)) byId.set(line.id, line);
  }
  return [...byId.values()].sort((a, b) => b.atMs - a.atMs || (a.id < b.id ? 1 : -1));
}

/** A comment or a line of the chat; undefined when it is anything else. */
export function parseLine(value: unknown): Line | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { id, userId, name, text, comment, original, atMs } = value as Record<string, unknown>;
  const said = text ?? comment;
  const isWhole = [id, userId, name, said].every((field) => typeof field === "string") && typeof atMs === "number";
  if (!isWhole) return undefined;
  return { id, userId, name, text: said, atMs, original: parseOriginal(original) } as Line;
}

function parseOriginal(value: unknown): Line["original"] {
  if (typeof value !== "object" || value === null) return undefined;
  const { language, text } = value as Record<string, unknown>;
  return typeof language === "string" && typeof text === "string" ? { language, text } : undefined;
}
