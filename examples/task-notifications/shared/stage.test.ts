// A stage is an environment: what it has of its own, and what it reads from another.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { z } from "zod";
import { aServer } from "../../../test/support/server.ts";
import { aTodoku, type SetUpTodoku } from "../testing/application.ts";
import { silentLog } from "../testing/log.ts";
import { fixedCredential } from "./credential.ts";
import { names } from "./names.ts";
import { Secrets } from "./secrets.ts";
import { setUp } from "./set-up.ts";
import { keyFileIn, readStageOptions, SettingsError } from "./settings.ts";
import { anyAnswer, Todoku } from "./todoku.ts";

// Each set-up starts a process.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

const stage = "feat-x";
let todoku: SetUpTodoku;
let stateDir: string;

const environments = z.object({
  environments: z.array(z.object({ name: z.string(), secretsFrom: z.array(z.string()) })),
});
const stageOf = async () =>
  (await todoku.admin.call("GET", "/v1/environments", undefined, environments)).environments.find(
    ({ name }) => name === stage,
  );
const secretsIn = (directory: string, name: "api" | "worker" = "worker") =>
  new Secrets({ todokuUrl: todoku.url, keyFile: keyFileIn(directory, name), log: silentLog });
const receiptKeyIn = (directory: string) => secretsIn(directory).text(names.receiptSecret).current();

describe("a stage", () => {
  beforeAll(async () => {
    todoku = await aTodoku();
    stateDir = join(todoku.stateDir, stage);
  });
  afterEach(async () => {
    if (await stageOf()) await todoku.admin.call("DELETE", `/v1/environments/${stage}`, undefined, anyAnswer);
    await rm(stateDir, { recursive: true, force: true });
  });
  afterAll(() => todoku[Symbol.asyncDispose]());

  it("is made, with keys of its own, and reads the third party's key of the stage whose secrets it shares", async () => {
    const options = { todokuUrl: todoku.url, stage, secretsStage: "dev", stateDir };
    const lines = await setUp(options);
    expect(lines.slice(0, 2)).toEqual(["environment feat-x: made", "secret receipt-signing: there already, in dev"]);
    expect(await stageOf()).toEqual({ name: stage, secretsFrom: ["dev"] });
    expect(await receiptKeyIn(stateDir)).toBe(await receiptKeyIn(todoku.stateDir));
    const workingKeys = [stateDir, todoku.stateDir].map((directory) =>
      secretsIn(directory, "api").text(names.apiSecret).current(),
    );
    expect(new Set(await Promise.all(workingKeys)).size).toBe(2);
    expect(await setUp(options)).toEqual([
      "environment feat-x: there already",
      "secret receipt-signing: there already, in dev",
      "environment feat-x has all that todoku.yaml says",
    ]);
  });

  it("has the same names as any other, and a task of it is seen nowhere else", async () => {
    await setUp({ todokuUrl: todoku.url, stage, secretsStage: "dev", stateDir });
    const api = new Todoku(todoku.url, secretsIn(stateDir, "api").key(names.apiSecret));
    await api.call("POST", `/v1/queues/${names.taskQueue}/send`, { body: "x" }, anyAnswer);
    const worker = new Todoku(todoku.url, secretsIn(stateDir).key(names.workerSecret));
    const peek = (as: Todoku) =>
      as.call("POST", `/v1/queues/${names.taskQueue}/peek`, {}, z.object({ messages: z.array(z.unknown()) }));
    expect((await peek(worker)).messages).toHaveLength(1);
    expect((await peek(todoku.admin)).messages).toHaveLength(0);
  });

  it("gets a third party's key of its own when it shares nobody's", async () => {
    expect(await setUp({ todokuUrl: todoku.url, stage, stateDir })).toContain("secret receipt-signing: made, shared");
    expect(await receiptKeyIn(stateDir)).not.toBe(await receiptKeyIn(todoku.stateDir));
    expect(await stageOf()).toEqual({ name: stage, secretsFrom: [] });
  });

  it("that is there already may be given the secrets of another", async () => {
    await todoku.admin.call("POST", "/v1/environments", { name: stage }, anyAnswer);
    const lines = await setUp({ todokuUrl: todoku.url, stage, secretsStage: "dev", stateDir });
    expect(lines[0]).toBe("environment feat-x: reads the shared secrets of dev");
    expect(await receiptKeyIn(stateDir)).toBe(await receiptKeyIn(todoku.stateDir));
  });

  it("is refused the third party's key of a stage that does not share it, and its set-up says what to do", async () => {
    const path = `/v1/secrets/${names.receiptSecret}`;
    await todoku.admin.call("POST", path, { value: "x", shared: false }, anyAnswer);
    onTestFinished(() => todoku.admin.call("POST", path, { value: "x", shared: true }, anyAnswer).then(() => {}));
    await expect(setUp({ todokuUrl: todoku.url, stage, secretsStage: "dev", stateDir })).rejects.toThrow(
      "stage feat-x cannot read secret receipt-signing of dev: mark it there",
    );
  });

  it("keeps no key that could do more than its processes", async () => {
    await setUp({ todokuUrl: todoku.url, stage, secretsStage: "dev", stateDir });
    const key = z.object({ apiKey: z.string() });
    const request = { superUser: true, validForSeconds: 60 };
    const { apiKey } = await todoku.admin.call("POST", `/v1/environments/${stage}/keys`, request, key);
    const admin = new Todoku(todoku.url, fixedCredential(apiKey));
    const keys = z.object({ keys: z.array(z.object({ superUser: z.boolean() })) });
    const listed = (await admin.call("GET", "/v1/keys", undefined, keys)).keys;
    expect(listed.filter(({ superUser }) => superUser)).toHaveLength(1); // the one that asks
    expect(listed).toHaveLength(5);
  });

  it("is set up by a super user of it who is no operator, where the server knows no open access", async () => {
    await using server = await aServer({ devKey: true });
    const operator = new Todoku(server.url, fixedCredential(server.devKey));
    const { key } = await operator.call(
      "POST",
      "/v1/environments",
      { name: stage },
      z.object({ key: z.object({ apiKey: z.string() }) }),
    );
    const own = join(todoku.stateDir, "own");
    const lines = await setUp({ todokuUrl: server.url, apiKey: key.apiKey, stage, stateDir: own });
    expect(lines.filter((line) => line.startsWith("key file "))).toHaveLength(2);
    await rm(own, { recursive: true });
  });
});

describe("the options of a stage", () => {
  it("are taken out of a command line, wherever they stand; the rest is left", () => {
    expect(readStageOptions(["--port", "1", "--stage", "feat-x", "--secrets-stage=dev", "--dev-key"])).toEqual({
      stageOptions: { STAGE: "feat-x", SECRETS_STAGE: "dev" },
      rest: ["--port", "1", "--dev-key"],
    });
    expect(readStageOptions([])).toEqual({ stageOptions: {}, rest: [] });
  });

  it.each([["--stage"], ["--stage="], ["--secrets-stage"]])("say that %s needs a name", (arg) => {
    expect(() => readStageOptions([arg])).toThrow(SettingsError);
  });
});
