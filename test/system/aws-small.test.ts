// AWS clients as they are against @connections, SSM, Secrets Manager and the connections table: Debian's boto3 and the JavaScript SDKs.
import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GetConnectionCommand,
  GoneException,
  PayloadTooLargeException,
  PostToConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";
import { BatchWriteItemCommand, DynamoDBClient, QueryCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import {
  GetParameterCommand,
  GetParametersCommand,
  ParameterAlreadyExists,
  ParameterNotFound,
  PutParameterCommand,
  SSMClient,
} from "@aws-sdk/client-ssm";
import middy from "@middy/core";
import ssmMiddleware from "@middy/ssm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits } from "../../src/domain/limits.ts";
import { type AwsServer, anAwsServer, pythonAws } from "../support/aws.ts";
import { signedHeaders } from "../support/aws-signing.ts";
import { connect, type GatewayClient, socketUrl } from "../support/gateway.ts";

let server: AwsServer;
beforeAll(async () => {
  server = await anAwsServer({ aws: { connectionsTable: "SumuConnections" } });
});
afterAll(() => server[Symbol.asyncDispose]());

interface Joined {
  readonly client: GatewayClient;
  readonly id: string;
}

/** A socket of the user; its id as its client is told it. */
async function join(userId: string): Promise<Joined> {
  const grants = [{ resource: "route", role: "invoke", route: { all: true } }];
  const { token } = await server.api.post("/v1/tokens", { grants, userId, validForSeconds: 600 });
  const client = await connect(`${socketUrl(server)}?authorization=${token}`);
  const { connectionId } = await client.ask({ action: "ping" });
  return { client, id: String(connectionId) };
}

const python = async (script: string, env: Record<string, string> = {}) =>
  JSON.parse(await pythonAws(`import boto3, json\n${script}`, { ...server.environment(), ...env })) as unknown;
const managementOptions = (prefix = "/push") => {
  const options = server.clientOptions();
  return { ...options, endpoint: `${options.endpoint}${prefix}` };
};

describe("@connections", () => {
  it("takes messages of the JavaScript SDK, and says GoneException of a socket that is gone", async () => {
    const api = new ApiGatewayManagementApiClient(managementOptions());
    const { client, id: ConnectionId } = await join("alice");
    const Data = JSON.stringify({ type: "notification", n: 1 });
    await api.send(new PostToConnectionCommand({ ConnectionId, Data }));
    expect(await client.ofType("notification")).toEqual({ type: "notification", n: 1 });
    const about = await api.send(new GetConnectionCommand({ ConnectionId }));
    expect(about.ConnectedAt).toBeInstanceOf(Date);
    expect(about.Identity).toMatchObject({ SourceIp: "127.0.0.1" });
    const large = api.send(new PostToConnectionCommand({ ConnectionId, Data: "x".repeat(131_073) }));
    await expect(large).rejects.toBeInstanceOf(PayloadTooLargeException);
    const larger = api.send(
      new PostToConnectionCommand({ ConnectionId, Data: "x".repeat(limits.aws.bodyMaxBytes + 1) }),
    );
    await expect(larger).rejects.toMatchObject({ name: "PayloadTooLargeException" });
    await api.send(new DeleteConnectionCommand({ ConnectionId }));
    expect((await client.closed)[0]).toBe(4503);
    for (const command of [
      new PostToConnectionCommand({ ConnectionId, Data }),
      new GetConnectionCommand({ ConnectionId }),
      new DeleteConnectionCommand({ ConnectionId }),
    ]) {
      // One union of three commands fits none of the overloads.
      const gone = api.send(command as PostToConnectionCommand);
      await expect(gone).rejects.toBeInstanceOf(GoneException);
      await expect(gone).rejects.toMatchObject({ $metadata: { attempts: 1, httpStatusCode: 410 } });
    }
  });

  it("takes any bytes of UTF-8 whatever their Content-Type says, as curl says form of all", async () => {
    const { client, id } = await join("alice");
    const path = `/push/@connections/${encodeURIComponent(id)}`;
    const post = async (body: string) => {
      const headers = { host: new URL(server.url).host, "content-type": "application/x-www-form-urlencoded" };
      const signing = { ...server.superUser, service: "execute-api" };
      const { host: _, ...signed } = await signedHeaders({ method: "POST", path, headers, body }, signing);
      return (await fetch(server.url + path, { method: "POST", headers: signed, body })).status;
    };
    const n = "a&".repeat(limits.aws.formMaxFields);
    expect(await post(JSON.stringify({ type: "x", n }))).toBe(200);
    expect(await client.ofType("x")).toEqual({ type: "x", n });
    await client.close();
  });

  it("takes messages of boto3 as the article's pusher sends them, and lets it prune who is gone", async () => {
    const { client, id } = await join("alice");
    const left = await join("bob");
    await left.client.close();
    const script = `
api = boto3.client("apigatewaymanagementapi", endpoint_url=f"{ENDPOINT}/mvp")
said = []
for connection_id in (${JSON.stringify([id, left.id])}):
    try:
        api.post_to_connection(ConnectionId=connection_id, Data=json.dumps({"type": "message", "text": "ü"}))
        said.append("sent")
    except Exception as error:
        is_typed = isinstance(error, api.exceptions.GoneException)
        said.append([error.response["Error"]["Code"], is_typed])
about = api.get_connection(ConnectionId=${JSON.stringify(id)})
print(json.dumps([said, about["ConnectedAt"].year > 2000, about["Identity"]["SourceIp"]]))`;
    const endpoint = `ENDPOINT = ${JSON.stringify(server.url)}\n`;
    expect(await python(endpoint + script)).toEqual([["sent", ["GoneException", true]], true, "127.0.0.1"]);
    expect(await client.ofType("message")).toEqual({ type: "message", text: "ü" });
    await client.close();
  });

  it("is for access keys that may send to connections, and these may do nothing else", async () => {
    const { client, id: ConnectionId } = await join("alice");
    const key = await server.accessKey([{ resource: "connection", role: "send", user: { all: true } }]);
    const api = new ApiGatewayManagementApiClient({ ...managementOptions(), credentials: key });
    await api.send(new PostToConnectionCommand({ ConnectionId, Data: '{"type":"x"}' }));
    expect(await client.ofType("x")).toEqual({ type: "x" });
    const forbidden = { name: "ForbiddenException" };
    await expect(api.send(new GetConnectionCommand({ ConnectionId }))).rejects.toMatchObject(forbidden);
    const ssm = new SSMClient(server.clientOptions(key));
    await expect(ssm.send(new GetParameterCommand({ Name: "/x" }))).rejects.toMatchObject({
      name: "AccessDeniedException",
    });
    await client.close();
  });
});

describe("SSM", () => {
  it("gives Middy the parameter that the article reads, in batches and by path", async () => {
    const ssm = new SSMClient(server.clientOptions());
    const path = "/notification-api/dev";
    for (let n = 0; n < 12; n++) {
      const parameter = { Name: `${path}/p${n}`, Value: `value ${n}`, Type: "SecureString" } as const;
      await ssm.send(new PutParameterCommand(parameter));
    }
    const fetchData = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`key${n}`, `${path}/p${n}`]));
    const handler = middy<unknown, unknown, Error, Record<string, unknown>>()
      .use(
        ssmMiddleware({
          fetchData: { ...fetchData, all: `${path}/` },
          ...{ awsClientOptions: server.clientOptions(), setToContext: true, cacheExpiry: 0, disablePrefetch: true },
        }),
      )
      .handler((_event, context) => context);
    const context = await handler({}, {} as never);
    expect(context).toMatchObject({ key0: "value 0", key9: "value 9", key11: "value 11" });
    expect(context).toMatchObject({ all: { p0: "value 0", p11: "value 11" } });
  });

  it("raises what the SDK has classes for", async () => {
    const ssm = new SSMClient(server.clientOptions());
    const missing = ssm.send(new GetParameterCommand({ Name: "/nothing" }));
    await expect(missing).rejects.toBeInstanceOf(ParameterNotFound);
    const put = () => ssm.send(new PutParameterCommand({ Name: "/once", Value: "x", Type: "String" }));
    expect(await put()).toMatchObject({ Version: 1 });
    await expect(put()).rejects.toBeInstanceOf(ParameterAlreadyExists);
    const { Parameters, InvalidParameters } = await ssm.send(new GetParametersCommand({ Names: ["/once", "/no"] }));
    expect(Parameters?.[0]).toMatchObject({ Name: "/once", Value: "x", LastModifiedDate: expect.any(Date) });
    expect(InvalidParameters).toEqual(["/no"]);
  });

  it("serves a plain boto3.client with nothing but the environment", async () => {
    const script = `
ssm = boto3.client("ssm")
ssm.put_parameter(Name="/py/a", Value="one", Type="SecureString")
ssm.put_parameter(Name="/py/a", Value="two", Overwrite=True)
ssm.put_parameter(Name="/py/b", Value="x", Type="String")
read = ssm.get_parameter(Name="/py/a", WithDecryption=True)["Parameter"]
names = [p["Name"] for page in ssm.get_paginator("get_parameters_by_path").paginate(Path="/py", MaxResults=1) for p in page["Parameters"]]
try:
    ssm.get_parameter(Name="/py/nothing")
except ssm.exceptions.ParameterNotFound as error:
    missing = error.response["Error"]["Code"]
gone = ssm.delete_parameters(Names=["/py/a", "/py/b"])["DeletedParameters"]
print(json.dumps([read["Value"], read["Version"], read["LastModifiedDate"].year > 2000, names, missing, gone]))`;
    expect(await python(script)).toEqual(["two", 2, true, ["/py/a", "/py/b"], "ParameterNotFound", ["/py/a", "/py/b"]]);
  });
});

describe("Secrets Manager", () => {
  it("keeps texts and bytes of the JavaScript SDK, and raises what it has classes for", async () => {
    const manager = new SecretsManagerClient(server.clientOptions());
    const create = () => manager.send(new CreateSecretCommand({ Name: "js/db", SecretString: "one" }));
    const { ARN: SecretId } = await create();
    await expect(create()).rejects.toBeInstanceOf(ResourceExistsException);
    await manager.send(new PutSecretValueCommand({ SecretId, SecretBinary: Uint8Array.of(0, 255) }));
    expect(await manager.send(new GetSecretValueCommand({ SecretId: "js/db" }))).toMatchObject({
      ...{ SecretBinary: Uint8Array.of(0, 255), VersionStages: ["AWSCURRENT"], CreatedDate: expect.any(Date) },
    });
    const previous = new GetSecretValueCommand({ SecretId, VersionStage: "AWSPREVIOUS" });
    expect(await manager.send(previous)).toMatchObject({ SecretString: "one" });
    const missing = manager.send(new GetSecretValueCommand({ SecretId: "nothing" }));
    await expect(missing).rejects.toBeInstanceOf(ResourceNotFoundException);
  });

  it("serves boto3, on an endpoint of its own when the environment names one", async () => {
    const script = `
manager = boto3.client("secretsmanager")
arn = manager.create_secret(Name="py/db", SecretString="one")["ARN"]
manager.put_secret_value(SecretId=arn, SecretString="two")
values = [manager.get_secret_value(SecretId="py/db", VersionStage=stage)["SecretString"] for stage in ("AWSCURRENT", "AWSPREVIOUS")]
manager.delete_secret(SecretId="py/db", ForceDeleteWithoutRecovery=True)
try:
    manager.get_secret_value(SecretId=arn)
except manager.exceptions.ResourceNotFoundException as error:
    values.append(error.response["Error"]["Code"])
print(json.dumps(values))`;
    const endpoints = { AWS_ENDPOINT_URL_SECRETS_MANAGER: server.url, AWS_ENDPOINT_URL: "http://127.0.0.1:1" };
    expect(await python(script, endpoints)).toEqual(["two", "one", "ResourceNotFoundException"]);
  });
});

describe("the connections table", () => {
  it("answers what the article's handlers ask with boto3's table", async () => {
    const [alice, bob] = [await join("alice"), await join("bob")];
    const script = `
import time
from boto3.dynamodb.conditions import Key
table = boto3.resource("dynamodb").Table("SumuConnections")
others = table.scan(
    FilterExpression="NOT(#user_id in (:id0))",
    ExpressionAttributeNames={"#user_id": "user_id"},
    ExpressionAttributeValues={":id0": "alice"},
)["Items"]
own = table.query(KeyConditionExpression=Key("user_id").eq("alice"))["Items"]
with table.batch_writer() as batch:
    for item in own:
        batch.delete_item(Key={"user_id": item["user_id"], "connection_id": item["connection_id"]})
left = table.query(KeyConditionExpression=Key("user_id").eq("alice"))["Count"]
try:
    table.put_item(Item={"user_id": "x", "connection_id": "y"})
except table.meta.client.exceptions.ClientError as error:
    refused = error.response["Error"]["Code"]
print(json.dumps([[i["connection_id"] for i in others], [i["connection_id"] for i in own], own[0]["delete_at"] > time.time(), left, refused]))`;
    expect(await python(script)).toEqual([[bob.id], [alice.id], true, 1, "ValidationException"]);
    const dynamodb = new DynamoDBClient(server.clientOptions());
    const TableName = "SumuConnections";
    expect((await dynamodb.send(new ScanCommand({ TableName }))).Count).toBe(2);
    const query = new QueryCommand({
      ...{ TableName, KeyConditionExpression: "user_id = :u", ExpressionAttributeValues: { ":u": { S: "bob" } } },
    });
    expect((await dynamodb.send(query)).Items?.[0]?.connection_id).toEqual({ S: bob.id });
    const Key = { user_id: { S: "x" }, connection_id: { S: "gone" } };
    const RequestItems = { [TableName]: [{ DeleteRequest: { Key } }] };
    expect((await dynamodb.send(new BatchWriteItemCommand({ RequestItems }))).UnprocessedItems).toEqual({});
    await Promise.all([alice.client.close(), bob.client.close()]);
  });
});
