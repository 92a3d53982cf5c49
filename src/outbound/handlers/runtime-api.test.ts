import { once } from "node:events";
import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Invocation } from "../../domain/handlers/runtime.ts";
import { limits } from "../../domain/limits.ts";
import { openRuntimeApi, type RuntimeApi } from "./runtime-api.ts";

let api: RuntimeApi;
beforeEach(async () => {
  api = await openRuntimeApi("");
});
afterEach(() => api.close());

const anInvocation = (id = "id-1", event = '{"a":1}'): Invocation => ({
  ...{ id, event, deadlineMs: 1_700_000_000_000, timeoutMs: 1000 },
  functionArn: "arn:aws:lambda:us-east-1:000000000000:function:h",
});
const urlOf = (path: string) => `http://${api.address}/2018-06-01/runtime/${path}`;
const next = () => fetch(urlOf("invocation/next"));
const post = async (path: string, body: string) => {
  const response = await fetch(urlOf(path), { method: "POST", body });
  return [response.status, await response.json()];
};
const ok = [202, { status: "OK" }];

describe("the runtime API", () => {
  it("holds a call for work open until there is some, and hands it over with Lambda's headers", async () => {
    const asked = next();
    expect(await api.init).toEqual({ kind: "ready" });
    const result = api.invoke(anInvocation());
    const response = await asked;
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/json",
      "lambda-runtime-aws-request-id": "id-1",
      "lambda-runtime-deadline-ms": "1700000000000",
      "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:000000000000:function:h",
    });
    expect(await response.text()).toBe('{"a":1}');
    expect(await post("invocation/id-1/response", '{"b":2}')).toEqual(ok);
    expect(await result).toEqual({ kind: "success", payload: '{"b":2}' });
  });

  it("hands over at once what was there before it was asked, and takes an error", async () => {
    const result = api.invoke(anInvocation());
    expect(await (await next()).text()).toBe('{"a":1}');
    const error = '{"errorMessage":"m","errorType":"T","stackTrace":[]}';
    expect(await post("invocation/id-1/error", error)).toEqual(ok);
    expect(await result).toEqual({ kind: "error", isHandled: true, payload: error });
  });

  it("reads one result at a time, and none that it has not asked for", async () => {
    const result = api.invoke(anInvocation());
    await next();
    const headers = { expect: "100-continue" };
    const first = request(urlOf("invocation/id-1/response"), { method: "POST", headers });
    const answered = new Promise<number | undefined>((done) => first.on("response", (one) => done(one.statusCode)));
    first.flushHeaders();
    await once(first, "continue");
    expect(await post("invocation/id-1/response", "2")).toMatchObject([400, { errorType: "InvalidRequestID" }]);
    first.end('{"b":1}');
    expect(await answered).toBe(202);
    expect(await result).toEqual({ kind: "success", payload: '{"b":1}' });
  });

  it("takes nothing at all for null, and refuses as a result what is no JSON", async () => {
    for (const [body, expected] of [
      ["", { kind: "success", payload: "null" }],
      ["no json", { kind: "error", isHandled: false, payload: expect.stringContaining("Runtime.InvalidResponse") }],
    ] as const) {
      const result = api.invoke(anInvocation());
      await next();
      expect(await post("invocation/id-1/response", body)).toEqual(ok);
      expect(await result).toEqual(expected);
    }
  });

  it("answers a result of another id, a second one, and one before the invocation was taken with 400", async () => {
    const refused = [400, { errorType: "InvalidRequestID", errorMessage: expect.any(String) }];
    expect(await post("invocation/id-1/response", "1")).toEqual(refused);
    const result = api.invoke(anInvocation());
    expect(await post("invocation/id-1/response", "1")).toEqual(refused);
    await next();
    expect(await post("invocation/other/response", "1")).toEqual(refused);
    expect(await post("invocation/id-1/response", "1")).toEqual(ok);
    expect(await post("invocation/id-1/response", "2")).toEqual(refused);
    expect(await result).toEqual({ kind: "success", payload: "1" });
  });

  it("answers who asks for work while the last has no result with 403, and an unknown path with 404", async () => {
    void api.invoke(anInvocation());
    await next();
    expect((await next()).status).toBe(403);
    expect((await fetch(urlOf("invocation"))).status).toBe(404);
    expect((await fetch(urlOf("invocation/next"), { method: "POST" })).status).toBe(404);
    expect((await fetch(`http://${api.address}/2015-03-31/runtime/invocation/next`)).status).toBe(404);
  });

  it("takes an error of the start, once, and only before work is asked for", async () => {
    const error = '{"errorMessage":"m","errorType":"T"}';
    expect(await post("init/error", error)).toEqual(ok);
    expect(await api.init).toEqual({ kind: "error", payload: error });
    void next();
    void api.invoke(anInvocation());
    await expect.poll(() => api.hasTaken("id-1")).toBe(true);
    expect((await post("init/error", error))[0]).toBe(403);
  });

  it("refuses a result past the bound with 413: the invocation has failed", async () => {
    const result = api.invoke(anInvocation());
    await next();
    const body = `"${"x".repeat(limits.handler.resultMaxBytes)}"`;
    expect((await post("invocation/id-1/response", body))[0]).toBe(413);
    expect(await result).toMatchObject({ kind: "error", payload: expect.stringContaining("ResponseSizeTooLarge") });
  });

  it("takes whoever asks twice for one who has lost the first answer", async () => {
    const first = next();
    await api.init;
    const second = next();
    await expect(first).rejects.toThrow();
    void api.invoke(anInvocation());
    expect(await (await second).text()).toBe('{"a":1}');
  });

  it("is for runtimes only: what a web page can send is refused, under whatever name it comes", async () => {
    const [host = "", port] = api.address.split(":");
    void api.invoke(anInvocation());
    const status = (headers: Record<string, string>) =>
      new Promise((resolve, reject) => {
        const path = "/2018-06-01/runtime/invocation/next";
        request({ host, port, path, headers }, (response) => resolve(response.resume().statusCode))
          .on("error", reject)
          .end();
      });
    expect(await status({ host: `evil.example:${port}` })).toBe(403);
    expect(await status({ host: `${host}:${port}`, origin: "http://evil.example" })).toBe(403);
    expect(await status({ host: `${host}:${port}`, "sec-fetch-site": "cross-site" })).toBe(403);
    expect(await status({ host: `${host}:${port}` })).toBe(200);
  });

  it("with a secret in its address answers nobody who does not know it", async () => {
    const closed = await openRuntimeApi("0123456789abcdef");
    try {
      const [host] = closed.address.split("/");
      expect(closed.address).toBe(`${host}/0123456789abcdef`);
      expect((await fetch(`http://${host}/2018-06-01/runtime/invocation/next`)).status).toBe(404);
      void closed.invoke(anInvocation());
      const answer = await fetch(`http://${closed.address}/2018-06-01/runtime/invocation/next`);
      expect([answer.status, await answer.text()]).toEqual([200, '{"a":1}']);
    } finally {
      closed.close();
    }
  });
});
