// `todoku dev` and `todoku backup` as processes: what a stranger types, and what can go wrong.
import { execFileSync } from "node:child_process";
import { copyFile, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DevProcess, runCli, startDevProcess } from "../support/process.ts";
import { aDirectory } from "../support/server.ts";

let directory: Awaited<ReturnType<typeof aDirectory>>;
const running: DevProcess[] = [];

beforeEach(async () => {
  directory = await aDirectory();
});
afterEach(async () => {
  for (const server of running.splice(0))
    if (server.child.exitCode === null && !server.child.killed) await server.end("SIGKILL");
  await directory[Symbol.asyncDispose]();
});

const dataDir = () => join(directory.path, "data");
async function dev(...args: string[]): Promise<DevProcess> {
  const server = await startDevProcess(["--port", "0", "--data-dir", dataDir(), ...args]);
  running.push(server);
  return server;
}
const urlOf = (server: DevProcess) => `http://127.0.0.1:${server.port}`;

async function post(server: DevProcess, path: string, body: object, headers = {}): Promise<Response> {
  return fetch(`${urlOf(server)}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}
async function itemsOf(server: DevProcess) {
  const response = await fetch(`${urlOf(server)}/v1/topics/c/t/items?after=0-0&limit=1000`);
  return ((await response.json()) as { items: { position: string; text: string }[] }).items;
}

describe("todoku dev", () => {
  it("prints what to paste, keeps its data to its owner, and ends cleanly", async () => {
    const server = await dev("--fault-admin-port", "0");
    const { stdout } = server.output();
    const socketUrl = `ws://127.0.0.1:${server.port}/push?user=alice`;
    const aws = `AWS SDKs  export AWS_ENDPOINT_URL=${urlOf(server)} AWS_REGION=us-east-1`;
    const clients = ["Node SDK", "web SDK", "curl", "CLI", `WebSocket ${socketUrl}`, aws];
    for (const word of ["/block", "/unblock", ...clients, dataDir(), `port: ${server.port}`])
      expect(stdout).toContain(word);
    expect((await stat(dataDir())).mode & 0o777).toBe(0o700);
    await post(server, "/v1/caches", { name: "c" });
    for (const file of await readdir(dataDir())) expect((await stat(join(dataDir(), file))).mode & 0o077, file).toBe(0);
    expect(await server.end("SIGTERM")).toEqual({ code: 0, signal: null });
  });

  it("does what its greeting says: the printed curl lines work", async () => {
    const server = await dev();
    const lines = [...server.output().stdout.matchAll(/curl -X POST .*/g)].map(([line]) => line);
    expect(lines).toHaveLength(2);
    for (const line of lines) execFileSync("sh", ["-c", `${line.replace("curl", "curl -sS --fail-with-body")}`]);
    const response = await fetch(`${urlOf(server)}/v1/topics/demo/hello/items?after=0-0`);
    expect(await response.json()).toMatchObject({ items: [{ text: "hi", sequenceNumber: 1 }] });
  });

  it("says who holds the data directory, and starts there again after a kill -9", async () => {
    const server = await dev();
    await expect(startDevProcess(["--port", "0", "--data-dir", dataDir()])).rejects.toThrow(
      new RegExp(`exit 1: error: .*${server.child.pid}`),
    );
    await server.end("SIGKILL");
    await (await dev()).end("SIGTERM");
  });

  it("says that a port is taken, and which options are wrong", async () => {
    const server = await dev();
    const other = join(directory.path, "other");
    await expect(startDevProcess(["--port", String(server.port), "--data-dir", other])).rejects.toThrow(
      "choose another port with --port",
    );
    expect(await runCli(["dev", "--port", "99999", "--data-dir", other])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("port"),
    });
    expect(await runCli(["dev", "--prot", "1"])).toMatchObject({ code: 2, stderr: expect.stringContaining("--prot") });
  });

  it("binds to other addresses only with --dev-key, and then asks for it", async () => {
    const refused = await runCli(["dev", "--port", "0", "--host", "0.0.0.0", "--data-dir", dataDir()]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("--dev-key") });
    const server = await dev("--host", "0.0.0.0", "--dev-key");
    const key = /TODOKU_API_KEY=(\S+)/.exec(server.output().stdout)?.[1] ?? "";
    expect((await post(server, "/v1/caches", { name: "c" })).status).toBe(401);
    expect((await post(server, "/v1/caches", { name: "c" }, { authorization: `Bearer ${key}` })).status).toBe(201);
    const inner = JSON.parse(Buffer.from(key, "base64").toString()).api_key as string;
    const { stderr } = server.output();
    expect(stderr).not.toContain(key);
    expect(stderr).not.toContain(inner);
  });

  it("keeps tokens valid across restarts", async () => {
    const first = await dev();
    await post(first, "/v1/caches", { name: "c" });
    const grants = [{ resource: "topic", role: "publish", cache: { name: "c" }, topic: { name: "t" } }];
    const made = (await (await post(first, "/v1/tokens", { grants, validForSeconds: 600, tokenId: "me" })).json()) as {
      token: string;
    };
    await first.end("SIGKILL");
    const second = await dev();
    const published = await post(second, "/v1/topics/c/t", { text: "x" }, { authorization: `Bearer ${made.token}` });
    expect(published.status).toBe(200);
  });

  it("stops with 70 when its file is damaged under it, after it has told its clients", async () => {
    const server = await dev();
    await post(server, "/v1/caches", { name: "c" });
    await post(server, "/v1/topics/c/t", { text: "before" });
    const exited = new Promise<number | null>((resolve) => server.child.once("exit", resolve));
    const stream = await fetch(`${urlOf(server)}/v1/topics/c/t`, { headers: { accept: "text/event-stream" } });
    const ended = stream.text().catch(() => "cut");
    for (const file of await readdir(dataDir())) {
      if (!file.startsWith("todoku.db")) continue;
      await writeFile(join(dataDir(), file), Buffer.alloc((await stat(join(dataDir(), file))).size, 0xee));
    }
    // Until a page of the damaged file is read, all is well: big enough that it must be.
    for (let i = 0; i < 200 && server.child.exitCode === null; i++) {
      await post(server, `/v1/topics/c/t${i}`, { text: "x".repeat(1000) }).catch(() => {});
    }
    expect(await exited).toBe(70);
    await ended;
    expect(server.output().stderr).toContain("the engine is failed");
  });
});

describe("todoku backup", () => {
  it("copies a running server's data; what is restored begins new pages and keeps the old items", async () => {
    const server = await dev();
    await post(server, "/v1/caches", { name: "c" });
    for (const text of ["a", "b"]) await post(server, "/v1/topics/c/t", { text });
    const file = join(directory.path, "backup.db");
    expect(await runCli(["backup", file, "--data-dir", dataDir()])).toMatchObject({ code: 0, stdout: `${file}\n` });
    expect(await runCli(["backup", file, "--data-dir", dataDir()])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("exist"),
    });
    await post(server, "/v1/topics/c/t", { text: "after the backup" });
    const before = await itemsOf(server);
    await server.end("SIGTERM");

    const restored = join(directory.path, "restored");
    await mkdir(restored);
    await copyFile(file, join(restored, "todoku.db"));
    const again = await startDevProcess(["--port", "0", "--data-dir", restored]);
    running.push(again);
    await post(again, "/v1/topics/c/t", { text: "c" });
    const items = await itemsOf(again);
    expect(items.map((item) => item.text)).toEqual(["a", "b", "c"]);
    expect(items.slice(0, 2)).toEqual(before.slice(0, 2));
    const pageOf = (position: string | undefined) => Number(position?.split("-")[0]);
    expect(pageOf(items[2]?.position)).toBeGreaterThan(pageOf(before[2]?.position));
  });

  it("says that there is nothing to copy", async () => {
    expect(
      await runCli(["backup", join(directory.path, "b.db"), "--data-dir", join(directory.path, "nothing")]),
    ).toMatchObject({ code: 1 });
  });
});
