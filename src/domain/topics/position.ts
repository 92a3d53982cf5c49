/**
 * Where an item stands in a topic's log. Positions compare by page first.
 * `page`: the topic's incarnation, >= 1, grows. `sequence`: >= 1 for an item, no gaps in a page; 0 means "before the first".
 * Both stay below 2^53.
 */
export interface Position {
  readonly page: number;
  readonly sequence: number;
}

/** Negative, 0 or positive, as `Array.prototype.sort` wants it. */
export function comparePositions(a: Position, b: Position): number {
  return a.page - b.page || a.sequence - b.sequence;
}

/** The public form `<page>-<sequence>`. */
export function formatPosition(position: Position): string {
  return `${position.page}-${position.sequence}`;
}

/** Reads `<page>-<sequence>`; undefined when `text` is anything else. */
export function parsePosition(text: string): Position | undefined {
  const match = /^(\d{1,16})-(\d{1,16})$/.exec(text);
  if (!match) return undefined;
  const page = Number(match[1]);
  const sequence = Number(match[2]);
  return Number.isSafeInteger(page) && Number.isSafeInteger(sequence) ? { page, sequence } : undefined;
}
