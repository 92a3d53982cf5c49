// The backends of the articles, in handlers of our own writing (examples/aws-handlers), end to end: real sockets, SDKs and processes on one server that
// runs with the example's own configuration.
import {
  ApiGatewayManagementApiClient,
  GoneException,
  PostToConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";
import { DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { CreateQueueCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { GetParameterCommand, PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { type AccessKey, type AwsServer, anAwsServer, pythonAws } from "../support/aws.ts";
import { runCommand } from "../support/cli.ts";
import { connect, type Frame, type GatewayClient, socketUrl } from "../support/gateway.ts";
import { anIssuer } from "../support/issuer.ts";
import { keyCredential, momentoClients, type Received, subscribe } from "../support/momento-node.ts";

const example = "examples/aws-handlers";
const parameter = "/notification-service/dev/momento-api-key";
const page = "https://app.example";
const {
  aws,
  handlers: settings,
  functions,
} = loadConfig({ mode: "dev", file: `${example}/todoku.config.yaml` }).config;
/** Whose rights are tried; token-vending-machine has those of process-task. */
const names = ["queue-task", "process-task", "sumu-demo"];

let issuer: Awaited<ReturnType<typeof anIssuer>>;
let server: AwsServer;
/** What its handlers sign with, by the name of the handler. */
const keys = new Map<string, AccessKey>();

/** The example's, where tasks take no time and rotated keys are looked for at each call; the demo in JavaScript in an environment of its own. */
function handlers() {
  const quick = { WORK_MS: "1", PARAMETER_CACHE_MS: "0" };
  const examples = Object.entries(settings).map(([name, handler]) => [
    name,
    { ...handler, env: { ...handler.env, ...quick } },
  ]);
  const javaScript = { ...settings["sumu-demo"], command: ["node:demo-server.handler"], environment: "js" };
  const probes = names.map((name) => [
    `probe-${name}`,
    {
      ...{ command: ["node:credentials-handler.handler"], directory: "test/support" },
      grants: settings[name]?.grants,
    },
  ]);
  return Object.fromEntries([...examples, ["sumu-demo-js", javaScript], ...probes]);
}

beforeAll(async () => {
  issuer = await anIssuer();
  const provider = { issuer: issuer.issuer, jwksUri: issuer.jwksUri };
  server = await anAwsServer({
    aws,
    handlers: handlers(),
    functions: { restApis: functions.restApis.map((api) => ({ ...api, origins: [page] })) },
    gateway: {
      authorizers: [
        { ...provider, audiences: ["app"] },
        { ...provider, audiences: ["js"], environment: "js" },
      ],
      presence: { graceSeconds: 0.1 },
    },
  });
  await server.api.post("/v1/environments", { name: "js" });
  const env = { TODOKU_URL: server.url, TODOKU_API_KEY: server.superUser.secretAccessKey };
  const applied = runCommand(["apply", "-f", `${example}/todoku.yaml`], env);
  expect([await applied.done, applied.stderr]).toEqual([0, expect.stringContaining("4 changes made")]);
  // Once is enough: the example tries five times before it gives a task up.
  const deadLetter = { queue: "tasks-dead", maxReceives: 1 };
  await server.api.call("PATCH", "/v1/queues/tasks", { deadLetter });
  await ready(server.api);
  for (const name of names) {
    const { payload } = await server.api.post(`/v1/handlers/probe-${name}/invocations`, {});
    keys.set(name, payload);
  }
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

/** A handler that has a source or a process to start is tried until it works. */
async function ready(api: AwsServer["api"]): Promise<void> {
  const areReady = async () => {
    const { handlers: all } = await api.get("/v1/handlers");
    return all.every(({ state }: Frame) => state === "ready");
  };
  await vi.waitUntil(areReady, { timeout: 30_000 });
}

/** A socket of a user who is signed in. */
async function join(sub: string, aud = "app"): Promise<GatewayClient> {
  return connect(`${socketUrl(server)}?authorization=${await issuer.token({ sub, aud })}`);
}

/** What a page of the demo sends. */
const chat = (action: string, text: string, mode: string, users?: string[]) => ({
  action,
  message: { type: "message", message: { text, push_mode: mode, users, user_id: "mallory" } },
});

const chatFrame = (client: GatewayClient, text: string): Promise<Frame> =>
  client.until(() => client.frames.find(({ message }) => (message as { text?: string } | undefined)?.text === text));

/** Presence of a user, as a client has heard of it. */
const presenceOf = (client: GatewayClient, user: string) =>
  client.frames
    .filter(({ type, message }) => type === "presence" && (message as { user_id: string }).user_id === user)
    .map(({ message }) => (message as { status: string }).status);

describe("the backend of SUMU's demo", () => {
  it.each([
    ["Python with boto3 1.26", "app"],
    ["JavaScript", "js"],
  ])("in %s answers by SQS what comes by SQS, and by SNS what comes by SNS", async (_, aud) => {
    const [alice, bob] = [await join("alice", aud), await join("bob", aud)];
    alice.send(chat("send", "to all by SQS", "BROADCAST"));
    expect(await chatFrame(bob, "to all by SQS")).toEqual({
      type: "message",
      message: { text: "to all by SQS", user_id: "alice", timestamp: expect.any(Number) },
    });
    bob.send(chat("publish", "to alice by SNS", "MULTICAST", ["alice"]));
    expect(await chatFrame(alice, "to alice by SNS")).toMatchObject({ message: { user_id: "bob" } });
    bob.send(chat("publish", "to myself", "UNICAST"));
    await chatFrame(bob, "to myself");
    const texts = ({ frames }: GatewayClient) =>
      frames.flatMap(({ type, message }) => (type === "message" ? [(message as { text: string }).text] : []));
    expect([texts(alice), texts(bob)]).toEqual([["to alice by SNS"], ["to all by SQS", "to myself"]]);
    await alice.close();
    await bob.close();
  });

  it("tells of a killed socket once, and boto3 and the SDK that it is gone", async () => {
    const [carol, dave] = [await join("carol"), await join("dave")];
    const { connectionId } = await dave.ask({ action: "ping" });
    await carol.until(() => presenceOf(carol, "dave")[0]);
    const whoIsThere = async () => {
      const seen = carol.frames.length;
      carol.send({ action: "publish", message: { type: "get_connected_users" } });
      const answer = await carol.until(() => carol.frames.slice(seen).find(({ type }) => type === "connected_users"));
      return (answer.message as { users: string[] }).users;
    };
    expect(await whoIsThere()).toEqual(["dave"]);

    dave.socket.terminate();
    await dave.closed;
    await carol.until(() => presenceOf(carol, "dave")[1]);
    const endpoint = `${server.url}/push`;
    const api = new ApiGatewayManagementApiClient({ ...server.clientOptions(), endpoint });
    const post = new PostToConnectionCommand({ ConnectionId: String(connectionId), Data: "{}" });
    await expect(api.send(post)).rejects.toBeInstanceOf(GoneException);
    expect(await pythonAws(goneScript(endpoint, String(connectionId)), server.environment())).toBe("gone\n");
    expect(await whoIsThere()).toEqual([]);
    const { connections } = await server.api.get("/v1/connections");
    expect(connections.map(({ userId }: Frame) => userId)).toEqual(["carol"]);

    const again = await join("dave");
    await carol.until(() => presenceOf(carol, "dave")[2]);
    expect(presenceOf(carol, "dave")).toEqual(["ONLINE", "OFFLINE", "ONLINE"]);
    await again.close();
    await carol.close();
  });
});

const goneScript = (endpoint: string, connectionId: string) => `
import boto3
api = boto3.client("apigatewaymanagementapi", endpoint_url="${endpoint}")
try:
    api.post_to_connection(ConnectionId="${connectionId}", Data=b"{}")
except api.exceptions.GoneException:
    print("gone")
`;

describe("the notification service", () => {
  let token: string;
  let user: Received;
  let vended: Record<string, unknown>;
  const call = (path: string, init: RequestInit = {}) => fetch(`${server.url}/dev${path}`, init);
  const queueTask = async (body?: string) => {
    const headers = { authorization: `Bearer ${token}`, origin: page };
    const response = await call("/task", { method: "POST", headers, ...(body !== undefined && { body }) });
    return [response.status, await response.text(), response.headers.get("access-control-allow-origin")];
  };
  const told = () => user.items.map((item) => item.value());

  beforeAll(async () => {
    token = await issuer.token({ sub: "erin" });
    const answer = await call("/token", { headers: { authorization: `Bearer ${token}` } });
    vended = (await answer.json()) as Record<string, unknown>;
    const clients = momentoClients(keyCredential(String(vended.token), server.port));
    user = await subscribe(clients.topics, String(vended.cacheName), "erin");
  });
  afterAll(() => user.subscription.unsubscribe());

  it("lets pages of its origin call, and read that they must sign in", async () => {
    const asked = { origin: page, "access-control-request-method": "POST" };
    const preflight = await call("/task", { method: "OPTIONS", headers: asked });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, page]);
    const refused = await call("/task", { method: "POST", headers: { origin: page } });
    expect([refused.status, await refused.json()]).toEqual([401, { message: "Unauthorized" }]);
    expect(refused.headers.get("access-control-allow-origin")).toBe(page);
  });

  it("gives a user a token for the user's own topic, in the article's four fields", async () => {
    const expiresAt = { _doesExpire: true, validUntil: expect.any(Number) };
    const endpoint = `127.0.0.1:${server.port}`;
    expect(vended).toEqual({ endpoint, token: expect.any(String), cacheName: "notifications", expiresAt });
    const { topics } = momentoClients(keyCredential(String(vended.token), server.port));
    await expect(subscribe(topics, "notifications", "frank")).rejects.toThrow("PERMISSION");
  });

  it("answers a task with 202 and nothing, and tells its user when it is done", async () => {
    const accepted = [202, "", page];
    expect(await queueTask('{"data":"the report"}')).toEqual(accepted);
    await user.waitFor(1);
    expect(told()).toEqual(["Finished task: the report"]);
  });

  it("puts a task that cannot be done aside, alone, as it was queued: its payload is the text of the request, or null", async () => {
    const bodies = [undefined, '{"data":"one"}', '{"data": broken', '{"data":"two"}'];
    await Promise.all(bodies.map(queueTask));
    await user.waitFor(3);
    await expect.poll(() => counts("tasks"), { timeout: 20_000 }).toEqual({ ready: 0, delayed: 0, inFlight: 0 });
    expect(told().slice(1).toSorted()).toEqual(["Finished task: one", "Finished task: two"]);
    const sqs = new SQSClient(server.clientOptions());
    const dead = new ReceiveMessageCommand({ QueueUrl: "tasks-dead", MaxNumberOfMessages: 10 });
    const { Messages = [] } = await sqs.send(dead);
    expect(Messages.map(({ Body }) => Body).toSorted()).toEqual([
      '{"userId":"erin","payload":"{\\"data\\": broken"}',
      '{"userId":"erin","payload":null}',
    ]);
  });

  it("works on with a key that takes the place of the one before", async () => {
    const { oldExpiresAtMs } = await server.api.post("/v1/keys/rotate", { secret: parameter, overlapSeconds: 0 });
    expect(oldExpiresAtMs).toBeLessThanOrEqual(Date.now());
    expect((await queueTask('{"data":"after"}'))[0]).toBe(202);
    await user.waitFor(4);
    expect(told().at(-1)).toBe("Finished task: after");
    expect((await call("/token", { headers: { authorization: token } })).status).toBe(200);
  });

  const counts = async (queue: string) => (await server.api.get(`/v1/queues/${queue}`)).messages;
});

describe("a handler", () => {
  it.each([
    ["queue-task", ["send tasks"]],
    ["process-task", ["read the parameter"]],
    ["sumu-demo", ["publish notifications", "send notifications", "read the table"]],
  ])("%s may do what its statements say, and nothing else: %j", async (name, allowed) => {
    const found: Record<string, string> = {};
    for (const [what, attempt] of attempts(server.clientOptions(keys.get(name)))) {
      found[what] = await attempt().then(
        () => "allowed",
        (error: Error) => error.name.replace(/^(Access|Forbidden|Authorization).*/, "denied"),
      );
    }
    const wanted = Object.keys(found).map((what) => [what, allowed.includes(what) ? "allowed" : "denied"]);
    expect(found).toEqual(Object.fromEntries(wanted));
  });
});

/** What the rights of one handler allow, and what those of none do. */
function attempts(options: ReturnType<AwsServer["clientOptions"]>): [string, () => Promise<unknown>][] {
  const [sqs, sns, ssm] = [new SQSClient(options), new SNSClient(options), new SSMClient(options)];
  const [secrets, tables] = [new SecretsManagerClient(options), new DynamoDBClient(options)];
  const connections = new ApiGatewayManagementApiClient(options);
  const send = (QueueUrl: string) => () => sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "{}" }));
  const arn = "arn:aws:sns:us-east-1:000000000000";
  const publish = (name: string) => () => sns.send(new PublishCommand({ TopicArn: `${arn}:${name}`, Message: "{}" }));
  const Value = "S3CRET";
  return [
    ["send tasks", send("tasks")],
    ["send notifications", send("notifications")],
    ["send messages", send("messages")],
    ["receive tasks", () => sqs.send(new ReceiveMessageCommand({ QueueUrl: "tasks-dead" }))],
    ["make a queue", () => sqs.send(new CreateQueueCommand({ QueueName: "mine" }))],
    ["publish notifications", publish("notifications")],
    ["publish messages", publish("messages")],
    ["read the parameter", () => ssm.send(new GetParameterCommand({ Name: parameter, WithDecryption: true }))],
    ["read another", () => ssm.send(new GetParameterCommand({ Name: "/other", WithDecryption: true }))],
    ["write the parameter", () => ssm.send(new PutParameterCommand({ Name: parameter, Value, Overwrite: true }))],
    ["read a secret", () => secrets.send(new GetSecretValueCommand({ SecretId: "other" }))],
    ["read the table", () => tables.send(new ScanCommand({ TableName: "SumuConnections" }))],
    [
      "write to a connection",
      () => connections.send(new PostToConnectionCommand({ ConnectionId: "L0SM9cOFvHcCIhw=", Data: "{}" })),
    ],
  ];
}
