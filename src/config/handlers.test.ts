import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { aDirectory } from "../../test/support/server.ts";
import { shownValue } from "./fields.ts";
import { loadConfig } from "./load.ts";
import type { ConfigError } from "./problems.ts";

const load = (handlers: unknown) => loadConfig({ mode: "dev", env: { TODOKU_HANDLERS: JSON.stringify(handlers) } });

function problemsOf(handlers: unknown): readonly string[] {
  try {
    load(handlers);
    return [];
  } catch (error) {
    return (error as ConfigError).problems;
  }
}

describe("handlers", () => {
  it("are written by name, and get what they do not say", () => {
    expect(load({}).config.handlers).toEqual({});
    const { tasks } = load({ tasks: { command: ["node:./tasks.handler"], sources: [{ queue: "tasks" }] } }).config
      .handlers;
    expect(tasks).toEqual({
      command: ["node:./tasks.handler"],
      directory: process.cwd(),
      sources: [{ queue: "tasks" }],
      timeoutSeconds: 30,
      concurrency: 1,
      grants: [],
      env: {},
      secrets: {},
    });
  });

  it("start in the folder of the file that has them, and a relative directory begins there", async () => {
    await using directory = await aDirectory();
    const file = join(directory.path, "todoku.yaml");
    const handlers = {
      a: { ...good },
      b: { ...good, directory: "app" },
      c: { ...good, directory: "/app" },
      d: { url },
    };
    await writeFile(file, JSON.stringify({ handlers }));
    const { config } = loadConfig({ mode: "dev", file: relative(process.cwd(), file) });
    expect(Object.values(config.handlers).map((one) => one.directory)).toEqual([
      ...[directory.path, join(directory.path, "app"), "/app", undefined],
    ]);
  });

  const url = "http://a.example/";
  const from = "(TODOKU_HANDLERS)";
  const good = { command: ["node:./a.handler"] };
  it.each([
    [{}, `handlers.a ${from}: give a command or a url, one of the two`],
    [{ ...good, url: "http://a.example" }, `handlers.a ${from}: give a command or a url, one of the two`],
    [{ ...good, urlSecret: `whsec_${"a".repeat(32)}` }, `handlers.a.urlSecret ${from}: goes with a url only`],
    [{ url: "http://a.example", env: { A: "1" } }, `handlers.a.env ${from}: goes with a command only`],
    [{ url: "http://a.example", directory: "x" }, `handlers.a.directory ${from}: goes with a command only`],
    [{ ...good, comand: 1 }, `handlers.a.comand ${from}: this is no field: is command meant?`],
    [
      { ...good, timeoutSeconds: 901 },
      `handlers.a.timeoutSeconds ${from}: Too big: expected number to be <=900; it is 901`,
    ],
    [{ ...good, concurrency: 0 }, `handlers.a.concurrency ${from}: Too small: expected number to be >=1; it is 0`],
    [{ ...good, sources: [{}] }, `handlers.a.sources[0] ${from}: give a queue or a topic, one of the two`],
    [{ ...good, sources: [{ queue: "q", cache: "c" }] }, `handlers.a.sources[0].cache ${from}: goes not with a queue`],
    [
      { ...good, sources: [{ topic: "t", batchSize: 5 }] },
      `handlers.a.sources[0].batchSize ${from}: goes not with a topic`,
    ],
    [
      { ...good, sources: [{ queue: "q", batchSize: 11 }] },
      `handlers.a.sources[0].batchSize ${from}: Too big: expected number to be <=10; it is 11`,
    ],
    [{ ...good, sources: [{ queue: "q" }, { queue: "q" }] }, `handlers.a.sources[1] ${from}: is there twice`],
    [{ ...good, grants: ["all"] }, `handlers.a.grants[0] ${from}: must be a grant, or a statement as IAM has them`],
    [{ ...good, env: { AWS_REGION: "x" } }, `handlers.a.env.AWS_REGION ${from}: is a variable that the server sets`],
    [{ ...good, env: { "1A": "x" } }, `handlers.a.env.1A ${from}: must be a name of an environment variable`],
    [
      { ...good, env: { A: "x" }, secrets: { A: "b" } },
      `handlers.a.secrets.A ${from}: is a variable of env too: give one of the two`,
    ],
    [{ ...good, functionUrl: "all" }, `handlers.a.functionUrl ${from}: must be one of "none", "jwt"; it is "all"`],
  ])("that are wrong are told by their place: %j", (handler, problem) => {
    const [first = "", ...others] = problemsOf({ a: handler });
    expect(first).toContain(problem);
    expect(others).toEqual([]);
  });

  it("have names that an address can hold", () => {
    const [problem] = problemsOf({ "a b": good });
    expect(problem).toContain("must be 1 to 64 of A-Z, a-z, 0-9, - and _");
  });

  it("show neither their variables nor their secret, where they are right and where they are wrong", () => {
    const secret = `whsec_${"a".repeat(32)}`;
    const { settings } = load({
      a: { ...good, env: { A: "hush" } },
      b: { url: "http://b.example", urlSecret: secret },
    });
    const setting = settings.find(({ field }) => field.path === "handlers");
    if (!setting) throw new Error("there is no setting of handlers");
    const shown = JSON.stringify(shownValue(setting.field, setting.value));
    expect(shown).toContain("node:./a.handler");
    expect(shown).not.toMatch(/hush|whsec_/);
    const wrong = [
      problemsOf({ a: { ...good, env: { AWS_REGION: "hush" } } }),
      problemsOf({ a: { ...good, env: "hush" } }),
    ];
    expect(wrong.flat()).toHaveLength(2);
    expect(wrong.flat().join("\n")).not.toContain("hush");
  });
});
