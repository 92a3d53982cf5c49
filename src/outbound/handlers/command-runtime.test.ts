import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { HandlerDefinition } from "../../domain/handlers/handler.ts";
import type { HandlerLogLine } from "../../domain/handlers/logs.ts";
import type { RunningHandler } from "../../domain/handlers/runtime.ts";
import { limits } from "../../domain/limits.ts";
import { createCommandRuntime } from "./command-runtime.ts";

const nodeHandler = `
import { spawn } from "node:child_process";
let calls = 0;
export async function handler(event, context) {
  calls++;
  if (event.print) console.log(event.print);
  if (event.throw) throw new TypeError(event.throw);
  if (event.throwText) throw event.throwText;
  if (event.throwNamed) throw Object.assign(new Error("no"), { name: event.throwNamed });
  if (event.leave) return spawn("sh", ["-c", "while echo x; do sleep 0.05; done"], { detached: true, stdio: ["ignore", "inherit", "ignore"] }).pid;
  if (event.exit !== undefined) process.exit(event.exit);
  if (event.hang) for (;;) {}
  if (event.forget) await new Promise(() => {});
  if (event.later) { setTimeout(() => { throw new RangeError("later"); }, 1); await new Promise((done) => setTimeout(done, 10_000)); }
  if (event.crashAfter) setTimeout(() => process.exit(1), 1);
  if (event.spawn) return spawn("sleep", ["600"]).pid;
  if (event.env) return process.env;
  if (event.large) return "x".repeat(event.large);
  if (event.cycle) { const a = {}; a.a = a; return a; }
  if (event.none) return;
  return { calls, pid: process.pid, remaining: context.getRemainingTimeInMillis(), ...context };
}
export const callback = (event, context, done) => void setTimeout(() => event.fail ? done(new Error("no")) : done(null, { event }), 1);
export const silent = (event, context, done) => {};
export const sync = (event) => event.a * 2;
export const inner = { deep: () => "deep" };
export const broken = 1;
`;
const pythonHandler = `
import decimal, os, subprocess, sys
calls = 0
def handler(event, context):
    global calls
    calls += 1
    if "print" in event: print(event["print"])
    if "throw" in event: raise KeyError(event["throw"])
    if "throwNamed" in event: raise type(event["throwNamed"], (Exception,), {})("no")
    if "exit" in event: sys.exit(event["exit"])
    if "hang" in event:
        while True: pass
    if "spawn" in event: return subprocess.Popen(["sleep", "600"]).pid
    if "env" in event: return dict(os.environ)
    if "none" in event: return None
    if "bytes" in event: return b"x"
    return {"calls": calls, "pid": os.getpid(), "remaining": context.get_remaining_time_in_millis(), "awsRequestId": context.aws_request_id,
            "functionName": context.function_name, "invokedFunctionArn": context.invoked_function_arn, "memoryLimitInMB": context.memory_limit_in_mb,
            "number": decimal.Decimal("1.5")}
`;
/** Any runtime client: it reads host and port, and answers what it was given. */
const foreignClient = `
import http from "node:http";
const call = (method, path, body) => new Promise((done, fail) => http.request("http://" + process.env.AWS_LAMBDA_RUNTIME_API + "/2018-06-01/runtime/invocation/" + path, { method }, (response) => {
  let text = "";
  response.on("data", (chunk) => { text += chunk; }).on("end", () => done({ text, id: response.headers["lambda-runtime-aws-request-id"] }));
}).on("error", () => process.exit()).end(body));
for (;;) {
  const { text, id } = await call("GET", "next");
  await call("POST", id + "/response", JSON.stringify({ echo: JSON.parse(text), handler: process.env._HANDLER, argument: process.argv[2] }));
}
`;

let directory: string;
let lines: HandlerLogLine[];
const running: RunningHandler[] = [];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "todoku-handlers-"));
  await writeFile(join(directory, "server.mjs"), nodeHandler);
  await writeFile(join(directory, "legacy.cjs"), "exports.handler = async () => __filename.slice(-10);");
  await writeFile(
    join(directory, "typed.ts"),
    "export const handler = async (event: { a: number }): Promise<number> => event.a;",
  );
  await writeFile(join(directory, "server.py"), pythonHandler);
  await writeFile(join(directory, "foreign.mjs"), foreignClient);
});
afterAll(() => rm(directory, { recursive: true }));
beforeEach(() => {
  lines = [];
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

/** Processes of a busy machine take their time. */
const patience = { timeout: 10_000 };
const credentials = {
  ...{ keyId: "dev-1", apiKey: "tdk_dev-1_hush-hush", accessKeyId: "dev-1", secretAccessKey: "hush-hush-access" },
};
const runtime = createCommandRuntime({
  url: () => "http://127.0.0.1:8080",
  wallMs: Date.now,
  stopGraceMs: 100,
  env: { PATH: process.env.PATH, HOME: "/nowhere", TODOKU_MASTER_KEY: "never", NODE_OPTIONS: "--never" },
});
async function start(
  command: readonly string[],
  { variables = {}, ...changes }: Partial<HandlerDefinition> = {},
): Promise<RunningHandler> {
  const definition: HandlerDefinition = {
    ...{ environment: "dev", name: "h", sources: [], timeoutMs: 5000, concurrency: 1, grants: [], secrets: {} },
    ...{ variables, functionUrl: undefined, run: { kind: "command", command, directory }, ...changes },
  };
  const one = await runtime.start(definition, {
    ...{ credentials, environmentVariables: variables, log: (line) => lines.push(line) },
  });
  running.push(one);
  return one;
}
let lastId = 0;
function invoke(one: RunningHandler, event: unknown, timeoutMs = 5000) {
  return one.invoke({
    ...{ id: `id-${++lastId}`, event: JSON.stringify(event), deadlineMs: Date.now() + timeoutMs, timeoutMs },
    functionArn: "arn:aws:lambda:us-east-1:000000000000:function:h",
  });
}
async function answerOf(one: RunningHandler, event: unknown, timeoutMs?: number): Promise<unknown> {
  const { kind, payload } = await invoke(one, event, timeoutMs);
  return kind === "success" ? JSON.parse(payload) : { failed: JSON.parse(payload) };
}
const failedWith = (errorType: string, errorMessage: string | RegExp) => ({
  failed: expect.objectContaining({ errorType, errorMessage: expect.stringMatching(errorMessage) }),
});
/** What has ended may wait for somebody to take note of it. */
const isAlive = (pid: number) => {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
};
const textsOf = (stream: HandlerLogLine["stream"]) =>
  lines.flatMap((line) => (line.stream === stream ? [line.text] : []));

describe.each([
  ["Node", "node:./server.handler"],
  ["Python", "python:server.handler"],
])("our bootstrap for %s", (language, command) => {
  let one: RunningHandler;
  beforeEach(async () => {
    one = await start([command]);
  });

  it("tells of errors whose names no header could carry", async () => {
    expect(await answerOf(one, { throwNamed: "検証エラー" })).toEqual(failedWith("検証エラー", "no"));
  });

  it("keeps its process from one invocation to the next, and tells the function of each", async () => {
    const first = await answerOf(one, {});
    expect(first).toMatchObject({
      ...{ calls: 1, functionName: "h", memoryLimitInMB: "1024", awsRequestId: `id-${lastId}` },
      invokedFunctionArn: "arn:aws:lambda:us-east-1:000000000000:function:h",
    });
    const { remaining } = first as { remaining: number };
    expect(remaining).toBeGreaterThan(0);
    expect(remaining).toBeLessThanOrEqual(5000);
    expect(await answerOf(one, {})).toMatchObject({ calls: 2, pid: (first as { pid: number }).pid });
  });

  it("answers null for nothing, and an error for what was thrown, with which it goes on", async () => {
    expect(await answerOf(one, { none: 1 })).toBeNull();
    const thrown = language === "Node" ? failedWith("TypeError", "^no$") : failedWith("KeyError", "^'no'$");
    expect(await answerOf(one, { throw: "no" })).toEqual(thrown);
    expect(await answerOf(one, {})).toMatchObject({ calls: 3 });
    await expect
      .poll(() => textsOf("stderr").join("\n"), patience)
      .toContain(language === "Node" ? "TypeError: no" : "KeyError: 'no'");
  });

  it("answers an error for a result that is no JSON", async () => {
    const event = language === "Node" ? { cycle: 1 } : { bytes: 1 };
    expect(await answerOf(one, event)).toEqual(failedWith("TypeError", /circular|JSON serializable/));
  });

  it("that exits is started again, and its invocation has failed", async () => {
    expect(await answerOf(one, { exit: 3 })).toEqual(
      failedWith("Runtime.ExitError", /^RequestId: id-\d+ Error: Runtime exited with error: exit status 3$/),
    );
    expect(await answerOf(one, {})).toMatchObject({ calls: 1 });
    expect(await answerOf(one, { exit: 0 })).toEqual(failedWith("Runtime.ExitError", /without providing a reason$/));
    expect(textsOf("system")[0]).toBe("the process has ended: exit status 3");
  });

  it("that hangs is killed when its time is over, with the processes that it has started", async () => {
    const child = (await answerOf(one, { spawn: 1 })) as number;
    expect(isAlive(child)).toBe(true);
    expect(await answerOf(one, { hang: 1 }, 300)).toEqual(
      failedWith("Sandbox.Timedout", /^RequestId: id-\d+ Error: Task timed out after 0.30 seconds$/),
    );
    await expect.poll(() => isAlive(child), patience).toBe(false);
    expect(await answerOf(one, {})).toMatchObject({ calls: 1 });
  });

  it("ends with all that it has started when it is stopped", async () => {
    const child = (await answerOf(one, { spawn: 1 })) as number;
    const { pid } = (await answerOf(one, {})) as { pid: number };
    await one.stop();
    expect(isAlive(pid)).toBe(false);
    await expect.poll(() => isAlive(child), patience).toBe(false);
    expect(await answerOf(one, {})).toEqual(failedWith("Runtime.Stopped", "stopping"));
  });

  it("has the environment of a handler, and nothing else of the server's", async () => {
    await one.stop();
    one = await start([command], { variables: { STAGE: "test", LANG: "C.UTF-8" } });
    const { PATH, AWS_LAMBDA_RUNTIME_API, ...env } = (await answerOf(one, { env: 1 })) as Record<string, string>;
    expect(PATH).toBe(process.env.PATH);
    expect(AWS_LAMBDA_RUNTIME_API).toMatch(/^127\.0\.0\.1:\d+\/[\da-f]{32}$/);
    delete env.LC_CTYPE; // Python's own, where the locale is C
    expect(env).toEqual({
      ...{ HOME: "/nowhere", LANG: "C.UTF-8", STAGE: "test", TODOKU_URL: "http://127.0.0.1:8080" },
      ...{ TODOKU_API_KEY: credentials.apiKey, AWS_ENDPOINT_URL: "http://127.0.0.1:8080" },
      ...{ AWS_ACCESS_KEY_ID: "dev-1", AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey },
      ...{ AWS_REGION: "us-east-1", AWS_DEFAULT_REGION: "us-east-1", AWS_LAMBDA_FUNCTION_NAME: "h" },
      ...{ AWS_LAMBDA_FUNCTION_VERSION: "$LATEST", AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "1024" },
      ...{ AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/h", AWS_LAMBDA_LOG_STREAM_NAME: "todoku" },
      ...{ _HANDLER: command.split(":")[1], LAMBDA_TASK_ROOT: directory },
    });
  });

  it("logs each line with its invocation, and neither its secrets nor its keys", async () => {
    await one.stop();
    const variables = { DB_PASSWORD: "correct-horse", STAGE: "battery-staple" };
    one = await start([command], { variables, secrets: { DB_PASSWORD: "db" } });
    lines = [];
    const print = `\u001b[31mcorrect-horse\u001b[0m ${credentials.apiKey} ${credentials.secretAccessKey} battery-staple`;
    expect(await answerOf(one, { print })).toMatchObject({ calls: 1 });
    await expect.poll(() => lines, patience).toHaveLength(1);
    expect(lines[0]).toEqual({
      ...{ stream: "stdout", invocationId: `id-${lastId}`, atMs: expect.any(Number) },
      text: "\u001b[31m***\u001b[0m *** *** battery-staple",
    });
    expect(await answerOf(one, { throw: "with correct-horse" })).toMatchObject({
      failed: { errorMessage: expect.stringMatching(/with \*\*\*/) },
    });
  });
});

describe("our bootstrap for Python", () => {
  it("finds modules in directories, and those of the first directory", async () => {
    await mkdir(join(directory, "src"));
    await writeFile(
      join(directory, "src", "deep.py"),
      "import server\ndef handler(event, context): return server.__name__",
    );
    for (const command of ["python:src/deep.handler", "python:./src/deep.handler", "python:src.deep.handler"]) {
      expect(await answerOf(await start([command]), {})).toBe("server");
    }
  });
});

describe("our bootstrap for Node", () => {
  it("takes callbacks, functions that return at once, functions in objects, CommonJS and TypeScript", async () => {
    expect(await answerOf(await start(["node:./server.callback"]), { a: 1 })).toEqual({ event: { a: 1 } });
    expect(await answerOf(await start(["node:server.callback"]), { fail: 1 })).toEqual(failedWith("Error", "no"));
    expect(await answerOf(await start(["node:server.sync"]), { a: 2 })).toBe(4);
    expect(await answerOf(await start(["node:server.inner.deep"]), {})).toBe("deep");
    expect(await answerOf(await start(["node:./legacy.handler"]), {})).toBe("legacy.cjs");
    expect(await answerOf(await start(["node:typed.handler"]), { a: 3 })).toBe(3);
  });

  it("answers null when a function has nothing left to wait for and has not answered", async () => {
    expect(await answerOf(await start(["node:./server.silent"]), {})).toBeNull();
    expect(await answerOf(await start(["node:./server.handler"]), { forget: 1 })).toBeNull();
  });

  it("answers with what nobody has caught, and begins anew", async () => {
    const one = await start(["node:./server.handler"]);
    expect(await answerOf(one, { later: 1 })).toEqual(failedWith("RangeError", "later"));
    expect(await answerOf(one, {})).toMatchObject({ calls: 1 });
    expect(await answerOf(one, { throwText: "text" })).toEqual(failedWith("string", "text"));
  });

  it("does not lose an invocation to a process that has ended before it took it", async () => {
    const one = await start(["node:./server.handler"]);
    await answerOf(one, { crashAfter: 1 });
    const answers = await Promise.all([answerOf(one, {}), answerOf(one, {}), answerOf(one, {})]);
    expect(answers.filter((answer) => (answer as { calls?: number }).calls === undefined).length).toBeLessThanOrEqual(
      1,
    );
  });

  it("says that a result was too large", async () => {
    const one = await start(["node:./server.handler"]);
    expect(await answerOf(one, { large: limits.handler.resultMaxBytes })).toEqual(
      failedWith("Function.ResponseSizeTooLarge", "6291456"),
    );
    expect(await answerOf(one, {})).toMatchObject({ calls: 2 });
  });
});

describe("a command", () => {
  it("may be any client of the runtime API, which gets host and port", async () => {
    const one = await start([process.execPath, "foreign.mjs", "an argument"]);
    expect(await answerOf(one, [1])).toEqual({ echo: [1], handler: "h", argument: "an argument" });
  });

  it.each([
    [["node:./none.handler"], /cannot start: Error: there is no \.\/none with one of: \.mjs/],
    [["node:./server.none"], /cannot start: Error: \.\/server exports no function none/],
    [["node:./server.broken"], /exports no function broken/],
    [["node:server"], /must be a file without its extension, a dot, and a function of it/],
    [["python:none.handler"], /cannot start: ModuleNotFoundError: No module named 'none'/],
    [["python:server.none"], /cannot start: AttributeError: module 'server' has no attribute 'none'/],
    [
      ["no-such-program"],
      /cannot start: Runtime.ExitError: the process has ended: there is no such program: no-such-program/,
    ],
    [["sh", "-c", "exit 4"], /cannot start: Runtime.ExitError: the process has ended: exit status 4/],
    [["sh", "-c", "kill -9 $$"], /the process has ended: signal: SIGKILL/],
  ])("that cannot be started says why: %s", async (command, reason) => {
    await expect(start(command)).rejects.toMatchObject({ code: "unavailable", message: expect.stringMatching(reason) });
  });

  it("gets a process for each of as many invocations as it may have at a time, and no more", async () => {
    const gate = join(directory, "gate");
    await writeFile(
      join(directory, "gate.mjs"),
      `import { existsSync, appendFileSync } from "node:fs";
       export const handler = async () => {
         appendFileSync(${JSON.stringify(gate)}, process.pid + "\\n");
         while (!existsSync(${JSON.stringify(`${gate}-open`)})) await new Promise((done) => setTimeout(done, 5));
         return process.pid;
       };`,
    );
    const one = await start(["node:./gate.handler"], { concurrency: 2 });
    const answers = Promise.all([1, 2, 3].map(() => answerOf(one, {})));
    await expect.poll(async () => (await readFile(gate, "utf8").catch(() => "")).split("\n").length, patience).toBe(3);
    await writeFile(`${gate}-open`, "");
    expect(new Set(await answers).size).toBe(2);
  });

  it("that takes an invocation and ends, again and again, is started later each time", async () => {
    const starts = join(directory, "starts");
    const script = `require("node:fs").appendFileSync(${JSON.stringify(starts)}, Date.now() + "\\n");
      const url = "http://" + process.env.AWS_LAMBDA_RUNTIME_API + "/2018-06-01/runtime/invocation/next";
      require("node:http").get(url, () => process.exit(1));`;
    const one = await start([process.execPath, "-e", script]);
    const times = async () => (await readFile(starts, "utf8")).trim().split("\n").map(Number);
    for (let n = 0; n < 4; n++) expect(await answerOf(one, {})).toEqual(failedWith("Runtime.ExitError", "status 1"));
    const [a = 0, b = 0, c = 0, d = 0] = await times();
    expect([b - a >= 95, c - b >= 195, d - c >= 395], `${[b - a, c - b, d - c]}`).toEqual([true, true, true]);
  });

  it("whose variables no process can have does not start, and the reason does not quote them", async () => {
    const failed = start(["node:./server.handler"], { variables: { PASSWORD: "hush\0hush" } });
    await expect(failed).rejects.toMatchObject({
      code: "unavailable",
      message: 'handler "h" cannot start: Runtime.StartError: no process can be started: ERR_INVALID_ARG_VALUE',
    });
  });

  it("that ignores the request to end is killed", async () => {
    const script = "process.on('SIGTERM', () => {}); import('./foreign.mjs')";
    const one = await start([process.execPath, "-e", script]);
    await answerOf(one, 1);
    const sinceMs = performance.now();
    await one.stop();
    expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(90);
  });
});

it("a process that has left its group cannot hold the output open for longer than its parent", async () => {
  const one = await start(["node:./server.handler"]);
  const pid = (await answerOf(one, { leave: true })) as number;
  await one.stop();
  await expect.poll(() => isAlive(pid), patience).toBe(false);
});

it("nothing of an invocation that has ended is kept as long as the process", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const one = await start(["node:./server.handler"]);
  const resultOf = async () => new WeakRef(await invoke(one, {}));
  const result = await resultOf();
  // The last one may lie in a frame that has ended.
  for (let n = 0; n < 3; n++) await resultOf();
  await expect
    .poll(() => {
      collect();
      return result.deref();
    }, patience)
    .toBeUndefined();
});
