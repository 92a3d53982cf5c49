// Handlers behind the gateway: who connects, what frames ask for, and who has left. The functions are the test's own, behind a URL.
import { resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { aFunctionEndpoint, type FunctionEvent } from "../support/function-endpoint.ts";
import { connect, refusal, socketUrl } from "../support/gateway.ts";
import { JsonApi } from "../support/json-api.ts";
import { aServer } from "../support/server.ts";

const arn = "arn:aws:execute-api:us-east-1:000000000000:dev/guarded/$connect";
const id = /^[\w-]{15}=$/;
const time = /^\d\d\/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\/\d{4}:\d\d:\d\d:\d\d \+0000$/;

let app: Awaited<ReturnType<typeof aFunctionEndpoint>>;
let guard: Awaited<ReturnType<typeof aFunctionEndpoint>>;
let server: Awaited<ReturnType<typeof aServer>>;
let api: JsonApi;
const at = (path: string) => socketUrl(server, path);
const allow = (event: FunctionEvent) => ({
  principalId: event.queryStringParameters.authorization,
  policyDocument: { Statement: [{ Action: "execute-api:Invoke", Effect: "Allow", Resource: event.methodArn }] },
  context: { tenant: "blue", level: 5 },
});

beforeAll(async () => {
  app = await aFunctionEndpoint(() => ({ statusCode: 200 }));
  guard = await aFunctionEndpoint(allow);
  const handler = { handler: "app" };
  const directory = resolve("test/support");
  const grants = [{ Effect: "Allow", Action: "execute-api:ManageConnections", Resource: "*" }];
  server = await aServer({
    handlers: {
      "node-chat": { command: ["node:./web-functions.chat"], directory, grants },
      "python-chat": { command: ["python:./python_functions.chat"], directory, grants },
      app: { url: app.url, concurrency: 10 },
      guard: { url: guard.url, concurrency: 10, timeoutSeconds: 5 },
    },
    gateway: {
      endpoints: [
        {
          path: "/app",
          routes: { $connect: handler, $disconnect: handler, $default: handler, order: handler, ping: handler },
        },
        { path: "/named", routes: { order: handler } },
        { path: "/gone", routes: { order: { handler: "nobody" } } },
        ...["node-chat", "python-chat"].map((name) => ({
          ...{ path: `/${name}`, routes: { $connect: { handler: name }, $default: { handler: name } } },
        })),
        {
          path: "/guarded",
          authorizer: { handler: "guard", identitySource: ["route.request.querystring.authorization"] },
          routes: { $connect: handler, order: handler },
        },
      ],
      userConnectionsMax: 2,
      connectSeconds: 2,
    },
  });
  api = new JsonApi(server.port);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
  await guard[Symbol.asyncDispose]();
});
beforeEach(() => {
  app.state.answer = () => ({ statusCode: 200 });
  guard.state.answer = allow;
  app.events.length = 0;
  guard.events.length = 0;
});

const ofType = (type: string) => (event: FunctionEvent) => event.requestContext?.eventType === type;

/** What all events of a connection have in common. */
function contextOf(routeKey: string, eventType: string) {
  return {
    ...{ routeKey, eventType, messageDirection: "IN", stage: "app", apiId: "dev" },
    ...{ requestId: expect.stringMatching(id), extendedRequestId: expect.stringMatching(id) },
    ...{ connectionId: expect.stringMatching(id), requestTime: expect.stringMatching(time) },
    ...{ requestTimeEpoch: expect.any(Number), connectedAt: expect.any(Number) },
    ...{ domainName: `127.0.0.1:${server.port}`, identity: { sourceIp: "127.0.0.1", userAgent: "test/1" } },
    authorizer: { principalId: "alice" },
  };
}

describe("$connect, $default and $disconnect", () => {
  it("get the events of API Gateway, one by one", async () => {
    // Anybody could write whom he speaks for.
    const forged = { "X-Forwarded-For": "127.0.0.9", "X-Forwarded-Proto": "https" };
    const headers = { "user-agent": "test/1", "X-Two": ["a", "b"], ...forged } as object as Record<string, string>;
    const client = await connect(at("/app?user=alice&user=alice&n=1"), { headers });
    const [connected] = app.events;
    expect(connected).toMatchObject({
      headers: {
        Host: `127.0.0.1:${server.port}`,
        "user-agent": "test/1",
        "X-Two": "b",
        "X-Forwarded-For": "127.0.0.1",
      },
      multiValueHeaders: { "X-Two": ["a", "b"], "X-Forwarded-Proto": ["http"] },
      queryStringParameters: { user: "alice", n: "1" },
      multiValueQueryStringParameters: { user: ["alice", "alice"], n: ["1"] },
      isBase64Encoded: false,
    });
    expect(connected.requestContext).toEqual(contextOf("$connect", "CONNECT"));

    client.send("no JSON");
    const message = await app.find(ofType("MESSAGE"));
    expect(message).toEqual({
      requestContext: { ...contextOf("$default", "MESSAGE"), messageId: expect.stringMatching(id) },
      ...{ body: "no JSON", isBase64Encoded: false },
    });
    expect(message.requestContext.extendedRequestId).toBe(message.requestContext.requestId);
    expect(Math.abs(message.requestContext.requestTimeEpoch - Date.now())).toBeLessThan(60_000);

    client.socket.close(4000, "enough");
    const left = await app.find(ofType("DISCONNECT"));
    expect(left.requestContext).toEqual({
      ...contextOf("$disconnect", "DISCONNECT"),
      ...{ disconnectStatusCode: 4000, disconnectReason: "enough" },
    });
    const ids = app.events.map(({ requestContext }) => requestContext.connectionId);
    const times = app.events.map(({ requestContext }) => requestContext.connectedAt);
    expect([new Set(ids).size, new Set(times).size]).toEqual([1, 1]);
  });

  it("say in API Gateway's words why a connection has ended", async () => {
    const client = await connect(at("/app?user=alice"));
    const { connectionId } = app.events[0].requestContext;
    client.socket.close();
    const isOf = (one: string) => (event: FunctionEvent) =>
      ofType("DISCONNECT")(event) && event.requestContext.connectionId === one;
    expect((await app.find(isOf(connectionId))).requestContext).toMatchObject({
      ...{ disconnectStatusCode: 1005, disconnectReason: "Client-side close frame status not set" },
    });
    const other = await connect(at("/app?user=alice"));
    const { connectionId: otherId } = app.events.findLast(ofType("CONNECT")).requestContext;
    other.socket.terminate();
    expect((await app.find(isOf(otherId))).requestContext.disconnectStatusCode).toBe(1006);
  });

  it("know a connection by the id that it has from then on", async () => {
    const found: unknown[] = [];
    app.state.answer = async ({ requestContext: { eventType, connectionId } }) => {
      // Before the handler has said yes there is no connection.
      const { connections } = await api.get("/v1/connections");
      if (eventType !== "DISCONNECT")
        found.push(connections.some((one: FunctionEvent) => one.connectionId === connectionId));
      return { statusCode: 200, body: "{}" };
    };
    const client = await connect(at("/app?user=alice"));
    await client.ask({ action: "order" });
    await client.close();
    expect(found).toEqual([false, true]);
  });
});

describe("the handler of $connect", () => {
  it.each([
    [{ statusCode: 401 }, 401, "Unauthorized"],
    [{ statusCode: 403 }, 403, "Forbidden"],
    [{ statusCode: 418 }, 418, "I'm a Teapot"],
    [{ statusCode: 500 }, 500, "Internal server error"],
    [{ statusCode: 302 }, 500, "Internal server error"],
    [{}, 500, "Internal server error"],
    [null, 500, "Internal server error"],
  ])("that answers %j refuses with %s %s", async (answer, status, message) => {
    app.state.answer = () => answer;
    expect(await refusal(at("/app"))).toMatchObject({ status, body: { message } });
    expect(app.events.map(({ requestContext }) => requestContext.eventType)).toEqual(["CONNECT"]);
  });

  it("that fails refuses with 500, and tells nobody why", async () => {
    app.state.answer = () => {
      throw new Error("S3CRET");
    };
    const refused = await refusal(at("/app"));
    expect(refused).toMatchObject({ status: 500, body: { message: "Internal server error" } });
    expect(JSON.stringify(refused)).not.toContain("S3CRET");
  });

  it("whose answer is none finds the reason in its log", async () => {
    app.state.answer = () => ({ ok: true });
    await refusal(at("/app"));
    const { lines } = await api.get("/v1/handlers/app/logs");
    expect(lines.at(-1)).toMatchObject({ stream: "system", text: expect.stringContaining("has no statusCode") });
  });

  it("chooses a subprotocol of those that the client offers", async () => {
    app.state.answer = () => ({ statusCode: 200, headers: { "Sec-WebSocket-Protocol": "chat.v2" } });
    const client = await connect(at("/app"), {}, ["chat.v1", "chat.v2"]);
    expect(client.socket.protocol).toBe("chat.v2");
    await client.close();
  });

  it("hears of the end of a connection that it has let in, and that did not come to be", async () => {
    // Two connections of a user are all that it may have.
    const clients = [await connect(at("/app?user=carol")), await connect(at("/app?user=carol"))];
    app.events.length = 0;
    expect((await refusal(at("/app?user=carol"))).status).toBe(429);
    const left = await app.find(ofType("DISCONNECT"));
    expect(left.requestContext).toMatchObject({ disconnectStatusCode: 1006 });
    expect(left.requestContext.connectionId).toBe(app.events[0].requestContext.connectionId);
    for (const client of clients) await client.close();
  });

  it("that takes too long refuses with 504, and hears of the end when it says yes after all", async () => {
    const asked = Promise.withResolvers<object>();
    app.state.answer = ({ requestContext }) => (requestContext.eventType === "CONNECT" ? asked.promise : null);
    expect(await refusal(at("/app"))).toMatchObject({ status: 504, body: { message: "Endpoint request timed out" } });
    asked.resolve({ statusCode: 200 });
    expect((await app.find(ofType("DISCONNECT"))).requestContext.disconnectStatusCode).toBe(1006);
  });
});

describe("a route that is a handler", () => {
  it("answers with the handler's body, or nothing", async () => {
    const client = await connect(at("/app?user=alice"));
    app.state.answer = ({ body, requestContext: { routeKey } }) => {
      const { n } = JSON.parse(body);
      return n === 1 ? { statusCode: 200 } : { statusCode: 200, body: JSON.stringify({ routeKey, n }) };
    };
    client.send({ action: "order", n: 1 });
    await app.find(({ body }) => body?.includes('"n":1'));
    expect(await client.ask({ action: "order", n: 2 })).toEqual({ routeKey: "order", n: 2 });
    // Also where there is an action of ours of that name, and where no route of that name is.
    expect(await client.ask({ action: "ping", n: 3 })).toEqual({ routeKey: "ping", n: 3 });
    expect(await client.ask({ action: "$connect", n: 4 })).toEqual({ routeKey: "$default", n: 4 });
    await client.close();
  });

  it.each([
    ["fails", () => Promise.reject(new Error("S3CRET"))],
    ["answers a body that is no text", () => ({ statusCode: 200, body: { a: 1 } })],
    ["answers more than a frame may have", () => ({ statusCode: 200, body: "x".repeat(131_073) })],
  ])("is answered with Internal server error when the handler %s", async (_, answer) => {
    const client = await connect(at("/app?user=alice"));
    app.state.answer = answer;
    const frame = await client.ask({ action: "order", id: "7" });
    expect(frame).toMatchObject({ message: "Internal server error", connectionId: expect.stringMatching(id), id: "7" });
    expect(JSON.stringify(frame)).not.toContain("S3CRET");
    app.state.answer = () => null;
    await client.close();
  });

  it("is Forbidden for a credential that may not use it, and open to one that may, of nobody too", async () => {
    const token = async (route: string) => {
      const grants = [{ resource: "route", role: "invoke", route: { name: route } }];
      return (await api.post("/v1/tokens", { grants, validForSeconds: 60 })).token;
    };
    const client = await connect(at(`/named?token=${await token("publish")}`));
    expect(await client.ask({ action: "order" })).toMatchObject({ message: "Forbidden" });
    expect(app.events).toEqual([]);
    const allowed = await connect(at(`/named?token=${await token("order")}`));
    app.state.answer = () => ({ statusCode: 200, body: '"yes"' });
    allowed.send({ action: "order" });
    await allowed.next();
    expect(app.events[0].requestContext.authorizer).toBeUndefined();
    await client.close();
    await allowed.close();
  });

  it("whose handler there is not is answered with Internal server error", async () => {
    const client = await connect(at("/gone?user=alice"));
    expect(await client.ask({ action: "order" })).toMatchObject({
      ...{
        message: "Internal server error",
        error: { code: "unavailable", message: expect.stringContaining('"nobody"') },
      },
    });
    await client.close();
  });
});

describe("an authorizer", () => {
  it("is asked as API Gateway asks, and what it says of the user is in every event", async () => {
    const client = await connect(at("/guarded?authorization=bob&user=somebody"));
    expect(guard.events).toHaveLength(1);
    expect(guard.events[0]).toMatchObject({
      ...{ type: "REQUEST", methodArn: arn, stageVariables: {} },
      queryStringParameters: { authorization: "bob", user: "somebody" },
      requestContext: { routeKey: "$connect", eventType: "CONNECT", stage: "guarded" },
    });
    const context = { principalId: "bob", tenant: "blue", level: "5", integrationLatency: expect.any(Number) };
    expect(app.events[0].requestContext.authorizer).toEqual(context);
    app.state.answer = () => ({ statusCode: 200, body: '{"ok":true}' });
    expect(await client.ask({ action: "order" })).toEqual({ ok: true });
    expect(app.events[1].requestContext.authorizer).toEqual(context);
    const { connectionId } = guard.events[0].requestContext;
    expect(app.events.map(({ requestContext }) => requestContext.connectionId)).toEqual([connectionId, connectionId]);
    expect(await api.get("/v1/users/bob/connections")).toMatchObject({ connections: [{ connectionId }] });
    // What a user may do by default it may too.
    expect(await client.ask({ action: "publish", message: "x" })).toMatchObject({ type: "ack" });
    await client.close();
  });

  it("is not asked without a credential", async () => {
    expect(await refusal(at("/guarded?user=bob"))).toMatchObject({ status: 401, body: { message: "Unauthorized" } });
    expect(guard.events).toEqual([]);
  });

  it.each([
    ["says Unauthorized", () => Promise.reject(new Error("Unauthorized")), 401],
    ["denies it", (event: FunctionEvent) => withEffect(event, "Deny"), 403],
    ["says nothing of it", (event: FunctionEvent) => ({ ...allow(event), policyDocument: { Statement: [] } }), 500],
    ["fails", () => Promise.reject(new Error("S3CRET")), 500],
    ["answers null", () => null, 500],
  ])("that %s lets nobody in", async (_, answer, status) => {
    guard.state.answer = answer;
    const refused = await refusal(at("/guarded?authorization=bob"));
    expect(refused.status).toBe(status);
    expect(JSON.stringify(refused)).not.toContain("S3CRET");
    expect(app.events).toEqual([]);
  });

  function withEffect(event: FunctionEvent, Effect: string) {
    return { ...allow(event), policyDocument: { Statement: [{ Action: "*", Effect, Resource: "*" }] } };
  }
});

// The functions of Node are told by the SDK that the connection is Gone before it is there; those of Python only answer.
it.each(["node-chat", "python-chat"])(
  "%s speaks to the connection with the SDK of AWS and keys of its own",
  async (name) => {
    const client = await connect(at(`/${name}?user=alice`));
    expect(await client.ask({ text: "hello" })).toEqual({ said: "hello", by: "alice" });
    await client.close();
  },
  20_000,
);
