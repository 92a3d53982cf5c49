// Lambda's API with the clients of AWS, and functions of Node and Python behind it.
import { resolve } from "node:path";
import {
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  type InvokeCommandInput,
  LambdaClient,
  paginateListFunctions,
} from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AccessKey, anAwsServer, pythonAws } from "../support/aws.ts";
import { aFunctionEndpoint } from "../support/function-endpoint.ts";

const directory = resolve("test/support");
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let server: Awaited<ReturnType<typeof anAwsServer>>;
let client: LambdaClient;
let busy: Awaited<ReturnType<typeof aFunctionEndpoint>>;

beforeAll(async () => {
  busy = await aFunctionEndpoint(() => null);
  server = await anAwsServer({
    handlers: {
      "node-echo": { command: ["node:./web-functions.echo"], directory, timeoutSeconds: 2 },
      "python-echo": { command: ["python:./python_functions.echo"], directory },
      "python-fails": { command: ["python:./python_functions.fails"], directory },
      busy: { url: busy.url, timeoutSeconds: 0.5 },
    },
  });
  client = new LambdaClient(server.clientOptions());
});
afterAll(async () => {
  client.destroy();
  await server[Symbol.asyncDispose]();
  await busy[Symbol.asyncDispose]();
});

/** The payload as the value that it is. */
async function invoke(input: InvokeCommandInput, from = client) {
  const { Payload, ...output } = await from.send(new InvokeCommand(input));
  const text = Payload?.transformToString() ?? "";
  return { ...output, payload: text === "" ? undefined : JSON.parse(text) };
}

describe("Invoke", () => {
  it.each(["node-echo", "python-echo"])(
    "calls %s and gives its result",
    async (name) => {
      const output = await invoke({ FunctionName: name, Payload: '{"n":[1,"é"]}' });
      expect(output).toMatchObject({ StatusCode: 200, ExecutedVersion: "$LATEST" });
      expect(output.payload).toEqual({ event: { n: [1, "é"] }, id: expect.stringMatching(uuid) });
      expect(output.FunctionError).toBeUndefined();
    },
    20_000,
  );

  it.each([
    "arn:aws:lambda:eu-west-1:123456789012:function:node-echo",
    "arn:aws:lambda:us-east-1:000000000000:function:node-echo:$LATEST",
    "000000000000:function:node-echo",
    "node-echo:$LATEST",
  ])("takes the name %s", async (FunctionName) => {
    expect((await invoke({ FunctionName })).payload.event).toEqual({});
  });

  it("says of a function that fails that it did, and how", async () => {
    const failed = await invoke({ FunctionName: "node-echo", Payload: '{"fails":true}' });
    expect(failed).toMatchObject({ StatusCode: 200, FunctionError: "Unhandled" });
    expect(failed.payload).toMatchObject({ errorType: "TypeError", errorMessage: "no good" });
    const { payload } = await invoke({ FunctionName: "python-fails" });
    expect(payload).toMatchObject({ errorType: "ValueError", errorMessage: "no good" });
  }, 20_000);

  it("says of a function whose time is over that it is", async () => {
    const late = await invoke({ FunctionName: "node-echo", Payload: '{"waits":true}' });
    expect(late.FunctionError).toBe("Unhandled");
    expect(late.payload.errorMessage).toMatch(/Task timed out after 2\.00 seconds$/);
  }, 20_000);

  it("gives the end of the log when it is asked to", async () => {
    const { LogResult = "" } = await invoke({ FunctionName: "node-echo", LogType: "Tail" });
    expect(Buffer.from(LogResult, "base64").toString()).toContain("node got it\n");
  }, 20_000);

  it("of kind Event is answered at once, and runs", async () => {
    const ended = Promise.withResolvers<null>();
    busy.state.answer = () => ended.promise;
    const output = await invoke({ FunctionName: "busy", InvocationType: "Event", Payload: '{"n":5}' });
    expect([output.StatusCode, output.payload]).toEqual([202, undefined]);
    await busy.find(({ n }) => n === 5);
    ended.resolve(null);
  });

  it("of kind Event that fails, or whose turn never comes, is in the handler's log", async () => {
    busy.state.answer = () => new Promise(() => {});
    for (const n of [6, 7]) {
      await invoke({ FunctionName: "busy", InvocationType: "Event", Payload: JSON.stringify({ n }) });
    }
    // The second may get its turn in the moment in which its time is over.
    const lost = /^the event of request \S+ was lost: (Sandbox\.Timedout|handler "busy" was busy for 500 ms)$/;
    await expect
      .poll(
        async () => {
          const { lines } = await server.api.get("/v1/handlers/busy/logs");
          return lines.filter(({ text }: { text: string }) => lost.test(text)).length;
        },
        { timeout: 5000 },
      )
      .toBe(2);
    busy.state.answer = () => null;
  });

  it("of kind DryRun only says whether it could be", async () => {
    expect((await invoke({ FunctionName: "busy", InvocationType: "DryRun" })).StatusCode).toBe(204);
    const nobody = invoke({ FunctionName: "nobody", InvocationType: "DryRun" });
    await expect(nobody).rejects.toMatchObject({ name: "ResourceNotFoundException" });
    expect(busy.events.filter(({ n }) => !(n >= 5))).toEqual([]);
  });

  it.each([
    [{ FunctionName: "nobody" }, "ResourceNotFoundException", 404],
    [{ FunctionName: "nobody", InvocationType: "Event" }, "ResourceNotFoundException", 404],
    [{ FunctionName: "node-echo", Qualifier: "7" }, "ResourceNotFoundException", 404],
    [{ FunctionName: "node-echo:prod" }, "ResourceNotFoundException", 404],
    [{ FunctionName: "node-echo", Payload: "{no JSON" }, "InvalidRequestContentException", 400],
    [{ FunctionName: "node-echo", InvocationType: "Sometimes" }, "InvalidParameterValueException", 400],
    [{ FunctionName: "a:b:c:d" }, "InvalidParameterValueException", 400],
  ])("with %j is refused with %s", async (input, name, httpStatusCode) => {
    await expect(invoke(input as InvokeCommandInput)).rejects.toMatchObject({ name, $metadata: { httpStatusCode } });
  });

  it("with an event past 6 MB is refused as too large", async () => {
    const Payload = JSON.stringify("x".repeat(6 * 1024 * 1024));
    const refused = { name: "RequestTooLargeException", $metadata: { httpStatusCode: 413 } };
    await expect(invoke({ FunctionName: "node-echo", Payload })).rejects.toMatchObject(refused);
  });

  it("needs the right to that function", async () => {
    const grants = [{ resource: "handler", role: "invoke", handler: { name: "node-echo" } }];
    const limited = new LambdaClient(server.clientOptions(await server.accessKey(grants)));
    expect((await invoke({ FunctionName: "node-echo" }, limited)).StatusCode).toBe(200);
    for (const InvocationType of ["RequestResponse", "Event", "DryRun"] as const) {
      const denied = invoke({ FunctionName: "busy", InvocationType }, limited);
      await expect(denied).rejects.toMatchObject({ name: "AccessDeniedException", $metadata: { httpStatusCode: 403 } });
    }
    // What it may not call it does not see.
    const { Functions } = (await paginateListFunctions({ client: limited }, {}).next()).value ?? {};
    expect(Functions?.map(({ FunctionName }) => FunctionName)).toEqual(["node-echo"]);
    limited.destroy();
  });
});

it("functions are listed and described", async () => {
  const { Functions } = (await paginateListFunctions({ client }, {}).next()).value ?? {};
  expect(Functions?.map(({ FunctionName }) => FunctionName).toSorted()).toEqual([
    ...["busy", "node-echo", "python-echo", "python-fails"],
  ]);
  const described = { FunctionArn: "arn:aws:lambda:us-east-1:000000000000:function:node-echo", Timeout: 2 };
  const { Configuration } = await client.send(new GetFunctionCommand({ FunctionName: "node-echo" }));
  expect(Configuration).toMatchObject({ ...described, State: "Active", Version: "$LATEST" });
  expect(await client.send(new GetFunctionConfigurationCommand({ FunctionName: "node-echo" }))).toMatchObject(
    described,
  );
  const nobody = client.send(new GetFunctionCommand({ FunctionName: "nobody" }));
  await expect(nobody).rejects.toMatchObject({ name: "ResourceNotFoundException" });
});

describe("boto3", () => {
  const python = async (script: string, key?: AccessKey): Promise<unknown> =>
    JSON.parse(await pythonAws(script, server.environment(key)));

  it("invokes, lists and hears of errors", async () => {
    const printed = await python(`
import boto3, json
client = boto3.client("lambda")
answer = client.invoke(FunctionName="python-echo", Payload=json.dumps({"n": 1}), LogType="Tail")
failed = client.invoke(FunctionName="python-fails")
try:
    client.invoke(FunctionName="nobody")
except client.exceptions.ResourceNotFoundException as error:
    code = error.response["Error"]["Code"]
print(json.dumps({
    "status": answer["StatusCode"],
    "event": json.load(answer["Payload"])["event"],
    "log": "LogResult" in answer,
    "error": failed["FunctionError"],
    "type": json.load(failed["Payload"])["errorType"],
    "code": code,
    "async": client.invoke(FunctionName="python-echo", InvocationType="Event")["StatusCode"],
    "names": len(client.list_functions()["Functions"]),
}))`);
    expect(printed).toEqual({
      ...{ status: 200, event: { n: 1 }, log: true, error: "Unhandled", type: "ValueError" },
      ...{ code: "ResourceNotFoundException", async: 202, names: 4 },
    });
  }, 30_000);
});
