// What is killed here are processes, with kill -9, while comments are on their way.
import { randomUUID } from "node:crypto";
import { CacheListFetch } from "@gomomento/sdk";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { localCredential, momentoClients, subscribe } from "../../../test/support/momento-node.ts";
import { type DevProcess, startDevProcess } from "../../../test/support/process.ts";
import { aDirectory } from "../../../test/support/server.ts";
import { parseComment } from "../shared/kept-comment.ts";
import { names } from "../shared/names.ts";
import { aSetUpTodoku, type SetUpTodoku } from "../testing/application.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 30_000 });

/** TEST_LONG kills both ten times instead of once. */
const rounds = process.env.TEST_LONG ? 10 : 1;
let directory: Awaited<ReturnType<typeof aDirectory>>;
let server: DevProcess;
let todoku: SetUpTodoku;

beforeAll(async () => {
  directory = await aDirectory();
  server = await startDevProcess(["--port", "0", "--data-dir", directory.path]);
  todoku = await aSetUpTodoku(`http://127.0.0.1:${server.port}`);
});
afterAll(async () => {
  await todoku?.[Symbol.asyncDispose]();
  await server?.end("SIGKILL");
  await directory?.[Symbol.asyncDispose]();
});

/** As the page does: when there is no answer it is published again, with the same key. */
async function comment(text: string): Promise<void> {
  const message = { courseId: "kanji", comment: text, key: randomUUID() };
  for (let tries = 1; ; tries++) {
    try {
      return await todoku.publish("alice", "comment", message);
    } catch (error) {
      if (tries === 600) throw error; // 30 s: two processes start meanwhile, on a machine that others use too
      await new Promise((resolve) => setTimeout(resolve, 50)); // the server is away
    }
  }
}

async function keptComments(): Promise<string[]> {
  using clients = momentoClients(localCredential(todoku.port));
  const answer = await clients.cache.listFetch(names.cache, "comments/kanji");
  if (!(answer instanceof CacheListFetch.Hit)) throw new Error(answer.toString());
  return answer.valueListString().map((text) => parseComment(text)?.comment ?? text);
}

it("no comment is lost and none is kept twice when receiver and server are killed while comments come", async () => {
  using clients = momentoClients(localCredential(todoku.port));
  const live = await subscribe(clients.topics, names.cache, "comments/kanji");
  const written: string[] = [];
  const write = async (count: number) => {
    for (let n = 0; n < count; n++) {
      written.push(`comment ${written.length}`);
      await comment(written.at(-1) ?? "");
    }
  };
  await write(20);
  await todoku.receiver.end("SIGKILL");
  await write(5);
  await todoku.startReceiver();
  const back = write(20);
  await live.waitFor(22);
  await server.end("SIGKILL");
  server = await startDevProcess(["--port", String(todoku.port), "--data-dir", directory.path]);
  await back;
  for (let round = 1; round <= rounds; round++) {
    const killed = write(20);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 100)); // the random moment is the test
    await Promise.all([todoku.receiver.end("SIGKILL"), server.end("SIGKILL")]);
    await todoku.startReceiver();
    server = await startDevProcess(["--port", String(todoku.port), "--data-dir", directory.path]);
    await killed;
  }
  await comment("the last one");
  written.push("the last one");

  const idsOf = () => new Set(live.items.map((item) => (JSON.parse(item.valueString()) as { id: string }).id));
  while (idsOf().size < written.length) await live.waitFor(live.items.length + 1, 30_000);
  live.subscription.unsubscribe();
  expect((await keptComments()).reverse()).toEqual(written);
});
