// The door for AWS clients as a whole: boto3 and the JavaScript SDKs as they are, and what is none of them.
import { once } from "node:events";
import { type ClientHttp2Session, connect as http2Connect } from "node:http2";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { ApiGatewayManagementApiClient, GetConnectionCommand } from "@aws-sdk/client-apigatewaymanagementapi";
import { CreateQueueCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { GetParameterCommand, PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { limits } from "../../src/domain/limits.ts";
import { createLog } from "../../src/lib/leveled-log.ts";
import { startServer } from "../../src/server/server.ts";
import { type AccessKey, type AwsServer, anAwsServer, pythonAws } from "../support/aws.ts";
import { signedHeaders } from "../support/aws-signing.ts";
import { SettableMachine } from "../support/clock.ts";
import { aDirectory, aServer } from "../support/server.ts";

let server: AwsServer;
beforeAll(async () => {
  server = await anAwsServer();
  await sqs().send(new CreateQueueCommand({ QueueName: "orders" }));
});
afterAll(() => server[Symbol.asyncDispose]());

const sqs = (key?: AccessKey) => new SQSClient(server.clientOptions(key));
const send = { resource: "queue", role: "send", queue: { name: "orders" } };
const receive = { resource: "queue", role: "receive", queue: { name: "empty" } };
const message = { QueueUrl: "orders", MessageBody: "hello" };

/** A call of boto3, and what it is told to sign with. */
interface PythonCall {
  /** Of the client `sqs`. */
  readonly call: string;
  readonly url?: string;
  readonly key: AccessKey & { readonly sessionToken?: string };
  readonly isUnsigned?: boolean;
}

/** What boto3 says of each: `ok`, or the code, the status and the message of its error. One process for all: it needs a second to start. */
async function python(calls: readonly PythonCall[]): Promise<string[]> {
  const given = calls.map(({ url = server.url, ...call }) => ({ url, ...call }));
  return JSON.parse(await pythonAws(pythonScript, { ...server.environment(), CALLS: JSON.stringify(given) }));
}
const pythonScript = `
import boto3, json, os
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
said = []
for given in json.loads(os.environ["CALLS"]):
    key = given["key"]
    sqs = boto3.client("sqs", endpoint_url=given["url"], aws_access_key_id=key["accessKeyId"],
        aws_secret_access_key=key["secretAccessKey"], aws_session_token=key.get("sessionToken"),
        config=Config(signature_version=UNSIGNED) if given.get("isUnsigned") else None)
    try:
        eval(given["call"])
        said.append("ok")
    except ClientError as error:
        told = error.response
        said.append(f"{told['Error']['Code']} {told['ResponseMetadata']['HTTPStatusCode']} {told['Error']['Message']}")
print(json.dumps(said))
`;
const pythonSend = 'sqs.send_message(QueueUrl="orders", MessageBody="hello")';
const stranger = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "x" };
const ssm = (key?: AccessKey) => new SSMClient(server.clientOptions(key));
const getParameter = new GetParameterCommand({ Name: "/x" });

describe("a good access key", () => {
  it("lets in the JavaScript SDK and boto3, in both wires, with what its grants permit and nothing else", async () => {
    const key = await server.accessKey([send]);
    expect(await sqs(key).send(new SendMessageCommand(message))).toMatchObject({
      MD5OfMessageBody: "5d41402abc4b2a76b9719d911017c592",
    });
    const refusal = { $metadata: { httpStatusCode: 403 } };
    await expect(sqs(key).send(new CreateQueueCommand({ QueueName: "others" }))).rejects.toMatchObject(refusal);
    await expect(ssm(key).send(getParameter)).rejects.toMatchObject({ ...refusal, name: "AccessDeniedException" });
    expect(
      await python([
        { call: pythonSend, key },
        { call: 'sqs.create_queue(QueueName="others")', key },
      ]),
    ).toEqual(["ok", expect.stringMatching(/^AccessDenied\w* 403 /)]);
  });

  it("is taken for whatever region, which answers echo", async () => {
    const client = new SSMClient({ ...server.clientOptions(), region: "ap-south-2" });
    await client.send(new PutParameterCommand({ Name: "/region", Value: "v", Type: "SecureString" }));
    const { Parameter } = await client.send(new GetParameterCommand({ Name: "/region", WithDecryption: true }));
    expect(Parameter?.ARN).toBe("arn:aws:ssm:ap-south-2:000000000000:parameter/region");
  });

  it("ends a receive that waits when its key is deleted, and is refused from then on", async () => {
    await sqs().send(new CreateQueueCommand({ QueueName: "empty" }));
    const key = await server.accessKey([receive]);
    const client = sqs(key);
    const poll = new ReceiveMessageCommand({ QueueUrl: "empty", WaitTimeSeconds: 20 });
    const waiting = client.send(poll).catch((error) => error);
    await waitingPolls(1);
    expect(await server.api.status("DELETE", `/v1/keys/${key.keyId}`)).toBe(204);
    expect(await waiting).toMatchObject({ $metadata: { httpStatusCode: 403 }, message: "this API key was deleted" });
    await expect(client.send(poll)).rejects.toMatchObject({ message: "this access key is not known here" });
  });
});

/** Resolves when so many receives wait. */
async function waitingPolls(count: number, url = server.url): Promise<void> {
  for (;;) {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    if (new RegExp(`^todoku_queue_polls(\\{[^}]*\\})? ${count}$`, "m").test(metrics)) return;
  }
}

describe("who is refused", () => {
  it("is told why by the names that boto3 knows", async () => {
    const key = await server.accessKey([send]);
    const expired = await server.accessKey([send]);
    await server.api.call("PATCH", `/v1/keys/${expired.keyId}`, { expiresInSeconds: 0 });
    expect(
      await python([
        { call: pythonSend, key: { ...key, secretAccessKey: "wrong" } },
        { call: pythonSend, key: stranger },
        { call: pythonSend, key: expired },
        { call: pythonSend, key: { ...key, sessionToken: "session" } },
        { call: pythonSend, key, isUnsigned: true },
      ]),
    ).toEqual([
      expect.stringMatching(/^SignatureDoesNotMatch 403 the signature does not match: check the secret access key/),
      "InvalidClientTokenId 403 this access key is not known here",
      "InvalidClientTokenId 403 this API key has expired",
      expect.stringMatching(/^InvalidClientTokenId 403 session tokens/),
      expect.stringMatching(/^MissingAuthenticationToken 403 the request is not signed/),
    ]);
  });

  it("is told why by the names that the JavaScript SDK knows", async () => {
    const wrong = { ...(await server.accessKey([send])), secretAccessKey: "wrong" };
    const said = {
      $metadata: { httpStatusCode: 403 },
      message: expect.stringContaining("the signature does not match"),
    };
    await expect(sqs(wrong).send(new SendMessageCommand(message))).rejects.toMatchObject(said);
    await expect(ssm(wrong).send(getParameter)).rejects.toMatchObject({ ...said, name: "InvalidSignatureException" });
    await expect(ssm(stranger).send(getParameter)).rejects.toMatchObject({ name: "UnrecognizedClientException" });
  });

  it("with a clock that is an hour wrong hears the time: the JavaScript SDK sets its own by it, and comes through", async () => {
    await using later = await anAwsServer({}, { machineClocks: new SettableMachine(3_600_000) });
    await expect(new SSMClient(later.clientOptions()).send(getParameter)).rejects.toMatchObject({
      name: "RequestExpired",
      message: expect.stringContaining("Signature expired"),
    });
    await expect(new SSMClient({ ...later.clientOptions(), maxAttempts: 2 }).send(getParameter)).rejects.toMatchObject({
      name: "ParameterNotFound",
    });
  });
});

describe("dev mode", () => {
  it("takes what AWS clients sign with for the empty credential, but no page of another site, and no GET", async () => {
    await using open = await aServer();
    const { url } = open;
    const ours = { accessKeyId: "dev-0123456789abcdef", secretAccessKey: "any" };
    expect(
      await python([
        { call: 'sqs.create_queue(QueueName="q")', url, key: stranger },
        { call: "sqs.list_queues()", url, key: ours },
      ]),
    ).toEqual(["ok", "InvalidClientTokenId 403 this access key is not known here"]);
    const body = "Action=ListQueues&Version=2012-11-05";
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const page = await fetch(open.url, {
      method: "POST",
      body,
      headers: { ...headers, origin: "https://evil.example" },
    });
    expect([page.status, await page.text()]).toEqual([
      403,
      expect.stringContaining("<Code>MissingAuthenticationToken</Code>"),
    ]);
    const get = await fetch(`${open.url}/?${body}`);
    expect([get.status, await get.text()]).toEqual([403, expect.stringContaining("use POST")]);
    expect((await fetch(open.url, { method: "POST", body, headers })).status).toBe(200);
  });
});

describe("who calls too often", () => {
  it("is refused by the names that each service has for it", async () => {
    await using strict = await anAwsServer({ rates: { key: { callsPerSecond: 1, burst: 5 } } });
    const { accessKey } = strict;
    const refusalOf = async (call: () => Promise<unknown>) => {
      const settled = await Promise.allSettled(Array.from({ length: 7 }, call));
      return settled.flatMap((one) => (one.status === "rejected" ? [String(one.reason.name)] : [])).at(-1);
    };
    const optionsOf = async (grant: object) => strict.clientOptions(await accessKey([grant]));
    const queues = new SQSClient(await optionsOf(send));
    const sockets = await optionsOf({ resource: "connection", role: "read-write", user: { all: true } });
    const api = new ApiGatewayManagementApiClient({ ...sockets, endpoint: `${strict.url}/push` });
    const parameters = new SSMClient(await optionsOf({ resource: "secret", role: "read", secret: { all: true } }));
    expect([
      await refusalOf(() => queues.send(new SendMessageCommand(message))),
      await refusalOf(() => api.send(new GetConnectionCommand({ ConnectionId: "x" }))),
      await refusalOf(() => parameters.send(getParameter)),
    ]).toEqual(["RequestThrottled", "LimitExceededException", "ThrottlingException"]);
  });
});

describe("a gateway whose path is /", () => {
  it("leaves the requests of AWS clients to them", async () => {
    await using rooted = await anAwsServer({ gateway: { endpoints: [{ path: "/" }] } });
    const client = new SQSClient(rooted.clientOptions());
    expect((await client.send(new CreateQueueCommand({ QueueName: "q" }))).QueueUrl).toMatch(/\/000000000000\/q$/);
    expect((await fetch(rooted.url)).status).toBe(426);
  });
});

describe("what is no good request", () => {
  const post = (body: string | Uint8Array, headers: Record<string, string>, path = "/") =>
    fetch(server.url + path, { method: "POST", body: body as string, headers });

  it.each<[string, string | Uint8Array, Record<string, string>, number, RegExp]>([
    [
      "an unknown target",
      "{}",
      { "x-amz-target": "AWSStepFunctions.StartExecution" },
      400,
      /"__type":"UnknownOperationException"/,
    ],
    ["no action", "", { "content-type": "application/x-www-form-urlencoded" }, 400, /<Code>InvalidAction<\/Code>/],
    [
      "an action without a version",
      "Action=Publish",
      { "content-type": "application/x-www-form-urlencoded" },
      400,
      /<Message>Version must be one of 2012-11-05, 2010-03-31;/,
    ],
    [
      "a form that is no UTF-8",
      Buffer.from([0x41, 0xff]),
      { "content-type": "application/x-www-form-urlencoded" },
      400,
      /not valid UTF-8/,
    ],
    [
      "a form of many fields",
      "a=&".repeat(2500),
      { "content-type": "application/x-www-form-urlencoded" },
      400,
      /must have &lt;= 2500 fields/,
    ],
    [
      "a body that is too large",
      "x".repeat(limits.aws.bodyMaxBytes + 1),
      { "x-amz-target": "AmazonSQS.SendMessage" },
      413,
      /must have <= 3407872 bytes/,
    ],
    [
      "no signature",
      "{}",
      { "x-amz-target": "AmazonSQS.ListQueues" },
      403,
      /"__type":"MissingAuthenticationTokenException"/,
    ],
    [
      "a token",
      "{}",
      { "x-amz-target": "AmazonSQS.ListQueues", authorization: "Bearer x" },
      403,
      /tokens are for \/v1/,
    ],
  ])("is answered in the words of AWS: %s", async (_, body, headers, status, said) => {
    const response = await post(body, headers);
    expect([response.status, await response.text()]).toEqual([status, expect.stringMatching(said)]);
    expect(response.headers.get("x-amzn-requestid")).toMatch(/^[0-9a-f-]{36}$/);
    expect(Date.parse(response.headers.get("date") ?? "")).toBeGreaterThan(0);
  });

  it("says nothing to a page that asks whether it may call", async () => {
    const response = await fetch(`${server.url}/push/@connections/x`, {
      method: "OPTIONS",
      headers: { origin: "https://page.example" },
    });
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([204, null]);
  });

  it("takes HTTP/2 too, where :authority is the signed host", async () => {
    await using session = Object.assign(http2Connect(server.url), {
      [Symbol.asyncDispose]: async function (this: ClientHttp2Session) {
        this.destroy();
      },
    });
    const host = new URL(server.url).host;
    const request = {
      method: "POST",
      path: "/",
      headers: { host, "x-amz-target": "AmazonSQS.ListQueues" },
      body: "{}",
    };
    const { host: _, ...headers } = await signedHeaders(request, { ...server.superUser, service: "sqs" });
    const stream = session.request({ ...headers, ":method": "POST", ":path": "/", ":authority": host });
    stream.end(request.body);
    const [answer] = await once(stream, "response");
    expect([answer[":status"], await text(stream)]).toEqual([200, expect.stringContaining("/000000000000/orders")]);
  });

  it("leaves the requests of other doors to them, whatever they bring along", async () => {
    const response = await fetch(`${server.url}/v1/queues`, { headers: { "x-amz-target": "AmazonSQS.ListQueues" } });
    expect([response.status, response.headers.get("content-type")]).toEqual([401, "application/problem+json"]);
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    expect((await fetch(server.url)).status).toBe(200);
  });

  it("is cut short without an answer by its client, and the server goes on", async () => {
    const socket = connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write("POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: AmazonSQS.SendMessage\r\ncontent-length: 10\r\n\r\n{");
    socket.destroy();
    await once(socket, "close");
    expect(await sqs().send(new SendMessageCommand(message))).toHaveProperty("MessageId");
  });

  it("is counted by service, action and outcome, actions that a client invents as one", async () => {
    await sqs().send(new SendMessageCommand(message));
    const headers = { host: new URL(server.url).host, "x-amz-target": "AmazonSQS.InventedByOneWeKnow" };
    const { host: _, ...signed } = await signedHeaders(
      { method: "POST", path: "/", headers, body: "{}" },
      { ...server.superUser, service: "sqs" },
    );
    const known = await post("{}", signed);
    expect([known.status, await known.text()]).toEqual([
      400,
      expect.stringContaining("InventedByOneWeKnow is not offered"),
    ]);
    await post("{}", { "x-amz-target": "AmazonSQS.InventedByAStranger" });
    const table = { host: new URL(server.url).host, "x-amz-target": "DynamoDB_20120810.InventedForATable" };
    const { host: __, ...signedForTable } = await signedHeaders(
      { method: "POST", path: "/", headers: table, body: "{}" },
      { ...server.superUser, service: "dynamodb" },
    );
    expect(await (await post("{}", signedForTable)).text()).toContain("ValidationException");
    const path = "/push/@connections/x";
    const { host: ___, ...signedForPath } = await signedHeaders(
      { method: "PROPFIND", path, headers: { host: new URL(server.url).host }, body: "" },
      { ...server.superUser, service: "execute-api" },
    );
    expect((await fetch(server.url + path, { method: "PROPFIND", headers: signedForPath })).status).toBe(400);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toMatch(/^todoku_aws_calls_total\{service="sqs",action="SendMessage",outcome="ok"\} \d+$/m);
    expect(metrics).toMatch(/^todoku_aws_calls_total\{service="sqs",action="unknown",outcome="refused"\} \d+$/m);
    expect(metrics).not.toMatch(/Invented|PROPFIND/);
  });

  it("is not taken at all where the operator has switched the door off", async () => {
    await using off = await aServer({ aws: { enabled: false } });
    const response = await fetch(off.url, {
      method: "POST",
      body: "{}",
      headers: { "x-amz-target": "AmazonSQS.ListQueues" },
    });
    expect([response.status, response.headers.get("content-type")]).toEqual([405, "application/problem+json"]);
  });
});

describe("the log", () => {
  it("leaves no secret and no signature in the log, whatever the client did", async () => {
    await using directory = await aDirectory();
    const lines: string[] = [];
    const levels = { level: "debug", areas: {}, environments: {} } as const;
    const log = createLog(levels, { write: (line) => void lines.push(line) });
    const config = configSchema.parse({ port: 0, dataDir: directory.path, devKey: true });
    const logged = await startServer({ ...config, drain: { delaySeconds: 0, seconds: 0, graceSeconds: 0 } }, log);
    const { url, devKey = "" } = logged;
    const options = { endpoint: url, region: "us-east-1", maxAttempts: 1 };
    const key = { accessKeyId: "dev-key", secretAccessKey: devKey };
    await new SQSClient({ ...options, credentials: key }).send(new CreateQueueCommand({ QueueName: "q" }));
    const session = { ...key, secretAccessKey: "a-wrong-secret", sessionToken: "a-session-token" };
    await new SQSClient({ ...options, credentials: session }).send(new SendMessageCommand(message)).catch(() => {});
    await fetch(
      `${url}/?Action=ListQueues&X-Amz-Algorithm=x&X-Amz-Signature=a-signature&X-Amz-Security-Token=a-session-token`,
    );
    await fetch(url, {
      method: "POST",
      body: "{",
      headers: { "x-amz-target": "AmazonSQS.SendMessage", authorization: "Bearer a-bearer-token" },
    });
    await logged.close();
    const text = lines.join("");
    expect(text).toContain('"area":"aws"');
    const secrets = [devKey, "a-wrong-secret", "a-session-token", "a-signature", "a-bearer-token"];
    expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
    expect(/[0-9a-f]{64}/.test(text)).toBe(false);
  });
});

describe("a server that stops", () => {
  it("answers the receives that wait, and tells their clients to come back over another connection", async () => {
    await using leaving = await anAwsServer();
    await leaving.api.post("/v1/queues", { name: "q" });
    const { url } = leaving;
    const body = JSON.stringify({ QueueUrl: "q", WaitTimeSeconds: 20 });
    const headers = { host: new URL(url).host, "x-amz-target": "AmazonSQS.ReceiveMessage" };
    const signed = await signedHeaders(
      { method: "POST", path: "/", headers, body },
      { ...leaving.superUser, service: "sqs" },
    );
    const { host: _, ...rest } = signed;
    const waiting = fetch(url, { method: "POST", body, headers: rest });
    await waitingPolls(1, url);
    await leaving[Symbol.asyncDispose]();
    const response = await waiting;
    expect([response.status, await response.text(), response.headers.get("connection")]).toEqual([200, "{}", "close"]);
  });
});
