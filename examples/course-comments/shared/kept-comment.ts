import { z } from "zod";

const keptCommentSchema = z.object({
  /** Of what the user wrote: the same however often it was delivered, or published again. */
  id: z.string(),
  userId: z.string(),
  /** What the user was called then. */
  name: z.string(),
  comment: z.string(),
  /** When it was published, by Todoku's clock. */
  atMs: z.number(),
});

/** A comment as it is kept in the list of its course. */
export type KeptComment = z.output<typeof keptCommentSchema>;

/** Undefined when somebody else has written into the list. */
export function parseComment(text: string): KeptComment | undefined {
  try {
    return keptCommentSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
