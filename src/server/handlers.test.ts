import { describe, expect, it } from "vitest";
import { ConfigError } from "../config/problems.ts";
import { type ConfigInput, configSchema } from "../config/schema.ts";
import { limits } from "../domain/limits.ts";
import { definitionsOf } from "./handlers.ts";

const definitions = (handlers: ConfigInput["handlers"], mode: "dev" | "production" = "dev") =>
  definitionsOf(configSchema.parse({ handlers }).handlers, mode);

function problemsOf(...given: Parameters<typeof definitions>): readonly string[] {
  try {
    definitions(...given);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const command = ["node:./a.handler"];
const directory = import.meta.dirname;

describe("handlers of the configuration", () => {
  it("are what they say, and what is not said", () => {
    const all = definitions({
      tasks: {
        command,
        directory,
        sources: [
          { queue: "tasks" },
          { queue: "more", batchSize: 2, windowSeconds: 1.5 },
          { topic: "messages", filter: { source: ["x"] } },
          { topic: "news", cache: "own" },
        ],
        timeoutSeconds: 1.5,
        grants: [{ Effect: "Allow", Action: "sqs:SendMessage", Resource: "arn:aws:sqs:x:y:answers" }],
        env: { A: "1" },
        secrets: { B: "b" },
        functionUrl: "jwt",
      },
      hook: { url: "http://127.0.0.1:9000/", environment: "prod" },
    });
    expect(all).toEqual([
      {
        ...{ environment: "dev", name: "tasks", timeoutMs: 1500, concurrency: 1 },
        run: { kind: "command", command, directory },
        sources: [
          { kind: "queue", queue: "tasks", batchSize: 10, windowMs: 0 },
          { kind: "queue", queue: "more", batchSize: 2, windowMs: 1500 },
          {
            ...{ kind: "topic", cache: "events", topic: "messages" },
            filter: { scope: "attributes", policy: { source: ["x"] } },
          },
          { kind: "topic", cache: "own", topic: "news" },
        ],
        grants: [{ resource: "queue", role: "send", queue: { name: "answers" } }],
        variables: { A: "1" },
        secrets: { B: "b" },
        functionUrl: { auth: "jwt" },
      },
      {
        ...{ environment: "prod", name: "hook", timeoutMs: 30_000, concurrency: 1, sources: [], grants: [] },
        run: { kind: "endpoint", url: "http://127.0.0.1:9000/", secret: undefined },
        ...{ variables: {}, secrets: {}, functionUrl: undefined },
      },
    ]);
  });

  it("that are wrong are all told, each by its name", () => {
    const grants = [{ Effect: "Allow", Action: "sqs:CreateQueue", Resource: "*" }];
    const sources = [{ topic: "t", filter: { a: [{ like: 1 }] } }];
    expect(problemsOf({ a: { command, grants }, b: { command, sources }, c: { command } })).toEqual([
      'handlers.a: the action "sqs:CreateQueue" is none that a handler can be given',
      expect.stringMatching(/^handlers\.b: .*like/),
    ]);
  });

  it("start in a directory that is there", () => {
    const wrong = [`${directory}/none`, import.meta.filename];
    expect(problemsOf({ a: { command, directory: wrong[0] }, b: { command, directory: wrong[1] } })).toEqual([
      `handlers.a.directory: there is no directory ${wrong[0]}`,
      `handlers.b.directory: there is no directory ${wrong[1]}`,
    ]);
  });

  it("must say their environment in production, which has no default", () => {
    expect(problemsOf({ a: { command }, b: { command, environment: "prod" } }, "production")).toEqual([
      "handlers.a.environment: must be given: todoku start has no default",
    ]);
  });

  it("are at most so many in one environment", () => {
    const { perEnvironment } = limits.handler;
    const many = Array.from({ length: perEnvironment + 1 }, (_, n) => [`h${n}`, { command }]);
    expect(problemsOf(Object.fromEntries(many))).toEqual([
      `handlers: ${perEnvironment + 1} of environment "dev" must be <= ${perEnvironment}`,
    ]);
    expect(problemsOf(Object.fromEntries(many.slice(1)))).toEqual([]);
  });
});
