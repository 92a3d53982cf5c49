// A process that publishes numbers to a topic, whose even ones go to a queue, until it is killed. It goes on from what is stored, and writes
// how many it has published to stdout. Argument: the data directory.
import { openTopicToQueue } from "./topic-to-queue.ts";

const [dataDir = ""] = process.argv.slice(2);
const parts = await openTopicToQueue(dataDir);
let last = (await parts.published()).at(-1) ?? 0;
for (;;) {
  await parts.publish(Array.from({ length: 20 }, (_, n) => last + n + 1));
  last += 20;
  process.stdout.write(`${last}\n`);
}
