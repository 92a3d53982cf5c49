import { setTimeout as sleep } from "node:timers/promises";
import middy from "@middy/core";
import { publish } from "../lib/momento.mjs";
import { momentoApiKey } from "../lib/parameters.mjs";

/** Stands for the work that a task is. */
const workMs = Number(process.env.WORK_MS ?? 5000);

async function processTask({ body }, apiKey) {
  const task = JSON.parse(body);
  const payload = JSON.parse(task.payload);
  await sleep(workMs);
  await publish(apiKey, task.userId, `Finished task: ${payload.data}`);
}

/** Tasks from the queue, side by side; what failed is named, so that it alone comes again. */
async function processTasks(event, context) {
  const results = await Promise.allSettled(event.Records.map((record) => processTask(record, context.MOMENTO_API_KEY)));
  const batchItemFailures = [];
  for (const [n, { status, reason }] of results.entries()) {
    if (status === "fulfilled") continue;
    console.error(`task ${event.Records[n].messageId} failed:`, reason);
    batchItemFailures.push({ itemIdentifier: event.Records[n].messageId });
  }
  return { batchItemFailures };
}

export const handler = middy(processTasks).use(momentoApiKey());
