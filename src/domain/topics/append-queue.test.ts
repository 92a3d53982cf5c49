import { expect, it } from "vitest";
import { AppendQueue } from "./append-queue.ts";
import type { NewItem } from "./store.ts";

const item: NewItem = {
  key: { cache: { environment: "dev", cache: "c", cacheId: 1 }, topic: "t" },
  value: { isText: true, bytes: Buffer.from("x") },
  attributes: undefined,
  tokenId: "",
  publishedAtMs: 0,
  messageId: undefined,
};
const position = { page: 1, sequence: 1 };

/** How many items each commit has: one item, one more that comes while that is committed, and one in the turn after its fan-out. */
async function batchesBehind(delivered: number): Promise<number[]> {
  const sizes: number[] = [];
  const queue = new AppendQueue(
    {
      async append(batch) {
        sizes.push(batch.length);
        if (sizes.length === 1) published.push(publish());
        return batch.map(() => ({ position, isRepeat: false }));
      },
    },
    (batch) => {
      for (const { resolve } of batch) resolve({ position, isRepeat: false });
      if (sizes.length === 1) setImmediate(() => published.push(publish()));
      return delivered;
    },
  );
  const publish = () => new Promise((resolve, reject) => queue.push({ item, resolve, reject }));
  const published = [publish()];
  for (let n = 0; n < 3; n++) {
    await published[n];
    await new Promise((resolve) => setImmediate(resolve));
  }
  return sizes;
}

it("commits what comes while a large fan-out is written as one batch", async () => {
  expect(await batchesBehind(500)).toEqual([1, 2]);
});

it("lets nothing wait behind a smaller one", async () => {
  expect(await batchesBehind(499)).toEqual([1, 1, 1]);
});
