import { z } from "zod";
import type { Counts } from "./messages.ts";

const voteSchema = z.object({ option: z.string(), atMs: z.number(), sequence: z.number() });
const ballotsSchema = z.object({ version: z.number(), votes: z.record(z.string(), voteSchema) });
/** The order of two votes is that of their messages. */
export type Vote = z.output<typeof voteSchema>;
/** All votes of a poll, as they lie in the cache: one for each token id. */
export type Ballots = z.output<typeof ballotsSchema>;

/** None yet when `text` is undefined. */
export function parseBallots(text: string | undefined): Ballots {
  return text === undefined ? { version: 0, votes: {} } : ballotsSchema.parse(JSON.parse(text));
}

export function countBallots({ version, votes }: Ballots): Counts {
  const counts: Record<string, number> = {};
  for (const { option } of Object.values(votes)) counts[option] = (counts[option] ?? 0) + 1;
  return { version, counts };
}
