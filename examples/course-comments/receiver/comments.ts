import type { z } from "zod";
import { type KeptComment, parseComment } from "../shared/kept-comment.ts";
import type { messages } from "../shared/messages.ts";
import { commentsOf, unnamed } from "../shared/names.ts";
import type { Kept, Teller, UserMessage } from "./ports.ts";
import type { Turns } from "./turns.ts";

/** Of each course. Todoku delivers at most 256 again after it was killed: all of them are still in the list then. */
const commentsMax = 500;

/**
 * Keeps a comment in the list of its course, once, and tells the pages.
 *
 * The list itself says what was kept: a mark beside it could be written and the comment not, or the comment and not the mark. The pages are
 * told again with each delivery, because the one before may have died between the two; they pass over ids that they know.
 */
export async function keepComment(
  { kept, teller, turns }: { kept: Kept; teller: Teller; turns: Turns },
  { id, userId, content, atMs }: UserMessage<z.output<typeof messages.comment>>,
): Promise<void> {
  const list = commentsOf(content.courseId);
  const name = (await kept.nameOf(userId)) ?? unnamed;
  const comment: KeptComment = { id, userId, name, comment: content.comment, atMs };
  await turns.take(list, async () => {
    const isKept = (await kept.list(list)).some((text) => parseComment(text)?.id === id);
    if (!isKept) await kept.push(list, JSON.stringify(comment), commentsMax);
  });
  await teller.tell(list, comment);
}
