import { z } from "zod";
import { courses, languageCodes, poll, textMaxLength } from "./catalog.ts";

// What users publish. Whoever has a token may publish what they like: the receiver believes none of it before it is checked, and takes
// the user from the token id alone. Fields that are not named here are passed over, among them a `userId` or `token_id` of somebody else.

const text = z
  .string()
  .trim()
  .min(1)
  .max(textMaxLength)
  .refine((value) => value.isWellFormed(), "must be well-formed Unicode");

/** Chosen by the page for what its user wrote: when no answer came to a publish it is published again with the same key, and kept once. */
const key = z.uuid().optional();

const courseIds = courses.map(({ id }) => id);
const optionIds = poll.options.map(({ id }) => id);

export const messages = {
  /** As in the article; there the course's id is a number. */
  comment: z.object({ courseId: z.coerce.string().pipe(z.enum(courseIds)), comment: text, key }),
  vote: z.object({ pollId: z.literal(poll.id), option: z.enum(optionIds) }),
  chat: z.object({ language: z.enum(languageCodes), text, key }),
};

/** How a poll stands. */
export interface Counts {
  /** Goes up with each change: of two the greater one is newer. */
  readonly version: number;
  /** By option. */
  readonly counts: Readonly<Record<string, number>>;
}

/** A line of the chat, in the language of its room. */
export interface ChatLine {
  readonly id: string;
  readonly userId: string;
  readonly name: string;
  readonly text: string;
  /** What its author wrote, when that was in another language. */
  readonly original?: { readonly language: string; readonly text: string };
  readonly atMs: number;
}
