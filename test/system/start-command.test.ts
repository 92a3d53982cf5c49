// `todoku start` and `todoku config` as processes.
import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCli, type StartedProcess, startProductionProcess } from "../support/process.ts";
import { aDirectory } from "../support/server.ts";

let directory: Awaited<ReturnType<typeof aDirectory>>;
let running: StartedProcess[];
beforeEach(async () => {
  directory = await aDirectory();
  running = [];
});
afterEach(async () => {
  for (const { child, end } of running) if (child.exitCode === null && child.signalCode === null) await end("SIGKILL");
  await directory[Symbol.asyncDispose]();
});
const dataDir = () => join(directory.path, "data");

const masterKeyFile = () => join(directory.path, "master.key");

/** What an operator does first. Resolves with the operator's key. */
async function initialised(): Promise<string> {
  const made = await runCli(["init", "--data-dir", dataDir(), "--master-key-file", masterKeyFile()]);
  expect(made.code, made.stderr).toBe(0);
  return made.stdout.trim();
}

async function start(...args: string[]) {
  const flags = ["--port", "0", "--data-dir", dataDir(), "--master-key-file", masterKeyFile()];
  const server = await startProductionProcess([...flags, ...args]);
  running.push(server);
  return { ...server, url: `http://127.0.0.1:${server.port}` };
}

/** Resolves when a line of the log matches. */
async function logged({ child, output }: StartedProcess, pattern: RegExp): Promise<void> {
  while (!pattern.test(output().stderr)) await new Promise((resolve) => child.stderr?.once("data", resolve));
}

describe("todoku start", () => {
  it("refuses what is open, all of it at once, and knows no flag of dev mode", async () => {
    await mkdir(dataDir(), { mode: 0o700 });
    await chmod(dataDir(), 0o755);
    const args = ["start", "--data-dir", dataDir(), "--host", "0.0.0.0"];
    const refused = await runCli(args, { TODOKU_DEV_KEY: "true", TODOKU_MASTER_KEY: "" });
    expect(refused.code).toBe(1);
    for (const reason of ["devKey", "host 0.0.0.0", "master key", "mode 0755"])
      expect(refused.stderr).toMatch(new RegExp(`^error: .*${reason}`, "m"));
    expect(await runCli(["start", "--dev-key"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--dev-key"),
    });
  });

  it("wants a data directory with an environment", async () => {
    const refused = await runCli(["start", "--data-dir", dataDir()], {
      TODOKU_MASTER_KEY: randomBytes(32).toString("hex"),
    });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(`todoku init --data-dir ${dataDir()}`) });
  });

  it("knows no empty credential, not even from this machine; keys work", async () => {
    const key = await initialised();
    const server = await start();
    expect((await fetch(`${server.url}/v1/caches`)).status).toBe(401);
    expect((await fetch(`${server.url}/v1/caches`, { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
    expect(server.output().stderr).not.toContain(key);
    expect(await server.end("SIGTERM")).toEqual({ code: 0, signal: null });
  });

  it("reads its configuration again at SIGHUP: takes what it can, names the rest, and keeps all when something is wrong", async () => {
    await initialised();
    const file = join(directory.path, "todoku.yaml");
    await writeFile(file, "drain: {delaySeconds: 600}\nlog: {level: error}\n");
    const server = await start("--config", file);
    await writeFile(file, "drain: {delaySeconds: 0}\nlog: {level: info}\nmessageMaxBytes: 1000\n");
    server.child.kill("SIGHUP");
    await logged(server, /"needRestart":\["messageMaxBytes"\]/);
    expect(server.output().stderr).toContain('"changed":["drain.delaySeconds","log.level"]');
    await writeFile(file, "drain: {delaySeconds: 600}\nlog: {levle: error}\n");
    server.child.kill("SIGHUP");
    await logged(server, /log\.levle is no field: is log\.level meant\?.*everything stays as it was/);
    // With the 600 seconds of the wrong file, or of the first one, it would not end.
    expect(await server.end("SIGTERM")).toEqual({ code: 0, signal: null });
  });
});

describe("todoku config", () => {
  it("print shows each value and what set it, and no secret", async () => {
    const args = ["config", "print", "--json", "--port", "9", "--master-key-command", "cat hunter2"];
    const { code, stdout } = await runCli(args, { TODOKU_HOST: "::1" });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      port: { value: 9, source: "--port" },
      host: { value: "::1", source: "TODOKU_HOST" },
      masterKeyCommand: { value: "********", source: "--master-key-command" },
      "drain.seconds": { value: 5, source: "default" },
      publicEndpoint: { value: null, source: "default" },
    });
    expect(stdout).not.toContain("hunter2");
    const text = await runCli(["config", "print", "--dev", "--port", "9"]);
    expect(text.stdout).toMatch(/^port +9 +--port$/m);
    expect(text.stdout).toMatch(/^drain\.seconds +1 +default$/m);
  });

  it("check says what is wrong with exit code 2, and warns of variables that nobody reads", async () => {
    const file = join(directory.path, "todoku.yaml");
    await writeFile(file, "prot: 1\n");
    expect(await runCli(["config", "check", "--config", file])).toMatchObject({
      code: 2,
      stderr: `error: ${file}: prot is no field: is port meant?\n`,
    });
    const masterKey = { TODOKU_MASTER_KEY: randomBytes(32).toString("hex") };
    expect(await runCli(["config", "check", "--json"], { TODOKU_PROT: "1", ...masterKey })).toEqual({
      code: 0,
      stdout: '{"ok":true}\n',
      stderr: "warning: the environment variable TODOKU_PROT is none that Todoku reads: is TODOKU_PORT meant?\n",
    });
  });

  it("check refuses what a start would refuse: no master key, users without an environment, a file that is not there", async () => {
    const check = (authorizer: object, ...args: string[]) =>
      runCli(["config", "check", ...args, "--gateway-authorizers", JSON.stringify([authorizer])]);
    const users = { issuer: "https://id.example.com", audiences: ["app"] };
    expect(await check(users)).toMatchObject({ code: 1, stderr: expect.stringContaining("there is no master key") });
    expect(await check(users, "--master-key-command", "false")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("gateway.authorizers[0].environment: must be given"),
    });
    expect(await check({ ...users, jwksFile: join(directory.path, "none.json") }, "--dev")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("none.json cannot be read (ENOENT)"),
    });
    expect(await check(users, "--dev")).toMatchObject({ code: 0, stdout: "the configuration is right\n" });
  });

  it("docs prints the reference page", async () => {
    const page = await readFile(new URL("../../docs/reference/config.md", import.meta.url), "utf8");
    expect((await runCli(["config", "docs"])).stdout).toBe(page);
  });
});
