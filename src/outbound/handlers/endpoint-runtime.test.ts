import { Webhook } from "standardwebhooks";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { aSecret } from "../../../test/support/deliveries.ts";
import { aTarget, type Received } from "../../../test/support/outbound-target.ts";
import type { HandlerDefinition } from "../../domain/handlers/handler.ts";
import { isTimedOut } from "../../domain/handlers/timed-out.ts";
import { limits } from "../../domain/limits.ts";
import { createGuardedClient } from "../../lib/guarded-client/guarded-client.ts";
import { createEndpointRuntime } from "./endpoint-runtime.ts";

type Answer = { status?: number; headers?: Record<string, string>; body?: string | Buffer } | "never";
let answer: Answer;
const target = await aTarget((_received, _request, response) => {
  if (answer === "never") return;
  response.writeHead(answer.status ?? 200, answer.headers ?? {}).end(answer.body ?? "");
});
const client = createGuardedClient({ allowed: [], permitsLoopback: true });
const wallMs = Date.now();
const runtime = createEndpointRuntime({ client, wallMs: () => wallMs, version: "1.2.3" });
beforeEach(() => {
  answer = { body: '{"a":1}' };
});
afterAll(async () => {
  await client.destroy();
  await target[Symbol.asyncDispose]();
});

const aDefinition = (run: HandlerDefinition["run"]): HandlerDefinition => ({
  ...{ environment: "dev", name: "h", sources: [], timeoutMs: 1000, concurrency: 1, grants: [], secrets: {} },
  ...{ variables: {}, functionUrl: undefined, run },
});
const parts = {
  credentials: { keyId: "k", apiKey: "never-sent", accessKeyId: "k", secretAccessKey: "never-sent-either" },
  ...{ environmentVariables: {}, log: () => {} },
};
const start = (url = target.url, secret?: string) =>
  runtime.start(aDefinition({ kind: "endpoint", url, secret }), parts);
const invocation = {
  ...{ id: "id-1", event: '{"grüße":1}', deadlineMs: 1_700_000_000_000, timeoutMs: 1000 },
  functionArn: "arn:aws:lambda:us-east-1:000000000000:function:h",
};
const invoke = async (next: Answer) => {
  answer = next;
  return (await start()).invoke(invocation);
};
const failedWith = (errorType: string, errorMessage: string) => ({
  ...{ kind: "error", isHandled: false, payload: JSON.stringify({ errorMessage, errorType }) },
});

describe("a handler behind a URL", () => {
  it("that is stopped waits for no answer", async () => {
    answer = "never";
    const one = await start();
    const before = target.received.length;
    const result = one.invoke({ ...invocation, timeoutMs: 60_000 });
    await expect.poll(() => target.received.length).toBe(before + 1);
    await one.stop();
    expect(await result).toEqual(failedWith("Runtime.Stopped", "the handler is stopping"));
  });

  it("is posted the event, and its JSON is the result; it gets none of the keys", async () => {
    expect(await invoke({ body: ' {"a":1}\n' })).toEqual({ kind: "success", payload: ' {"a":1}\n' });
    const { headers, body } = target.received.at(-1) as Received;
    expect(body.toString()).toBe('{"grüße":1}');
    expect(headers).toMatchObject({
      ...{ "content-type": "application/json", "user-agent": "Todoku/1.2.3 (Handlers)" },
      ...{ "lambda-runtime-aws-request-id": "id-1", "lambda-runtime-deadline-ms": "1700000000000" },
      "lambda-runtime-invoked-function-arn": invocation.functionArn,
    });
    expect(headers).not.toHaveProperty("webhook-signature");
    expect(JSON.stringify(headers)).not.toContain("never-sent");
    expect(await invoke({ status: 202 })).toEqual({ kind: "success", payload: "null" });
  });

  it("can verify a signed call with the library of Standard Webhooks, and no changed one", async () => {
    const secret = aSecret();
    await (await start(target.url, secret)).invoke(invocation);
    const { headers, body } = target.received.at(-1) as Received;
    expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toEqual({ grüße: 1 });
    expect(() => new Webhook(secret).verify("{}", headers as Record<string, string>)).toThrow("No matching signature");
  });

  it("fails with another status, with what is no JSON, and with too much of it", async () => {
    expect(await invoke({ status: 500, body: "{}" })).toEqual(
      failedWith("Endpoint.Status", "the endpoint answered 500"),
    );
    expect(await invoke({ body: "<html>" })).toEqual(failedWith("Runtime.InvalidResponse", "the answer is no JSON"));
    expect(await invoke({ body: Buffer.from([0x22, 0xff, 0x22]) })).toMatchObject({ kind: "error" });
    const large = await invoke({ body: `"${"x".repeat(limits.handler.resultMaxBytes)}"` });
    expect(large).toEqual(failedWith("Function.ResponseSizeTooLarge", "the result must have <= 6291456 bytes"));
  });

  it("says by Lambda's own header that its answer is an error", async () => {
    const body = '{"errorMessage":"m","errorType":"T"}';
    const headers = (word: string) => ({ "x-amz-function-error": word });
    expect(await invoke({ body, headers: headers("Handled") })).toEqual({
      ...{ kind: "error", isHandled: true, payload: body },
    });
    expect(await invoke({ body, headers: headers("Unhandled") })).toMatchObject({ isHandled: false });
  });

  it("fails in time when it does not answer, and when nobody is there", async () => {
    answer = "never";
    const late = await (await start()).invoke({ ...invocation, timeoutMs: 50 });
    expect(isTimedOut(late)).toBe(true);
    const gone = await aTarget();
    await gone[Symbol.asyncDispose]();
    expect(await (await start(gone.url)).invoke(invocation)).toMatchObject({
      payload: expect.stringContaining("Endpoint.Unreachable"),
    });
  });

  it("is not started where it may not be called", async () => {
    await expect(start("http://10.0.0.1/?token=hush")).rejects.toMatchObject({
      code: "unavailable",
      message: 'handler "h" cannot be called: 10.0.0.1 is no public address, and not permitted',
    });
  });
});
