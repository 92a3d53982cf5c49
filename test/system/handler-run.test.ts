// `todoku handler run` as a process, beside a server that is killed, and killed itself: what a developer does all day.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { captureProcess } from "../support/captured-logs.ts";
import { JsonApi } from "../support/json-api.ts";
import { type DevProcess, startDevProcess } from "../support/process.ts";
import { aDirectory } from "../support/server.ts";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const nodeHandler = `
import { spawn } from "node:child_process";
export async function handler({ Records: [{ body }] }) {
  console.log("got", body, process.pid);
  if (body === "spawn") console.log("child", spawn("sleep", ["600"]).pid);
  if (body === "hang") for (;;) {}
}
`;
/** As in the article: what came by a queue is answered by another. */
const pythonHandler = `
import boto3
sqs = boto3.client("sqs")
def handler(event, context):
    for record in event["Records"]:
        url = sqs.get_queue_url(QueueName="answers")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=record["body"].upper())
        print("answered", record["body"])
        try:
            sqs.send_message(QueueUrl=url.replace("answers", "other"), MessageBody="x")
        except Exception as error:
            print("refused", error.response["Error"]["Code"])
`;

/** Processes of a busy machine take their time. */
const patience = { timeout: 20_000 };

interface Run {
  readonly child: ChildProcess;
  /** Resolves with the first match in what it has printed, or prints. */
  printed(pattern: RegExp): Promise<RegExpMatchArray>;
  readonly ended: Promise<[number | null, NodeJS.Signals | null]>;
}

let directory: Awaited<ReturnType<typeof aDirectory>>;
let server: DevProcess;
let api: JsonApi;
const running: Run[] = [];
/** Of each test its own: a handler that was killed is known for a while yet. */
let name = "";
beforeAll(async () => {
  directory = await aDirectory();
  await writeFile(join(directory.path, "server.mjs"), nodeHandler);
  await writeFile(join(directory.path, "server.py"), pythonHandler);
  await startServer(0);
  for (const queue of ["answers", "other"]) await api.post("/v1/queues", { name: queue });
});
let tests = 0;
beforeEach(async () => {
  name = `h${++tests}`;
  await api.post("/v1/queues", { name });
});
afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill("SIGKILL");
    await ended;
  }
});
afterAll(async () => {
  await server.end("SIGKILL");
  await directory[Symbol.asyncDispose]();
});

async function startServer(port: number): Promise<void> {
  server = await startDevProcess(["--port", String(port), "--data-dir", join(directory.path, "data")]);
  api = new JsonApi(server.port);
}

/** `todoku handler run`, of a queue of the same name, with what else is given; resolves when it is attached. */
async function runHandler(...args: string[]): Promise<Run> {
  const words = ["handler", "run", name, "--queue", name, ...args];
  const child = spawn(process.execPath, [main, ...words], {
    ...{ cwd: directory.path, stdio: ["ignore", "pipe", "pipe"] },
    env: { ...process.env, TODOKU_URL: `http://127.0.0.1:${server.port}` },
  });
  captureProcess(child, words);
  let [text, wake] = ["", () => {}];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      text += chunk;
      wake();
    });
  }
  const run: Run = {
    ...{ child, ended: once(child, "exit") as Run["ended"] },
    async printed(pattern) {
      for (;;) {
        const match = text.match(pattern);
        if (match) return match;
        const more = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await Promise.race([more, run.ended.then(() => Promise.reject(new Error(`it has ended: ${text}`)))]);
      }
    },
  };
  running.push(run);
  await run.printed(/handler h\d is attached/);
  return run;
}
const send = (body: string) => api.post(`/v1/queues/${name}/send`, { body });
const keys = async () =>
  ((await api.get("/v1/keys")).keys as { name: string }[])
    .map((key) => key.name)
    .filter((keyName) => keyName.startsWith(`handler/${name}/`));
/** Of those that are no zombies. */
function isAlive(pid: string | undefined): boolean {
  const rows = execFileSync("ps", ["-e", "-o", "pid=,stat="], { encoding: "utf8" }).split("\n");
  return rows.some((row) => row.trim().split(/\s+/)[0] === pid && !row.includes("Z"));
}

describe("todoku handler run", () => {
  it("feeds a queue to a function of Python with boto3, which may do what was granted and nothing else", async () => {
    const grant = { Effect: "Allow", Action: "sqs:SendMessage", Resource: "arn:aws:sqs:*:*:answers" };
    const run = await runHandler("--grant", JSON.stringify(grant), "--", "python:server.handler");
    await send("hello");
    await run.printed(/answered hello\nrefused AccessDenied/);
    const received = await api.post("/v1/queues/answers/receive", { waitSeconds: 5 });
    expect(received.messages).toMatchObject([{ body: "HELLO" }]);
    await expect
      .poll(async () => (await api.get(`/v1/queues/${name}`)).messages, patience)
      .toMatchObject({ ready: 0, inFlight: 0 });
  });

  it("ends with Ctrl-C: its processes, the handler and its key", async () => {
    const run = await runHandler("--", "node:./server.handler");
    await send("spawn");
    const [, pid] = await run.printed(/got spawn (\d+)/);
    const [, child] = await run.printed(/child (\d+)/);
    expect(await keys()).toHaveLength(1);
    run.child.kill("SIGINT");
    expect(await run.ended).toEqual([0, null]);
    expect([pid, child].map(isAlive)).toEqual([false, false]);
    expect(await keys()).toEqual([]);
    expect(await api.status("GET", `/v1/handlers/${name}`)).toBe(404);
  });

  it("that is killed leaves no process behind, not even one that hangs and what that has started", async () => {
    const run = await runHandler("--timeout", "60s", "--", "node:./server.handler");
    await send("spawn");
    const [, child] = await run.printed(/child (\d+)/);
    await send("hang");
    const [, pid] = await run.printed(/got hang (\d+)/);
    expect([pid, child].map(isAlive)).toEqual([true, true]);
    run.child.kill("SIGKILL");
    await run.ended;
    await expect.poll(() => [pid, child].map(isAlive), patience).toEqual([false, false]);
  });

  it("goes on with another key when the server was killed and is back", async () => {
    const run = await runHandler("--", "node:./server.handler");
    const [before] = await keys();
    const { port } = server;
    await server.end("SIGKILL");
    await run.printed(/connection lost: cannot reach/);
    await startServer(port);
    await run.printed(/is attached[\s\S]*is attached/);
    await send("again");
    await run.printed(/got again/);
    const after = await keys();
    expect(after).toHaveLength(1);
    expect(after).not.toContain(before);
  });
});
