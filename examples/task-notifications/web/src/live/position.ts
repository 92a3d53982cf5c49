/** Where an item stands in a topic's log: `page` is the log's incarnation, `sequence` counts from 1 in it, 0 stands before its first item. */
export interface Position {
  readonly page: number;
  readonly sequence: number;
}

/** Negative, 0 or positive, as `Array.prototype.sort` wants it. */
export function comparePositions(a: Position, b: Position): number {
  return a.page - b.page || a.sequence - b.sequence;
}

/** Todoku's form, `<page>-<sequence>`. */
export function formatPosition({ page, sequence }: Position): string {
  return `${page}-${sequence}`;
}

/** Reads `<page>-<sequence>`; undefined when `value` is anything else. */
export function parsePosition(value: unknown): Position | undefined {
  const match = typeof value === "string" ? /^(\d{1,16})-(\d{1,16})$/.exec(value) : null;
  return match ? { page: Number(match[1]), sequence: Number(match[2]) } : undefined;
}
