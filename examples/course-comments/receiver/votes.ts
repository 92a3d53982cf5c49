import type { z } from "zod";
import { type Ballots, countBallots, parseBallots, type Vote } from "../shared/ballots.ts";
import type { messages } from "../shared/messages.ts";
import { countsOf } from "../shared/names.ts";
import type { Kept, Teller, UserMessage } from "./ports.ts";
import type { Turns } from "./turns.ts";

/** An item of a cache has at most 5 MB. */
const votersMax = 20_000;

/**
 * Counts a vote, one for each user: the one that was published last. Neither a second delivery nor one that comes late (a dead letter that is
 * replayed) changes what came after it.
 */
export async function countVote(
  { kept, teller, turns }: { kept: Kept; teller: Teller; turns: Turns },
  { userId, content, atMs, sequence }: UserMessage<z.output<typeof messages.vote>>,
): Promise<void> {
  const poll = countsOf(content.pollId);
  const vote: Vote = { option: content.option, atMs, sequence };
  await turns.take(poll, async () => {
    const before = parseBallots(await kept.get(poll));
    const after = cast(before, userId, vote);
    if (after !== before) await kept.set(poll, JSON.stringify(after));
    await teller.tell(poll, countBallots(after));
  });
}

function cast(ballots: Ballots, userId: string, vote: Vote): Ballots {
  const known = ballots.votes[userId];
  const isNewer = !known || vote.atMs > known.atMs || (vote.atMs === known.atMs && vote.sequence > known.sequence);
  const isFull = !known && Object.keys(ballots.votes).length >= votersMax;
  if (!isNewer || isFull) return ballots;
  return { version: ballots.version + 1, votes: { ...ballots.votes, [userId]: vote } };
}
