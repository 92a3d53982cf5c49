// `npm start` as a stranger sees it: one command, an address to open, and nothing left behind.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ownOf } from "../support/built-ins.ts";
import { captureProcess } from "../support/captured-logs.ts";
import { aDirectory } from "../support/server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let directory: Awaited<ReturnType<typeof aDirectory>>;
const running: StartProcess[] = [];

interface StartProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown[]>;
  output(): { stdout: string; stderr: string };
  /** Resolves when its output has the pattern; rejects when it ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
}

async function makeDirectory(): Promise<void> {
  directory = await aDirectory();
}
async function endAll(): Promise<void> {
  for (const { child, exited } of running.splice(0)) {
    child.kill("SIGTERM");
    await exited;
  }
  await directory[Symbol.asyncDispose]();
}

function start(args: readonly string[] = [], env: Record<string, string> = {}, application?: string): StartProcess {
  const flags = ["--port", "0", "--data-dir", directory.path, ...args];
  const child = spawn(process.execPath, ["scripts/start.ts", ...(application ? [application] : []), ...flags], {
    cwd: root,
    env: { ...process.env, PAGE_PORT: "0", IDP_PORT: "0", RECEIVER_PORT: "0", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  captureProcess(child, ["dev", ...args]);
  const printed = { stdout: "", stderr: "" };
  const waiting = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      printed[name] += text;
      for (const look of waiting) look();
    });
  }
  const exited = once(child, "close");
  const process_: StartProcess = {
    ...{ child, exited },
    output: () => printed,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(printed.stdout) ?? pattern.exec(printed.stderr);
          if (!match) return;
          waiting.delete(look);
          resolve(match);
        };
        waiting.add(look);
        void exited.then(([code]) => reject(new Error(`exit ${code}: ${printed.stderr}`)));
        look();
      }),
  };
  running.push(process_);
  return process_;
}

/** The children of a process, by what they run. */
function childrenOf(pid: number | undefined): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, "utf8"))?.[1];
      const file = /\/(src\/cli|examples\/\S+)\/main\.ts/.exec(readFileSync(`/proc/${name}/cmdline`, "utf8"))?.[1];
      if (Number(parent) === pid && file) found.set(file, Number(name));
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const allGone = async (pids: Iterable<number>) => {
  for (const pid of pids) while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
};
const four = ["examples/dev-idp", "examples/task-notifications/api", "examples/task-notifications/worker", "src/cli"];

describe("npm start", () => {
  let all: StartProcess;
  beforeAll(async () => {
    await makeDirectory();
    all = start([], { TODOKU_KEY_FILE: "/mine" });
    await all.printed(/^ {2}data /m);
  });
  afterAll(endAll);

  it("prints the page's address first, then Todoku's greeting; the page, its settings and Todoku answer", async () => {
    const { stdout } = all.output();
    const page = /^Open (http:\S+) and sign in as alice@example\.com/.exec(stdout)?.[1];
    const todoku = /^Todoku listens on (\S+)$/m.exec(stdout)?.[1];
    expect(await (await fetch(`${page}/`)).text()).toContain('<div id="root">');
    const { issuer } = (await (await fetch(`${page}/config.json`)).json()) as { issuer: string };
    const discovery = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
    expect(discovery).toMatchObject({ issuer });
    const { queues } = await (await fetch(`${todoku}/v1/queues`)).json();
    expect(ownOf(queues)).toMatchObject([{ name: "tasks" }, { name: "tasks-dead" }]);
    expect((await fetch(`${page}/token`)).status).toBe(401);
  });

  it("gives its children no keys of the environment, which the set-up does not know", async () => {
    for (const pid of childrenOf(all.child.pid).values()) {
      expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain("mine");
    }
  });

  it("starts a child again that died, where it was, and ends them all within seconds", async () => {
    const [, page] = await all.printed(/^Open (http:\S+)/);
    const children = childrenOf(all.child.pid);
    expect([...children.keys()].sort()).toEqual(four);
    process.kill(children.get("examples/task-notifications/api") ?? 0, "SIGKILL");
    await all.printed(/^\[api\] ended \(SIGKILL\); again in 0.5 s$/m);
    expect((await all.printed(/^\[api\] API listens on (\S+)$/m))[1]).toBe(page);
    expect((await fetch(`${page}/config.json`)).status).toBe(200);
    const startMs = performance.now();
    const living = childrenOf(all.child.pid);
    all.child.kill("SIGINT");
    expect(await all.exited).toEqual([0, null]);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    expect([...living.values()].filter(isAlive)).toEqual([]);
  });
});

describe("npm start in a stage", () => {
  let all: StartProcess;
  beforeAll(async () => {
    await makeDirectory();
    all = start(["--stage", "feat-x", "--secrets-stage", "dev"]);
    await all.printed(/^ {2}data /m);
  });
  afterAll(endAll);

  it("runs the application in a stage of its own, which reads the shared secrets of another", async () => {
    const [, todoku] = await all.printed(/^Todoku listens on (\S+)$/m);
    const get = async (path: string) => (await fetch(`${todoku}${path}`)).json();
    expect(await get("/v1/environments")).toMatchObject({
      environments: [{ name: "dev" }, { name: "feat-x", secretsFrom: ["dev"] }],
    });
    expect(await get("/v1/secrets")).toMatchObject({ secrets: [{ name: "receipt-signing", shared: true }] });
    expect(ownOf((await get("/v1/queues")).queues)).toEqual([]);
    const files = readdirSync(join(directory.path, "task-notifications-feat-x"));
    expect(files).toEqual(expect.arrayContaining(["api.key", "worker.key"]));
    expect(all.output().stderr).toBe("");
  });

  it("leaves no orphan when it is killed itself", async () => {
    const children = childrenOf(all.child.pid);
    expect(children.size).toBe(4);
    all.child.kill("SIGKILL");
    await all.exited;
    await allGone(children.values());
  });
});

describe("npm start with other arguments", () => {
  beforeEach(makeDirectory);
  afterEach(endAll);

  it("starts the application that is named, and names those that there are", async () => {
    const all = start([], {}, "course-comments");
    const [, page] = await all.printed(/^Open (http:\S+) and sign in as alice@example\.com/m);
    const [, todoku] = await all.printed(/^Todoku listens on (\S+)$/m);
    expect(await (await fetch(`${page}/`)).text()).toContain("<title>Todoku courses</title>");
    expect(await (await fetch(`${page}/config.json`)).json()).toMatchObject({ clientId: "course-comments" });
    const tests = ["comment", "vote", "chat"].map((name) =>
      fetch(`${todoku}/v1/webhooks/course-comments/${name}/test`, { method: "POST" }).then((answer) => answer.json()),
    );
    for (const answer of await Promise.all(tests)) expect(answer).toMatchObject({ delivered: true, status: 204 });
    const unknown = start([], {}, "course-coments");
    expect(await unknown.exited).toEqual([1, null]);
    expect(unknown.output().stderr).toBe(
      'error: there is no application "course-coments"; there are task-notifications, course-comments and sumu-demo\n',
    );
  });

  it("tells Todoku whose tokens open the gateway, and where the backend of sumu-demo is", async () => {
    const all = start([], {}, "sumu-demo");
    const [, page] = await all.printed(/^Open (http:\S+) and sign in as alice@example\.com/m);
    const [, todoku] = await all.printed(/^Todoku listens on (\S+)$/m);
    const settings = (await (await fetch(`${page}/config.json`)).json()) as { issuer: string; gatewayUrl: string };
    expect(settings).toMatchObject({ clientId: "sumu-demo", gatewayUrl: `${todoku?.replace("http", "ws")}/push` });
    const discovery = await (await fetch(`${settings.issuer}/.well-known/openid-configuration`)).json();
    expect(discovery).toMatchObject({ issuer: settings.issuer });
    const test = await fetch(`${todoku}/v1/webhooks/events/sumu-demo/test`, { method: "POST" });
    expect(await test.json()).toMatchObject({ delivered: true, status: 204 });
  });

  it.each(["PAGE_PORT", "IDP_PORT"])("says which port is taken and that %s chooses another", async (name) => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const all = start([], { [name]: String(port) });
    expect(await all.exited).toEqual([1, null]);
    expect(all.output().stderr).toContain(`error: port ${port} is taken: choose another with ${name}=`);
    other.close();
  });

  it.each(["PAGE_PORT", "IDP_PORT"])("says of %s that it is no port, before anything starts", async (name) => {
    const all = start([], { [name]: "65536" });
    expect(await all.exited).toEqual([1, null]);
    expect(all.output()).toEqual({
      stdout: "",
      stderr: `error: ${name} is "65536"; it must be a whole number from 0 to 65535\n`,
    });
  });

  it("says of a stage that it cannot be one, before anything starts", async () => {
    const all = start(["--stage", "feat_x"]);
    expect(await all.exited).toEqual([1, null]);
    expect(all.output()).toEqual({ stdout: "", stderr: "error: STAGE: must be 1..63 of A-Z a-z 0-9 -\n" });
  });

  it("leaves to Todoku what its flags mean", async () => {
    const wrong = start(["--prot", "1"]);
    expect(await wrong.exited).toEqual([2, null]);
    expect(wrong.output().stderr).toContain("--prot");
    const keyed = start(["--dev-key"]);
    const [, todoku] = await keyed.printed(/^Todoku listens on (\S+)$/m);
    expect((await fetch(`${todoku}/v1/queues`)).status).toBe(401);
    const [, key] = await keyed.printed(/TODOKU_API_KEY=(\S+)/);
    expect((await fetch(`${todoku}/v1/queues`, { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
  });
});
