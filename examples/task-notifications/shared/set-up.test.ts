import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { type Application, anApplication, aTodoku, type SetUpTodoku } from "../testing/application.ts";
import { setUp } from "./set-up.ts";
import { keyFileIn } from "./settings.ts";
import { anyAnswer, type Todoku } from "./todoku.ts";

// Each set-up starts a process.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

const keysSchema = z.object({ keys: z.array(z.object({ keyId: z.string(), superUser: z.boolean() })) });
const keysOf = async (admin: Todoku) => (await admin.call("GET", "/v1/keys", undefined, keysSchema)).keys;
const again = ({ url, stateDir }: SetUpTodoku) => setUp({ todokuUrl: url, stage: "dev", stateDir });
const there = ["environment dev: there already", "secret receipt-signing: there already, in dev"];
const allThere = [...there, "environment dev has all that todoku.yaml says"];

describe("the set-up", () => {
  let todoku: SetUpTodoku;
  beforeAll(async () => {
    todoku = await aTodoku();
  });
  afterAll(() => todoku[Symbol.asyncDispose]());

  it("makes what the application needs, with bootstrap keys that only their owner can read", async () => {
    const queue = await todoku.admin.call("GET", "/v1/queues/tasks", undefined, anyAnswer);
    expect(queue).toMatchObject({ visibilitySeconds: 30, deadLetter: { queue: "tasks-dead", maxReceives: 5 } });
    const caches = z.object({ caches: z.array(z.unknown()) });
    expect(await todoku.admin.call("GET", "/v1/caches", undefined, caches)).toEqual({
      caches: [
        expect.objectContaining({ name: "events" }),
        expect.objectContaining({ name: "notifications", durability: "disk" }),
      ],
    });
    for (const name of ["api", "worker"] as const) {
      expect((await stat(keyFileIn(todoku.stateDir, name))).mode & 0o777).toBe(0o600);
    }
    expect((await keysOf(todoku.admin)).map(({ superUser }) => superUser)).toEqual([false, false, false, false]);
  });

  it("changes nothing when all is there, a key that was rotated included", async () => {
    const before = await readFile(keyFileIn(todoku.stateDir, "api"), "utf8");
    expect(await again(todoku)).toEqual(allThere);
    const rotation = { secret: "task-notifications-api", overlapSeconds: 600 };
    await todoku.admin.call("POST", "/v1/keys/rotate", rotation, anyAnswer);
    const keys = await keysOf(todoku.admin);
    expect(await again(todoku)).toEqual(allThere);
    expect(await keysOf(todoku.admin)).toEqual(keys);
    expect(await readFile(keyFileIn(todoku.stateDir, "api"), "utf8")).toBe(before);
  });

  it.each<[string, (file: string) => Promise<unknown>]>([
    ["is missing", (file) => rm(file)],
    ["is of another Todoku", (file) => writeFile(file, "tdk_nobody_knows")],
    ["is empty", (file) => writeFile(file, "")],
  ])("makes a bootstrap key anew whose file %s, and leaves no old one behind", async (_, damage) => {
    const file = keyFileIn(todoku.stateDir, "worker");
    const before = await keysOf(todoku.admin);
    await damage(file);
    expect(await again(todoku)).toEqual([...there, `key file ${file}: written`]);
    expect(await keysOf(todoku.admin)).toHaveLength(before.length);
    expect(await again(todoku)).toEqual(allThere);
  });

  it("makes all keys anew that were deleted in Todoku", async () => {
    for (const { keyId } of await keysOf(todoku.admin)) {
      await todoku.admin.call("DELETE", `/v1/keys/${keyId}`, undefined, anyAnswer);
    }
    const lines = await again(todoku);
    expect(lines.filter((line) => line.startsWith("create key"))).toHaveLength(4);
    expect(await again(todoku)).toEqual(allThere);
  });

  it("says in its own words what todoku apply refuses", async () => {
    await todoku.admin.call("DELETE", "/v1/caches/notifications", undefined, anyAnswer);
    await todoku.admin.call("POST", "/v1/caches", { name: "notifications", durability: "memory" }, anyAnswer);
    await expect(again(todoku)).rejects.toThrow(/^todoku apply: cache "notifications": durability is memory/);
  });
});

describe("a rotation of the keys", () => {
  const answers = async (app: Application) => [
    (await app.call("alice", "POST", "/task", { data: "x" })).status,
    (await app.call("alice", "GET", "/token")).status,
  ];

  it("is answered with 503 as long as there is no good key, and works again without a restart", async () => {
    await using app = await anApplication();
    const { admin } = app.todoku;
    expect(await answers(app)).toEqual([202, 200]);
    for (const { keyId } of await keysOf(admin)) await admin.call("DELETE", `/v1/keys/${keyId}`, undefined, anyAnswer);
    expect(await answers(app)).toEqual([503, 503]);
    await again(app.todoku);
    expect(await answers(app)).toEqual([202, 200]);
  });
});
