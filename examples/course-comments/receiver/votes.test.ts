import fc from "fast-check";
import { expect, it } from "vitest";
import { KeptInMemory } from "../testing/kept.ts";
import { Turns } from "./turns.ts";
import { countVote } from "./votes.ts";

const options = ["morning", "noon", "evening"] as const;
const messages = fc.array(fc.record({ userId: fc.constantFrom("a", "b", "c"), option: fc.constantFrom(...options) }), {
  maxLength: 12,
});

it("counts the last vote of each user, in whatever order and however often the votes are delivered", async () => {
  const deliveries = messages.chain((published) =>
    fc.tuple(
      fc.constant(published),
      fc.shuffledSubarray([...published.keys(), ...published.keys()], { minLength: published.length }),
    ),
  );
  await fc.assert(
    fc.asyncProperty(deliveries, async ([published, order]) => {
      const kept = new KeptInMemory();
      const tools = { kept, teller: kept, turns: new Turns() };
      // All of them at least once, many of them twice, many at the same time.
      await Promise.all(
        [...order, ...published.keys()].map((index) => {
          const { userId, option } = published[index] ?? { userId: "", option: "noon" };
          const content = { pollId: "live-lesson", option } as const;
          return countVote(tools, { id: `${index}`, userId, content, atMs: 1000, sequence: index });
        }),
      );
      const last = new Map(published.map(({ userId, option }) => [userId, option]));
      const counts: Record<string, number> = {};
      for (const option of last.values()) counts[option] = (counts[option] ?? 0) + 1;
      expect(kept.told.at(-1)?.message.counts ?? {}).toEqual(counts);
    }),
    { numRuns: 60 },
  );
});
