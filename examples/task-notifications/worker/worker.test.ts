import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { z } from "zod";
import { ownOf } from "../../../test/support/built-ins.ts";
import { TestMachine } from "../../../test/support/clock.ts";
import { aServer } from "../../../test/support/server.ts";
import { names } from "../shared/names.ts";
import { keyFileIn } from "../shared/settings.ts";
import { anyAnswer } from "../shared/todoku.ts";
import { aTodoku, type SetUpTodoku } from "../testing/application.ts";
import { aLog } from "../testing/log.ts";
import { aUser, send, type TestUser } from "../testing/user.ts";
import { receiptFor } from "./receipt.ts";
import { type RunningWorker, startWorker, type WorkerOptions } from "./start-worker.ts";

// A set-up starts a process.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

let todoku: SetUpTodoku;
let alice: TestUser;
/** As todoku.yaml says, the dead letters first. */
let queues: z.output<typeof queuesSchema>["queues"];
const workers: RunningWorker[] = [];

const queuesSchema = z.object({
  queues: z.array(
    z.object({
      ...{ name: z.string(), visibilitySeconds: z.number(), retentionSeconds: z.number() },
      deadLetter: z.object({ queue: z.string(), maxReceives: z.number() }).optional(),
    }),
  ),
});

beforeAll(async () => {
  todoku = await aTodoku();
  const listed = await todoku.admin.call("GET", "/v1/queues", undefined, queuesSchema);
  queues = ownOf(listed.queues).toReversed();
});
beforeEach(async () => {
  alice = await aUser(todoku, "alice");
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.close()));
  alice[Symbol.dispose]();
  await makeQueuesAnew();
  await rm(cursorFile(), { force: true });
});
afterAll(() => todoku[Symbol.asyncDispose]());

/** Empty, with their first settings, and without a memory of the ids of messages. */
async function makeQueuesAnew(): Promise<void> {
  const { admin } = todoku;
  for (const { name } of queues.toReversed()) await admin.call("DELETE", `/v1/queues/${name}`, undefined, anyAnswer);
  for (const queue of queues) await admin.call("POST", "/v1/queues", queue, anyAnswer);
}

const cursorFile = ({ stateDir } = todoku) => join(stateDir, "dead-letters.json");
function work(overrides: Partial<WorkerOptions> = {}, { log } = aLog(), at = todoku): RunningWorker {
  const worker = startWorker(
    {
      ...{ todokuUrl: at.url, keyFile: keyFileIn(at.stateDir, "worker") },
      ...{ cursorFile: cursorFile(at), concurrency: 8, taskMs: 10, drainMs: 0, deadLetterPollMs: 20, ...overrides },
    },
    log,
  );
  workers.push(worker);
  return worker;
}

const countsSchema = z.object({ messages: z.object({ ready: z.number(), delayed: z.number(), inFlight: z.number() }) });
const receiptKey = async () => {
  const path = `/v1/secrets/${names.receiptSecret}`;
  return (await todoku.admin.call("GET", path, undefined, z.object({ value: z.string() }))).value;
};
const counts = async (queue: string = names.taskQueue, { admin } = todoku) =>
  (await admin.call("GET", `/v1/queues/${queue}`, undefined, countsSchema)).messages;
/** How long it is until the first task can be received. */
const readyInMs = async ({ admin }: SetUpTodoku, { wallMs }: TestMachine) => {
  const messages = z.object({ messages: z.array(z.object({ readyAtMs: z.number() })) });
  const [first] = (await admin.call("POST", `/v1/queues/${names.taskQueue}/peek`, {}, messages)).messages;
  return (first?.readyAtMs ?? 0) - wallMs();
};
const empty = { ready: 0, delayed: 0, inFlight: 0 };
const maxReceives = (count: number) =>
  todoku.admin.call(
    "PATCH",
    `/v1/queues/${todoku.names.taskQueue}`,
    { deadLetter: { queue: todoku.names.deadLetterQueue, maxReceives: count } },
    anyAnswer,
  );
const outline = (user = alice) =>
  user.notifications.map(({ taskId, status, attempt }) => `${taskId} ${status} ${attempt}`);

it("tells that a task begins and that it is done, and takes it out of the queue", async () => {
  const worker = work();
  await alice.queue("paint");
  expect(await alice.waitFor("paint", "done")).toEqual({
    ...{ type: "task", taskId: "paint", status: "done", data: "paint", message: "Finished task: paint", attempt: 1 },
    receipt: receiptFor({ userId: "alice", taskId: "paint" }, await receiptKey()),
    at: expect.stringMatching(/^20\d\d-.*Z$/),
  });
  expect(outline()).toEqual(["paint working 1", "paint done 1"]);
  await worker.close();
  expect(await counts()).toEqual(empty);
});

it("works on as many tasks as it has hands, and leaves the others in the queue", async () => {
  const names = ["a", "b", "c", "d", "e", "f"];
  for (const name of names) await alice.queue(name);
  work({ concurrency: 3, taskMs: 500 });
  await Promise.all(["a", "b", "c"].map((name) => alice.waitFor(name, "working")));
  expect(await counts()).toEqual({ ready: 3, delayed: 0, inFlight: 3 });
  await Promise.all(names.map((name) => alice.waitFor(name, "done")));
  let [running, most] = [0, 0];
  for (const { status } of alice.notifications) {
    running += status === "working" ? 1 : -1;
    most = Math.max(most, running);
  }
  expect(most).toBe(3);
});

it("keeps a task that takes longer than its visibility, though another worker is waiting for it", async () => {
  await alice.queue("long");
  work({ visibilitySeconds: 1, taskMs: 2500 });
  await alice.waitFor("long", "working");
  work({ visibilitySeconds: 1, taskMs: 10 });
  await alice.waitFor("long", "done");
  expect(outline()).toEqual(["long working 1", "long done 1"]);
});

it("tries what fails five times, after 1, 2, 4 and 8 s, and tells its user once, and none of the others hears of it", async () => {
  const machine = new TestMachine();
  await using server = await aServer({}, { machineClocks: machine });
  await using own = await aTodoku(server.url);
  using bob = await aUser(own, "bob");
  const names = ["a", "b", "c", "d", "fail", "e", "f", "g", "h", "i"];
  for (const name of names) await bob.queue(name);
  const log = aLog();
  const worker = work({}, log, own);
  for (const name of names.filter((name) => name !== "fail")) {
    expect(await bob.waitFor(name, "done")).toMatchObject({ attempt: 1 });
  }
  for (const [i, pauseSeconds] of [1, 2, 4, 8].entries()) {
    await log.logged("task failed", i + 1);
    // The worker logs it, then hides the message for the pause instead of its 30 s of visibility.
    while ((await readyInMs(own, machine)) > 8000) await new Promise(setImmediate);
    expect(await readyInMs(own, machine)).toBe(pauseSeconds * 1000);
    machine.pass(pauseSeconds * 1000);
  }
  expect(await bob.waitFor("fail", "failed")).toMatchObject({ message: "Failed task: fail", attempt: 5 });
  expect(outline(bob).filter((line) => line.startsWith("fail"))).toEqual(["fail working 1", "fail failed 5"]);
  expect(await counts(own.names.taskQueue, own)).toEqual(empty);
  expect(await counts(own.names.deadLetterQueue, own)).toEqual({ ...empty, ready: 1 });
  await worker.close();
});

it("lets die what is no task of ours, without telling anybody", async () => {
  await maxReceives(2);
  const log = aLog();
  await send(todoku, "not JSON", "m1");
  await send(todoku, JSON.stringify({ userId: "alice", payload: null }), "m2");
  work({}, log);
  await alice.queue("fail");
  await alice.waitFor("fail", "failed");
  expect(await counts(todoku.names.deadLetterQueue)).toEqual({ ...empty, ready: 3 });
  expect(outline()).toEqual(["fail working 1", "fail failed 2"]);
  expect(log.lines.filter((line) => line.includes("nobody to tell"))).toHaveLength(2);
});

it("tells of each dead letter once, over restarts, and again when it was redriven and died again", async () => {
  await maxReceives(1);
  await alice.queue("fail 1");
  const first = work();
  await alice.waitFor("fail 1", "failed");
  await first.close();
  expect(JSON.parse(await readFile(cursorFile(), "utf8"))).toMatchObject({ after: 1 });
  work();
  await alice.queue("fail 2");
  await alice.waitFor("fail 2", "failed");
  const failures = () => outline().filter((line) => line.includes("failed"));
  expect(failures()).toEqual(["fail 1 failed 1", "fail 2 failed 1"]);
  await todoku.admin.call("POST", `/v1/queues/${todoku.names.deadLetterQueue}/redrive`, {}, anyAnswer);
  await alice.queue("fail 3");
  await alice.waitFor("fail 3", "failed");
  while (failures().length < 5) await alice.next();
  expect(failures().sort()).toEqual(
    ["fail 1 failed 1", "fail 1 failed 1", "fail 2 failed 1", "fail 2 failed 1", "fail 3 failed 1"].sort(),
  );
});

it("goes on telling after the dead letters were purged, when they count from 1 again", async () => {
  await maxReceives(1);
  work();
  for (const name of ["fail 1", "fail 2"]) await alice.queue(name);
  await Promise.all(["fail 1", "fail 2"].map((name) => alice.waitFor(name, "failed")));
  await todoku.admin.call("POST", `/v1/queues/${todoku.names.deadLetterQueue}/purge`, undefined, anyAnswer);
  await alice.queue("fail 3");
  await alice.waitFor("fail 3", "failed");
  expect(outline().filter((line) => line.includes("failed"))).toHaveLength(3);
});

it("tells of all that died while no worker looked, though the dead letters were purged and count from 1 again", async () => {
  await maxReceives(1);
  const first = work();
  await alice.queue("fail 1");
  await alice.waitFor("fail 1", "failed");
  await first.close();
  const { admin, names } = todoku;
  await admin.call("POST", `/v1/queues/${names.deadLetterQueue}/purge`, undefined, anyAnswer);
  for (const taskId of ["fail 2", "fail 3"]) {
    const body = JSON.stringify({ userId: "alice", taskId, data: taskId, queuedAtMs: 0 });
    await admin.call("POST", `/v1/queues/${names.deadLetterQueue}/send`, { body }, anyAnswer);
  }
  work();
  await alice.waitFor("fail 3", "failed");
  expect(outline().filter((line) => line.includes("failed"))).toEqual([1, 2, 3].map((n) => `fail ${n} failed 1`));
});

it("is not held up by a dead letter that is too long to be told of", async () => {
  await maxReceives(1);
  work();
  const task = { userId: "alice", data: "fail", queuedAtMs: 0 };
  const room = 256 * 1024 - JSON.stringify({ ...task, taskId: "" }).length;
  await send(todoku, JSON.stringify({ ...task, taskId: "t".repeat(room) }), "long");
  await alice.queue("fail after it");
  await alice.waitFor("fail after it", "failed");
});

it("gives back what it holds when it ends, and the next one does it at once", async () => {
  await alice.queue("paint");
  const first = work({ taskMs: 60_000 });
  await alice.waitFor("paint", "working");
  await first.close();
  expect(await counts()).toEqual({ ...empty, ready: 1 });
  work();
  expect(await alice.waitFor("paint", "done")).toMatchObject({ attempt: 2 });
  expect(outline()).toEqual(["paint working 1", "paint done 2"]);
});

it("ends what it has begun when it is given the time", async () => {
  await alice.queue("paint");
  const worker = work({ taskMs: 300, drainMs: 20_000 });
  await alice.waitFor("paint", "working");
  await worker.close();
  expect(await alice.waitFor("paint", "done")).toMatchObject({ attempt: 1 });
  expect(await counts()).toEqual(empty);
});

it("deletes nothing of which it could not tell its user", async () => {
  await alice.queue("paint");
  const log = aLog();
  await todoku.admin.call("DELETE", `/v1/caches/${todoku.names.cache}`, undefined, anyAnswer);
  work({}, log);
  await log.logged("task failed");
  await todoku.admin.call("POST", "/v1/caches", { name: todoku.names.cache }, anyAnswer);
  using listener = await aUser(todoku, "alice");
  expect((await listener.waitFor("paint", "done")).attempt).toBeGreaterThan(1);
});

it("logs no text of a task", async () => {
  const log = aLog();
  work({}, log);
  const id = { userId: "alice", queuedAtMs: 0 };
  await send(todoku, JSON.stringify({ ...id, taskId: "t1", data: "a secret that will fail" }), "t1");
  await send(todoku, JSON.stringify({ ...id, taskId: "t2", data: "a secret that will not" }), "t2");
  await alice.waitFor("t2", "done");
  await Promise.all(workers.splice(0).map((worker) => worker.close()));
  expect(log.lines.join("")).toContain('"messageId":"t2"');
  expect(log.lines.join("")).toContain('"messageId":"t1"');
  expect(log.lines.join("")).not.toContain("secret");
});
