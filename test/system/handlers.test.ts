// Handlers by configuration, each a process: fed by queues and topics, with a key of their own that can do what it says and nothing else.
import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { JsonApi } from "../support/json-api.ts";
import { startDevProcess } from "../support/process.ts";
import { aDirectory, aServer } from "../support/server.ts";

const directory = resolve("test/support");
const sqs = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`;
const topicArn = "arn:aws:sns:us-east-1:000000000000:messages";
const allow = (Action: string, Resource: string) => ({ Effect: "Allow", Action, Resource });

const probe = {
  command: ["node:./handler-functions.probe"],
  directory,
  grants: [
    { resource: "topic", role: "publish", cache: { name: "own" }, topic: { name: "news" } } as const,
    allow("sqs:SendMessage", sqs("own")),
    allow("ssm:GetParameter*", "arn:aws:ssm:us-east-1:000000000000:parameter/app/key"),
  ],
};

let server: Awaited<ReturnType<typeof aServer>>;
let api: JsonApi;
beforeAll(async () => {
  server = await aServer({
    handlers: {
      tasks: {
        command: ["python:worker_functions.tasks"],
        directory,
        sources: [{ queue: "tasks", batchSize: 4 }],
        timeoutSeconds: 1,
        grants: [allow("sns:Publish", topicArn)],
        env: { TOPIC_ARN: topicArn },
      },
      relay: {
        command: ["node:./handler-functions.relay"],
        directory,
        sources: [{ topic: "messages", filter: { kind: [{ "anything-but": ["secret"] }] } }],
        grants: [allow("sqs:SendMessage", sqs("answers"))],
      },
      probe: { ...probe, env: { STAGE: "test" }, secrets: { APP_KEY: "/app/key" } },
      broken: { command: ["node:./handler-functions.nothing"], directory },
    },
  });
  api = new JsonApi(server.port);
  await api.post("/v1/secrets/%2Fapp%2Fkey", { value: "hush" });
  await api.post("/v1/caches", { name: "own" });
  for (const name of ["answers", "dead", "own", "other"]) await api.post("/v1/queues", { name });
  await api.post("/v1/queues", { name: "tasks", deadLetter: { queue: "dead", maxReceives: 2 } });
});
afterAll(() => server[Symbol.asyncDispose]());

/** Bodies of the next messages of a queue, for good; waits for so many. */
async function take(queue: string, count: number) {
  const bodies: unknown[] = [];
  while (bodies.length < count) {
    const { messages } = await api.post(`/v1/queues/${queue}/receive`, { maxMessages: 10, waitSeconds: 20 });
    const receiptHandles = messages.map(({ receiptHandle }: { receiptHandle: string }) => receiptHandle);
    bodies.push(...messages.map(({ body }: { body: string }) => JSON.parse(body)));
    if (receiptHandles.length > 0) await api.post(`/v1/queues/${queue}/delete`, { receiptHandles });
  }
  return bodies;
}

const send = (queue: string, ...bodies: object[]) =>
  api.post(`/v1/queues/${queue}/send`, {
    messages: bodies.map((body) => ({
      body: JSON.stringify(body),
      attributes: { user_id: { type: "String", value: "alice" } },
    })),
  });

/** What the probe answers. */
const ask = async (event: object) => (await api.post("/v1/handlers/probe/invocations", event)).payload;
const info = (name: string) => api.get(`/v1/handlers/${name}`);

describe("handlers", () => {
  it("work off a queue in Python and a topic in Node, and their answers come out at the other end", async () => {
    await send("tasks", { id: "1" }, { id: "2", kind: "secret" }, { id: "3" });
    expect(await take("answers", 2)).toEqual([
      { source: "aws:sns", message: { done: "1", by: "alice" }, kind: "task" },
      { source: "aws:sns", message: { done: "3", by: "alice" }, kind: "task" },
    ]);
  });

  it("lose none of what they fail on: it is tried again alone, and then lies with the dead letters", async () => {
    await send("tasks", { id: "4" }, { id: "5", do: "fail" }, { id: "6", do: "throw" });
    const dead = await take("dead", 2);
    expect(dead.map((task) => (task as { id: string }).id).toSorted()).toEqual(["5", "6"]);
    // The whole batch came back for the sake of the one that threw: the good one is done twice, which at least once allows.
    expect(await take("answers", 2)).toMatchObject([{ message: { done: "4" } }, { message: { done: "4" } }]);
    expect(await info("tasks")).toMatchObject({ state: "ready", lastError: { message: expect.any(String) } });
  });

  it("that hang are ended when their time is over, and work on", async () => {
    const { counts: before } = await info("tasks");
    await send("tasks", { id: "7", do: "hang" });
    expect(await take("dead", 1)).toEqual([{ id: "7", do: "hang" }]);
    await send("tasks", { id: "8" });
    expect(await take("answers", 1)).toMatchObject([{ message: { done: "8" } }]);
    expect((await info("tasks")).counts.timedOut).toBe(before.timedOut + 2);
  });

  it("that cannot be started say why, and the others work", async () => {
    const { handlers } = await api.get("/v1/handlers");
    expect(handlers.map(({ name, state }: { name: string; state: string }) => `${name} ${state}`)).toEqual([
      "broken failing",
      "probe ready",
      "relay ready",
      "tasks ready",
    ]);
    expect((await info("broken")).lastError.message).toContain("nothing");
  });

  it("keep their process, and have their variables, their secrets and none of the server's own", async () => {
    process.env.TODOKU_MASTER_KEY_OF_TEST = "hush";
    const variables = ["STAGE", "APP_KEY", "TODOKU_MASTER_KEY_OF_TEST", "NODE_ENV", "AWS_LAMBDA_FUNCTION_NAME"];
    const first = await ask({ variables });
    expect(first.variables).toEqual({ STAGE: "test", APP_KEY: "hush", AWS_LAMBDA_FUNCTION_NAME: "probe" });
    delete process.env.TODOKU_MASTER_KEY_OF_TEST;
    expect((await ask({})).calls).toBe(first.calls + 1);
  });

  it("can do what their grants say, and nothing else", async () => {
    const message = { messages: [{ body: "x" }] };
    const { statuses, ...aws } = await ask({
      calls: [
        ["POST", "/v1/topics/own/news", { text: "x" }],
        ["POST", "/v1/queues/own/send", message],
        ["GET", "/v1/secrets/%2Fapp%2Fkey"],
        ["POST", "/v1/topics/own/other", { text: "x" }],
        ["POST", "/v1/topics/events/notifications", { text: "{}" }],
        ["POST", "/v1/queues/other/send", message],
        ["POST", "/v1/queues/own/receive", {}],
        ["POST", "/v1/queues", { name: "new" }],
        ["DELETE", "/v1/queues/own"],
        ["GET", "/v1/secrets/other"],
        ["POST", "/v1/secrets/%2Fapp%2Fkey", { value: "mine" }],
        ["GET", "/v1/keys"],
        ["POST", "/v1/keys", { superUser: true }],
        [
          "POST",
          "/v1/tokens",
          { grants: [{ resource: "queue", role: "send", queue: { name: "own" } }], validForSeconds: 60 },
        ],
        ["GET", "/v1/environments"],
        ["GET", "/v1/connections"],
        ["POST", "/v1/notifications", { data: 1 }],
        ["POST", "/v1/handlers/relay/invocations", {}],
        ["GET", "/v1/handlers"],
        ["GET", "/v1/handlers/probe/logs"],
        ["POST", "/v1/caches/own/flush"],
      ],
      receive: "own",
      parameter: "/app/key",
    });
    const [good, bad] = [statuses.slice(0, 3), statuses.slice(3)];
    for (const status of good) expect(status).toMatch(/ 2\d\d$/);
    for (const status of bad) expect(status).toMatch(/ 40[034]$/);
    expect(bad.filter((status: string) => !status.endsWith("403"))).toEqual([]);
    expect(aws).toMatchObject({ queueUrl: "ok", parameter: "ok" });
    expect(aws.received).toMatch(/AccessDenied/);
    expect((await ask({ parameter: "/app/other" })).parameter).toMatch(/AccessDenied/);
  });
});

describe("the key of a handler", () => {
  const handlers = JSON.stringify({ probe: { ...probe, env: {} } });
  /** Its key, from the handler's own mouth, and a call with it. */
  const keyOf = async (port: number) => {
    const answer = await new JsonApi(port).post("/v1/handlers/probe/invocations", { variables: ["TODOKU_API_KEY"] });
    return answer.payload.variables.TODOKU_API_KEY as string;
  };
  const works = async (port: number, key: string) =>
    (await new JsonApi(port, key).status("POST", "/v1/queues/own/send", { messages: [{ body: "x" }] })) !== 401;
  const namesOf = async (port: number) =>
    ((await new JsonApi(port).get("/v1/keys")).keys as { name?: string }[]).map(({ name = "" }) => name);

  it("is void when the server has stopped, and when it was killed with the next start", async () => {
    await using data = await aDirectory();
    const start = (env: Record<string, string>) => startDevProcess(["--port", "0", "--data-dir", data.path], env);
    const first = await start({ TODOKU_HANDLERS: handlers });
    const stopped = await keyOf(first.port);
    expect(await works(first.port, stopped)).toBe(true);
    await first.end("SIGTERM");

    const second = await start({ TODOKU_HANDLERS: handlers });
    expect(await works(second.port, stopped)).toBe(false);
    const killed = await keyOf(second.port);
    expect(await works(second.port, killed)).toBe(true);
    await second.end("SIGKILL");

    const third = await start({});
    await expect.poll(() => namesOf(third.port)).toEqual([]);
    expect(await works(third.port, killed)).toBe(false);
    await third.end("SIGTERM");
  });
});
