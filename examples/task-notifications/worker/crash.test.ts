// What is killed here are processes, at the worst moment: while a task is worked on.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { type DevProcess, startDevProcess } from "../../../test/support/process.ts";
import { aDirectory } from "../../../test/support/server.ts";
import { anyAnswer } from "../shared/todoku.ts";
import { aTodoku, type SetUpTodoku } from "../testing/application.ts";
import { aUser, type TestUser } from "../testing/user.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

const main = fileURLToPath(new URL("main.ts", import.meta.url));
let directory: Awaited<ReturnType<typeof aDirectory>>;
let server: DevProcess;
let todoku: SetUpTodoku;
let alice: TestUser;
const workers: ChildProcess[] = [];

beforeAll(async () => {
  directory = await aDirectory();
  server = await startDevProcess(["--port", "0", "--data-dir", directory.path]);
  todoku = await aTodoku(`http://127.0.0.1:${server.port}`);
  alice = await aUser(todoku, "alice");
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => end(worker, "SIGKILL")));
});
afterAll(async () => {
  alice[Symbol.dispose]();
  await server.end("SIGKILL");
  await todoku[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

/** A worker as a process. */
function work(taskMs: number): ChildProcess {
  const env = { TODOKU_URL: todoku.url, STATE_DIR: todoku.stateDir, LOG_LEVEL: "silent" };
  const worker = spawn(process.execPath, [main], {
    env: { ...process.env, ...env, TASK_MS: String(taskMs), VISIBILITY_SECONDS: "2", DRAIN_MS: "0" },
    stdio: "ignore",
  });
  workers.push(worker);
  return worker;
}
async function end(worker: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const exited = once(worker, "exit");
  worker.kill(signal);
  await exited;
}

it("a task whose worker is killed is done by the next one", async () => {
  await alice.queue("paint");
  const first = work(60_000);
  await alice.waitFor("paint", "working");
  await end(first, "SIGKILL");
  work(10);
  expect(await alice.waitFor("paint", "done")).toMatchObject({ attempt: 2 });
});

it("a task goes on while Todoku is killed and started again, and new ones follow", async () => {
  await alice.queue("write");
  const worker = work(3000);
  await alice.waitFor("write", "working");
  await server.end("SIGKILL");
  server = await startDevProcess(["--port", String(todoku.port), "--data-dir", directory.path]);
  expect(await alice.waitFor("write", "done", 40_000)).toBeDefined();
  await alice.queue("next");
  await alice.waitFor("next", "done", 40_000);
  expect(worker.exitCode).toBeNull();
});

it("the user of a task that kills its workers is told in the end", async () => {
  const deadLetter = { queue: todoku.names.deadLetterQueue, maxReceives: 1 };
  await todoku.admin.call("PATCH", `/v1/queues/${todoku.names.taskQueue}`, { deadLetter }, anyAnswer);
  await alice.queue("poison");
  const victim = work(60_000);
  await alice.waitFor("poison", "working");
  await end(victim, "SIGKILL");
  work(10);
  expect(await alice.waitFor("poison", "failed")).toMatchObject({ message: "Failed task: poison", attempt: 1 });
});
