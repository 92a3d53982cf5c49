// Functions over HTTP: their URLs, and REST APIs in front of them. Most are the test's own, behind a URL; those of the article's style are processes.
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { aFunctionEndpoint, type FunctionEvent } from "../support/function-endpoint.ts";
import { anIssuer } from "../support/issuer.ts";
import { JsonApi } from "../support/json-api.ts";
import { aServer } from "../support/server.ts";

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const time = /^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/;
const page = "https://app.example";

let app: Awaited<ReturnType<typeof aFunctionEndpoint>>;
let issuer: Awaited<ReturnType<typeof anIssuer>>;
let server: Awaited<ReturnType<typeof aServer>>;
let api: JsonApi;

beforeAll(async () => {
  app = await aFunctionEndpoint(() => ({ statusCode: 200 }));
  issuer = await anIssuer();
  const toApp = { url: app.url, concurrency: 4 };
  server = await aServer({
    handlers: {
      app: { ...toApp, functionUrl: "none" },
      signed: { ...toApp, functionUrl: "jwt" },
      hidden: toApp,
      slow: { ...toApp, timeoutSeconds: 0.2, functionUrl: "none" },
      "queue-task": { command: ["node:./web-functions.queueTask"], directory: resolve("test/support") },
    },
    functions: {
      restApis: [
        {
          path: "/dev",
          routes: {
            "POST /task": { handler: "queue-task", auth: "jwt" },
            "GET /token": { handler: "app", auth: "jwt" },
            "GET /items/{id}": { handler: "app" },
            "ANY /files/{proxy+}": { handler: "app" },
            "GET /slow": { handler: "slow" },
            "GET /nobody": { handler: "nobody" },
          },
          origins: [page, "http://localhost:5173"],
        },
        { path: "/open", routes: { "GET /": { handler: "app" }, "OPTIONS /own": { handler: "app" } } },
        { path: "/all", routes: { "ANY /": { handler: "app" } }, origins: ["*"] },
        { path: "/closed", routes: { "ANY /": { handler: "app" } }, origins: [] },
      ],
    },
    gateway: { authorizers: [{ issuer: issuer.issuer, jwksUri: issuer.jwksUri, audiences: ["app"] }] },
  });
  api = new JsonApi(server.port);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
beforeEach(() => {
  app.state.answer = () => ({ statusCode: 200 });
  app.events.length = 0;
});

const call = (path: string, init: RequestInit = {}) => fetch(server.url + path, init);
const bearer = (token: string, more: Record<string, string> = {}) => ({ authorization: `Bearer ${token}`, ...more });

/** What a refusal says. */
async function outcome(path: string, init?: RequestInit) {
  const response = await call(path, init);
  const { message } = (await response.json()) as { message: unknown };
  return { status: response.status, message, type: response.headers.get("x-amzn-errortype") };
}

describe("the URL of a function", () => {
  it("gives the event of payload 2.0", async () => {
    const { status } = await call("/functions/app/a%20b/c?x=1&y=&x=2&z=%C3%A9", {
      ...{ method: "POST", body: '{"é":1}' },
      headers: [
        ...[["Content-Type", "application/json"] as const, ["Cookie", "a=1; b=2,3"] as const],
        ...[["X-Two", "1"] as const, ["X-Two", "2"] as const, ["X-Forwarded-For", "203.0.113.9"] as const],
        ["user-agent", "test/1"],
      ] as [string, string][],
    });
    expect(status).toBe(200);
    const [event] = app.events;
    const domainName = `127.0.0.1:${server.port}`;
    expect(event).toEqual({
      ...{ version: "2.0", routeKey: "$default", rawPath: "/a%20b/c", rawQueryString: "x=1&y=&x=2&z=%C3%A9" },
      cookies: ["a=1", "b=2,3"],
      headers: expect.objectContaining({
        ...{ "content-type": "application/json", "x-two": "1, 2", host: domainName, "content-length": "8" },
        // Whoever calls could write what they like.
        ...{ "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-port": String(server.port) },
      }),
      queryStringParameters: { x: "1,2", y: "", z: "é" },
      requestContext: {
        ...{ accountId: "000000000000", apiId: "app", domainName, domainPrefix: "127" },
        http: { method: "POST", path: "/a%20b/c", protocol: "HTTP/1.1", sourceIp: "127.0.0.1", userAgent: "test/1" },
        ...{ requestId: expect.stringMatching(uuid), routeKey: "$default", stage: "$default" },
        ...{ time: expect.stringMatching(time), timeEpoch: expect.any(Number) },
      },
      ...{ body: '{"é":1}', isBase64Encoded: false },
    });
    expect(event.headers).not.toHaveProperty("connection");
    expect(event.headers).not.toHaveProperty("cookie");
  });

  it("gives bytes as base64, and no body where there is none", async () => {
    const body = new Uint8Array([0, 255]);
    await call("/functions/app", { method: "PUT", body, headers: { "content-type": "image/png" } });
    await call("/functions/app", { method: "PUT", body, headers: { "content-type": "text/plain" } });
    await call("/functions/app");
    const [png, text, none] = app.events;
    for (const event of [png, text]) expect(event).toMatchObject({ body: "AP8=", isBase64Encoded: true, rawPath: "/" });
    expect([none.body, none.isBase64Encoded, none.queryStringParameters]).toEqual([undefined, false, undefined]);
  });

  it("answers as the function says", async () => {
    app.state.answer = () => ({
      ...{ statusCode: 201, headers: { "Content-Type": "image/png", "Cache-Control": "max-age=60" } },
      ...{ cookies: ["a=1", "b=2"], body: "AP8=", isBase64Encoded: true },
    });
    const response = await call("/functions/app");
    expect([response.status, ...new Uint8Array(await response.arrayBuffer())]).toEqual([201, 0, 255]);
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      ...{ "content-type": "image/png", "cache-control": "max-age=60", "x-content-type-options": "nosniff" },
      "x-amzn-requestid": app.events[0].requestContext.requestId,
    });
    app.state.answer = () => ({ hello: 1 });
    expect(await (await call("/functions/app")).json()).toEqual({ hello: 1 });
    app.state.answer = () => ({ statusCode: 204 });
    expect((await call("/functions/app")).status).toBe(204);
  });

  it("works over HTTP/2", async () => {
    app.state.answer = () => ({ statusCode: 200, body: "hello" });
    const session = connectHttp2(server.url);
    const stream = session.request({ ":path": "/functions/app/x", ":method": "POST" }).end("{}");
    const chunks = await stream.setEncoding("utf8").toArray();
    session.close();
    expect(chunks.join("")).toBe("hello");
    expect(app.events[0]).toMatchObject({
      ...{ body: "{}", headers: { host: `127.0.0.1:${server.port}` } },
      requestContext: { http: { method: "POST", path: "/x", protocol: "HTTP/2.0" } },
    });
  });

  it.each([
    ["/functions/nobody", 404, "Not Found"],
    ["/functions/hidden", 404, "Not Found"],
    ["/functions/", 404, "Not Found"],
    ["/functions/signed", 401, "Unauthorized"],
    ["/functions/slow", 504, "Endpoint request timed out"],
  ])("%s is answered with %s %s", async (path, status, message) => {
    if (path.endsWith("slow")) app.state.answer = () => new Promise(() => {});
    expect(await outcome(path)).toEqual({ status, message, type: expect.stringMatching(/Exception$/) });
  });

  it("with auth jwt is for whoever is signed in", async () => {
    const token = await issuer.token({
      sub: "alice",
      "cognito:groups": ["a", "b"],
      email_verified: true,
      scope: "x y",
    });
    expect((await call("/functions/signed", { headers: bearer(token) })).status).toBe(200);
    const { jwt } = app.events[0].requestContext.authorizer;
    expect(jwt.scopes).toEqual(["x", "y"]);
    expect(jwt.claims).toMatchObject({
      ...{ sub: "alice", iss: issuer.issuer, "cognito:groups": "[a b]", email_verified: "true" },
      exp: expect.stringMatching(/^\d+$/),
    });
  });

  it("with auth jwt takes a key that may invoke it, and no other", async () => {
    const keyOf = async (handler: string) => {
      const grants = [{ resource: "handler", role: "invoke", handler: { name: handler } }];
      return api.post("/v1/keys", { grants });
    };
    const { apiKey, keyId } = await keyOf("signed");
    expect((await call("/functions/signed", { headers: bearer(apiKey) })).status).toBe(200);
    expect(app.events[0].requestContext.authorizer.jwt.claims).toMatchObject({ sub: keyId, iss: "todoku" });
    const other = await keyOf("app");
    expect(await outcome("/functions/signed", { headers: bearer(other.apiKey) })).toMatchObject({
      status: 403,
      message: "Forbidden",
    });
  });
});

describe("a function that fails", () => {
  it.each([
    ["throws", () => Promise.reject(new Error("S3CRET"))],
    ["answers a header that may not be sent", () => ({ statusCode: 200, headers: { a: "b\r\nc: d" } })],
    ["answers a status that there is not", () => ({ statusCode: 1000 })],
  ])("because it %s is 502, and nobody is told why", async (_, answer) => {
    app.state.answer = answer;
    const response = await call("/functions/app");
    expect([response.status, await response.text()]).toEqual([502, '{"message":"Internal server error"}']);
  });

  it("with an answer that is none finds the reason in its log", async () => {
    app.state.answer = () => "hello";
    expect(await outcome("/open")).toMatchObject({ status: 502 });
    const { lines } = await api.get("/v1/handlers/app/logs");
    expect(lines.at(-1).text).toContain("no object with a statusCode");
  });
});

describe("an answer with what HTTP/2 does not take", () => {
  /** The status of the answer; undefined: there was none. */
  const over2 = async (path: string) => {
    const session = connectHttp2(server.url);
    const { promise, resolve: closed } = Promise.withResolvers<number | undefined>();
    const stream = session.request({ ":path": path }).on("error", () => {});
    let status: number | undefined;
    stream.on("response", (headers) => {
      status = headers[":status"];
    });
    stream.on("close", () => closed(status)).resume();
    return promise.finally(() => session.destroy());
  };

  it.each<[string, unknown, number]>([
    ["headers of one hop", { statusCode: 200, headers: { "HTTP2-Settings": "x", TE: "gzip", Upgrade: "h2c" } }, 200],
    ["two types", { statusCode: 200, multiValueHeaders: { "content-type": ["a/b", "c/d"] } }, 200],
    ["no type", { statusCode: 200, multiValueHeaders: { "content-type": [] } }, 200],
    ["a body where there is none", { statusCode: 205, body: "x" }, 205],
    ["a header of a megabyte", { statusCode: 200, headers: { a: "x".repeat(1024 * 1024) } }, 502],
    ["many headers", { statusCode: 200, multiValueHeaders: { a: Array.from({ length: 1e4 }, () => "") } }, 502],
  ])("like %s is answered all the same", async (_, answer, status) => {
    app.state.answer = () => answer;
    expect([await over2("/open"), (await call("/open")).status]).toEqual([status, status]);
  });
});

describe("a REST API", () => {
  it("gives the event of a proxy integration", async () => {
    const token = await issuer.token({ sub: "alice", groups: ["a", "b"] });
    const path = "/dev/token?a=1&a=2&b=";
    await call(path, { headers: { ...bearer(token), "X-One": "1", "user-agent": "test/1" } });
    const [event] = app.events;
    expect(event).toEqual({
      ...{ resource: "/token", path: "/token", httpMethod: "GET" },
      headers: expect.objectContaining({ "X-One": "1", "X-Forwarded-Proto": "http", authorization: `Bearer ${token}` }),
      multiValueHeaders: expect.objectContaining({ "X-One": ["1"] }),
      queryStringParameters: { a: "2", b: "" },
      multiValueQueryStringParameters: { a: ["1", "2"], b: [""] },
      ...{ pathParameters: null, stageVariables: null, body: null, isBase64Encoded: false },
      requestContext: expect.objectContaining({
        ...{ resourcePath: "/token", httpMethod: "GET", path: "/dev/token", stage: "dev", protocol: "HTTP/1.1" },
        ...{ accountId: "000000000000", apiId: "dev", requestId: expect.stringMatching(uuid) },
        ...{ requestTime: expect.stringMatching(time), requestTimeEpoch: expect.any(Number) },
        identity: expect.objectContaining({ sourceIp: "127.0.0.1", userAgent: "test/1", accessKey: null }),
        authorizer: {
          principalId: "alice",
          claims: expect.objectContaining({ sub: "alice", groups: "a,b", aud: "app" }),
        },
      }),
    });
  });

  it("gives what stands in the places of names", async () => {
    await call("/dev/items/a%2Fb");
    await call("/dev/files/x/y.txt", { method: "DELETE" });
    expect(app.events).toMatchObject([
      { resource: "/items/{id}", path: "/items/a%2Fb", pathParameters: { id: "a/b" } },
      { resource: "/files/{proxy+}", httpMethod: "DELETE", pathParameters: { proxy: "x/y.txt" } },
    ]);
    expect(app.events[0].requestContext).not.toHaveProperty("authorizer");
  });

  it("runs a handler of the article's style: 202 with an empty body, and the claims of whoever is signed in", async () => {
    const token = await issuer.token({ sub: "alice" });
    const headers = bearer(token, { origin: page, "content-type": "application/json" });
    const response = await call("/dev/task", { method: "POST", headers, body: '{"data":"x"}' });
    expect([response.status, await response.text()]).toEqual([202, ""]);
    // What the handler says itself counts, and is there once.
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    const { lines } = await api.get("/v1/handlers/queue-task/logs");
    const texts = lines.map(({ text }: FunctionEvent) => text);
    expect(texts).toContainEqual(expect.stringContaining('{"userId":"alice","payload":"{\\"data\\":\\"x\\"}"}'));
    // The token alone will do, as in API Gateway.
    expect((await call("/dev/task", { method: "POST", headers: { authorization: token } })).status).toBe(202);
  }, 20_000);

  it.each([
    ["GET", "/dev/nothing", 404, "Not Found"],
    ["GET", "/dev", 404, "Not Found"],
    ["DELETE", "/dev/token", 405, "Method Not Allowed"],
    ["GET", "/dev/token", 401, "Unauthorized"],
    ["GET", "/dev/items/%zz", 400, "Bad Request"],
    ["GET", "/dev/nobody", 503, "Service Unavailable"],
    ["GET", "/dev/slow", 504, "Endpoint request timed out"],
  ])("%s %s is answered with %s %s, which a page may read", async (method, path, status, message) => {
    if (path.endsWith("slow")) app.state.answer = () => new Promise(() => {});
    const response = await call(path, { method, headers: { origin: page } });
    expect([response.status, await response.json()]).toEqual([status, { message }]);
    expect(response.headers.get("access-control-allow-origin")).toBe(page);
    expect(response.headers.get("vary")).toBe("Origin");
  });

  it("says of a token that has expired that it has", async () => {
    const past = Math.floor(Date.now() / 1000) - 3600;
    const token = await issuer.token({ iat: past, exp: past + 60 });
    const refused = await outcome("/dev/token", { headers: bearer(token) });
    const type = "UnauthorizedException";
    expect(refused).toEqual({ status: 401, message: "The incoming token has expired", type });
    expect(await outcome("/dev/token", { headers: bearer("S3CRET") })).toEqual({
      ...{ status: 401, message: "Unauthorized", type },
    });
  });

  it("refuses a body past 6 MB, announced or not", async () => {
    const body = "x".repeat(6 * 1024 * 1024);
    for (const text of [body, `${body}x`]) {
      const init = { method: "POST", body: text, headers: { origin: page } };
      const response = await call("/dev/files/a", init);
      expect([response.status, await response.json()]).toEqual([413, { message: "Request Too Long" }]);
      expect(response.headers.get("access-control-allow-origin")).toBe(page);
    }
    expect(app.events).toEqual([]);
  });
});

describe("in dev mode what is for anybody", () => {
  /** Over node:http: fetch writes these headers itself. */
  const statusOf = async (path: string, headers: Record<string, string>, method = "POST") => {
    const { promise, resolve: answered, reject } = Promise.withResolvers<number | undefined>();
    const asked = request(server.url + path, { method, headers, agent: false });
    asked.on("response", (response) => answered(response.resume().statusCode)).on("error", reject);
    asked.end();
    return promise;
  };

  it.each<[string, Record<string, string>]>([
    ["of another origin", { origin: "https://evil.example" }],
    ["in a frame without an origin", { origin: "null" }],
    ["that shows it as a picture", { "sec-fetch-site": "cross-site" }],
    ["under a name that points here", { host: "evil.example", origin: "http://evil.example" }],
    ["that looks like one of this machine", { origin: "http://localhost.evil.example" }],
  ])("is not for a page %s", async (_, headers) => {
    for (const path of ["/functions/app", "/open"]) {
      expect(await statusOf(path, headers, path === "/open" ? "GET" : "POST")).toBe(403);
    }
    expect(app.events).toEqual([]);
  });

  it("is for pages of this machine, for those that are named, and for who is no browser", async () => {
    for (const origin of [server.url, "http://localhost:5173", "http://[::1]:1"]) {
      expect(await statusOf("/functions/app", { origin, "sec-fetch-site": "cross-site" })).toBe(200);
    }
    expect(await statusOf("/functions/app", {})).toBe(200);
    expect(await statusOf("/dev/items/1", { origin: page, "sec-fetch-site": "cross-site" }, "GET")).toBe(200);
    expect(await statusOf("/dev/items/1", { origin: "https://evil.example" }, "GET")).toBe(403);
    expect(await statusOf("/all", { origin: "https://evil.example", host: "any.example" })).toBe(200);
    expect(app.events).toHaveLength(6);
  });
});

describe("pages of other origins", () => {
  const preflight = (path: string, origin: string) =>
    call(path, { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });

  it("are told what they may do, by the server", async () => {
    const response = await preflight("/dev/task", page);
    expect([response.status, await response.text()]).toEqual([204, ""]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      ...{ "access-control-allow-origin": page, "access-control-allow-methods": "POST, OPTIONS", vary: "Origin" },
      "access-control-allow-headers": expect.stringMatching(/^Authorization, Content-Type,/),
    });
    expect(app.events).toEqual([]);
  });

  it("that are not listed are told nothing", async () => {
    const response = await preflight("/dev/task", "https://evil.example");
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.headers.get("vary")).toBe("Origin");
  });

  it("may all read in dev mode where nothing else is said, and none where the list is empty", async () => {
    const opened = await call("/open", { headers: { origin: "http://localhost:5173" } });
    expect([opened.status, opened.headers.get("access-control-allow-origin")]).toEqual([200, "*"]);
    const closed = await preflight("/closed", "http://localhost:5173");
    expect(closed.headers.get("access-control-allow-origin")).toBeNull();
    // Then the handler may answer for itself.
    expect(app.events.at(-1)).toMatchObject({ httpMethod: "OPTIONS" });
  });

  it("are answered by a route of their own where there is one", async () => {
    app.state.answer = () => ({
      statusCode: 200,
      headers: { "Access-Control-Allow-Origin": "https://own.example", Vary: "Accept" },
    });
    const response = await preflight("/open/own", "http://localhost:5173");
    expect(response.headers.get("access-control-allow-origin")).toBe("https://own.example");
    expect(response.headers.get("vary")).toBe("Accept, Origin");
  });
});

it("who calls without a token is counted by address, and a page may read when to come back", async () => {
  const restApis = [{ path: "/open", routes: { "GET /": { handler: "app" } }, origins: [page] }];
  const rates = { address: { callsPerSecond: 1, burst: 2 } };
  await using strict = await aServer({ handlers: { app: { url: app.url } }, functions: { restApis }, rates });
  const get = () => fetch(`${strict.url}/open`, { headers: { origin: page } });
  const answers = await Promise.all(Array.from({ length: 20 }, get));
  const refused = answers.filter(({ status }) => status === 429);
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(2);
  expect(await refused[0]?.json()).toEqual({ message: "Too Many Requests" });
  expect(Object.fromEntries(refused[0]?.headers ?? [])).toMatchObject({
    ...{ "access-control-allow-origin": page, "x-amzn-errortype": "TooManyRequestsException" },
    "retry-after": expect.stringMatching(/^\d+$/),
  });
});
