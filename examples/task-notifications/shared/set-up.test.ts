import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type Application, anApplication, aTodoku } from "../testing/application.ts";
import { resourceNames } from "./names.ts";
import { setUp } from "./set-up.ts";
import { keyFileIn } from "./settings.ts";
import { anyAnswer, type Todoku } from "./todoku.ts";

const keysSchema = z.object({ keys: z.array(z.object({ keyId: z.string(), superUser: z.boolean() })) });
const keysOf = async (admin: Todoku) => (await admin.call("GET", "/v1/keys", undefined, keysSchema)).keys;

describe("the set-up", () => {
  it("makes what the application needs, with keys that only their owner can read", async () => {
    await using todoku = await aTodoku();
    const queue = await todoku.admin.call("GET", "/v1/queues/tasks", undefined, anyAnswer);
    expect(queue).toMatchObject({ visibilitySeconds: 30, deadLetter: { queue: "tasks-dead", maxReceives: 5 } });
    const { caches } = await todoku.admin.call(
      "GET",
      "/v1/caches",
      undefined,
      z.object({ caches: z.array(z.unknown()) }),
    );
    expect(caches).toEqual([expect.objectContaining({ name: "notifications", durability: "disk" })]);
    for (const name of ["api", "worker"] as const) {
      expect((await stat(keyFileIn(todoku.stateDir, name))).mode & 0o777).toBe(0o600);
    }
    expect((await keysOf(todoku.admin)).map(({ superUser }) => superUser)).toEqual([false, false]);
  });

  it("changes nothing when all is there", async () => {
    await using todoku = await aTodoku();
    const before = await readFile(keyFileIn(todoku.stateDir, "api"), "utf8");
    const lines = await setUp({ ...todoku, todoku: todoku.admin, todokuUrl: todoku.url });
    expect(lines.slice(0, 3).join()).toMatch(/^(.*: there already,?){3}$/);
    expect(lines.slice(3).join()).toMatch(/^(key .*: still good,?){2}$/);
    expect(await readFile(keyFileIn(todoku.stateDir, "api"), "utf8")).toBe(before);
    expect(await keysOf(todoku.admin)).toHaveLength(2);
  });

  it.each<[string, (file: string) => Promise<unknown>]>([
    ["is missing", (file) => rm(file)],
    ["is of another Todoku", (file) => writeFile(file, "tdk_nobody_knows")],
    ["is empty", (file) => writeFile(file, "")],
  ])("makes a key anew whose file %s, and leaves no old one behind", async (_, damage) => {
    await using todoku = await aTodoku();
    const file = keyFileIn(todoku.stateDir, "worker");
    await damage(file);
    const lines = await setUp({ ...todoku, todoku: todoku.admin, todokuUrl: todoku.url });
    expect(lines.filter((line) => line.endsWith(": replaced"))).toEqual([`key ${file}: replaced`]);
    expect(await keysOf(todoku.admin)).toHaveLength(2);
    const again = await setUp({ ...todoku, todoku: todoku.admin, todokuUrl: todoku.url });
    expect(again.filter((line) => line.includes("still good"))).toHaveLength(2);
  });

  it("makes keys anew that were deleted in Todoku", async () => {
    await using todoku = await aTodoku();
    for (const { keyId } of await keysOf(todoku.admin)) {
      await todoku.admin.call("DELETE", `/v1/keys/${keyId}`, undefined, anyAnswer);
    }
    const lines = await setUp({ ...todoku, todoku: todoku.admin, todokuUrl: todoku.url });
    expect(lines.filter((line) => line.endsWith(": made"))).toHaveLength(2);
  });

  it("gives each stage names of its own, and keys that reach no other stage", async () => {
    await using todoku = await aTodoku();
    const names = resourceNames("FEAT-ABP-1734");
    expect(names).toEqual({
      cache: "notifications-FEAT-ABP-1734",
      taskQueue: "tasks-FEAT-ABP-1734",
      deadLetterQueue: "tasks-dead-FEAT-ABP-1734",
    });
    const stateDir = `${todoku.stateDir}-FEAT-ABP-1734`;
    await setUp({ todoku: todoku.admin, todokuUrl: todoku.url, names, stateDir });
    const key = (await readFile(keyFileIn(stateDir, "api"), "utf8")).trim();
    const send = async (queue: string) => {
      const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
      const init = { method: "POST", headers, body: JSON.stringify({ body: "x" }) };
      return (await fetch(`${todoku.url}/v1/queues/${queue}/send`, init)).status;
    };
    expect(await send("tasks-FEAT-ABP-1734")).toBe(200);
    expect(await send("tasks")).toBe(403);
    await rm(stateDir, { recursive: true });
  });
});

describe("a rotation of the keys", () => {
  const answers = async (app: Application) => [
    (await app.call("alice", "POST", "/task", { data: "x" })).status,
    (await app.call("alice", "GET", "/token")).status,
  ];

  it("is noticed by a running API at once: both ways to Todoku take the new key", async () => {
    await using app = await anApplication();
    expect(await answers(app)).toEqual([202, 200]);
    const { admin, url, names, stateDir } = app.todoku;
    const old = (await keysOf(admin)).map(({ keyId }) => keyId);
    await setUp({ todoku: admin, todokuUrl: url, names, stateDir, isRotation: true });
    const keys = (await keysOf(admin)).map(({ keyId }) => keyId);
    expect(keys).toHaveLength(2);
    expect(keys).not.toEqual(expect.arrayContaining([old[0]]));
    expect(await answers(app)).toEqual([202, 200]);
  });

  it("is answered with 503 as long as there is no good key, and works again without a restart", async () => {
    await using app = await anApplication();
    const { admin, url, names, stateDir } = app.todoku;
    expect(await answers(app)).toEqual([202, 200]);
    for (const { keyId } of await keysOf(admin)) await admin.call("DELETE", `/v1/keys/${keyId}`, undefined, anyAnswer);
    expect(await answers(app)).toEqual([503, 503]);
    await setUp({ todoku: admin, todokuUrl: url, names, stateDir });
    expect(await answers(app)).toEqual([202, 200]);
  });
});
