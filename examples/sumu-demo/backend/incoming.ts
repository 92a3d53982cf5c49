import { z } from "zod";

/** A message that came by the topic or the queue, with what only Todoku can have written on it. */
export interface Incoming {
  /** The same each time that it comes. */
  readonly id: string;
  readonly body: unknown;
  /** Of the user who sent it, or whose presence changed. Whatever the body says. */
  readonly userId: string;
  readonly source: string;
  /** When it was sent, in milliseconds. */
  readonly timestampMs: number;
}

const attributesSchema = z.object({
  user_id: z.object({ value: z.string().min(1) }),
  source: z.object({ value: z.string() }),
  timestamp: z.object({ value: z.string().transform(Number).pipe(z.number()) }),
});

/** Undefined when it is none of a user or of presence: somebody with a key has published it, or it is no JSON. */
export function parseIncoming(id: string, text: string | undefined, attributes: unknown): Incoming | undefined {
  const checked = attributesSchema.safeParse(attributes);
  if (!checked.success || text === undefined) return undefined;
  const { user_id, source, timestamp } = checked.data;
  try {
    const body: unknown = JSON.parse(text);
    return { id, body, userId: user_id.value, source: source.value, timestampMs: timestamp.value };
  } catch {
    return undefined;
  }
}
