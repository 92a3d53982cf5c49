// Who is let in, with what, and how others hear that they are not.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, refusal, socketUrl } from "../../../test/support/gateway.ts";
import { aServer } from "../../../test/support/server.ts";

let server: Awaited<ReturnType<typeof aServer>>;
let keyed: Awaited<ReturnType<typeof aServer>>;
/** What the backend behind the hook says. */
let answer: (request: IncomingMessage, response: ServerResponse, body: string) => void;
const backend = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  answer(request, response, body);
});
const at = (path: string) => socketUrl(server, path);

beforeAll(async () => {
  await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
  const { port } = backend.address() as AddressInfo;
  server = await aServer({
    gateway: {
      endpoints: [
        { path: "/push" },
        { path: "/other", environment: "other" },
        { path: "/hook", environment: "dev", hook: { url: `http://127.0.0.1:${port}/connect` } },
      ],
      connectSeconds: 0.3,
      userConnectionsMax: 2,
      origins: ["https://app.example"],
    },
  });
  // Without the empty credential.
  keyed = await aServer({
    devKey: true,
    gateway: { endpoints: [{ path: "/push" }, { path: "/keyed", apiKeyRequired: true }] },
  });
});
afterAll(async () => {
  await keyed[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  backend.closeAllConnections();
  backend.close();
});

async function post(place: { readonly url: string }, path: string, body: object, credential?: string) {
  const authorization = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
  const response = await fetch(place.url + path, {
    ...{ method: "POST", body: JSON.stringify(body) },
    headers: { "content-type": "application/json", ...authorization },
  });
  return await response.json();
}

const grants = [{ resource: "route", role: "invoke", route: { name: "publish" } }];
const tokenFor = async (userId: string, credential?: string): Promise<string> =>
  (await post(server, "/v1/tokens", { grants, userId, validForSeconds: 60 }, credential)).token;

const bodyOf = (message: string, code: string) => ({
  message,
  connectionId: expect.stringMatching(/^[\w-]{15}=$/),
  requestId: expect.stringMatching(/^[\w-]{15}=$/),
  error: { code, message: expect.any(String) },
});

describe("a credential lets in", () => {
  it.each(["header", "todoku.v1", "sumu.v1", "sumu", "authorization", "token"])(
    "from %s, as the user that it is for (B1)",
    async (place) => {
      const token = await tokenFor("alice");
      const isQuery = ["authorization", "token"].includes(place);
      const isHeader = place === "header";
      const client = await connect(
        at(isQuery ? `/push?${place}=${token}` : "/push"),
        isHeader ? { headers: { authorization: `Bearer ${token}` } } : {},
        isQuery || isHeader ? [] : [place, `bearer.${token}`],
      );
      // The token is not told back.
      expect(client.socket.protocol).toBe(isQuery || isHeader ? "" : place);
      expect(await client.ask({ action: "publish", message: "x" })).toMatchObject({ type: "ack" });
      expect(await client.ask({ action: "send", message: "x" })).toMatchObject({ message: "Forbidden" });
      await client.close();
    },
  );

  it("as a ticket, once, for this path", async () => {
    const token = await tokenFor("alice");
    const { ticket } = await post(server, "/v1/tickets", { method: "GET", path: "/push" }, token);
    const client = await connect(at(`/push?ticket=${ticket}`));
    expect(await client.ask({ action: "publish", message: "x" })).toMatchObject({ type: "ack" });
    await client.close();
    expect((await refusal(at(`/push?ticket=${ticket}`))).status).toBe(401);
    const elsewhere = await post(server, "/v1/tickets", { method: "GET", path: "/v1/topics/c/t" }, token);
    expect((await refusal(at(`/push?ticket=${elsewhere.ticket}`))).status).toBe(401);
    expect(await post(server, "/v1/tickets", { method: "GET", path: "/nowhere" }, token)).toMatchObject({
      status: 400,
    });
  });
});

describe("a handshake is refused", () => {
  it("without a credential", async () => {
    const refused = await refusal(socketUrl(keyed));
    expect(refused).toMatchObject({ status: 401, body: bodyOf("Unauthorized", "unauthenticated") });
    expect(refused.headers).toMatchObject({
      ...{
        "x-amzn-errortype": "UnauthorizedException",
        "content-type": "application/json",
        "cache-control": "no-store",
      },
    });
  });

  it("with one that is none, which nobody repeats", async () => {
    const refused = await refusal(socketUrl(keyed, "/push?authorization=S3CRET"), {}, []);
    expect(refused).toMatchObject({ status: 401, body: bodyOf("Unauthorized", "unauthenticated") });
    expect(JSON.stringify(refused)).not.toContain("S3CRET");
  });

  it("with two", async () => {
    const refused = await refusal(at("/push?token=a&authorization=b"));
    expect(refused).toMatchObject({ status: 400, body: bodyOf("Bad Request", "invalid_argument") });
  });

  it("by a page of another origin; without an origin it is no page", async () => {
    const refused = await refusal(at("/push"), { origin: "https://evil.example" });
    expect(refused).toMatchObject({ status: 403, body: bodyOf("Forbidden", "permission_denied") });
    const token = await tokenFor("alice");
    const allowed = await connect(at(`/push?token=${token}`), { origin: "https://app.example" });
    await allowed.close();
  });

  it("with a credential of another environment than the endpoint's", async () => {
    const refused = await refusal(at("/other"));
    expect(refused).toMatchObject({ status: 403, body: bodyOf("Forbidden", "permission_denied") });
    const { key } = await post(server, "/v1/environments", { name: "other" });
    const client = await connect(at(`/other?token=${key.apiKey}`));
    await client.close();
    expect((await refusal(at(`/other?token=${await tokenFor("alice")}`))).status).toBe(403);
  });

  it("as somebody else, but for super users", async () => {
    const refused = await refusal(at(`/push?user=bob&token=${await tokenFor("alice")}`));
    expect(refused).toMatchObject({ status: 403, body: bodyOf("Forbidden", "permission_denied") });
    expect((await refusal(at("/push?user="))).status).toBe(400);
    expect((await refusal(at(`/push?user=${"x".repeat(129)}`))).status).toBe(400);
  });

  it("when the user has as many connections as it may", async () => {
    const clients = [await connect(at("/push?user=many")), await connect(at("/push?user=many"))];
    const refused = await refusal(at("/push?user=many"));
    expect(refused).toMatchObject({
      status: 429,
      body: { message: "Too Many Requests", error: { code: "limit_exceeded" } },
    });
    await clients[0]?.close();
    clients.push(await connect(at("/push?user=many")));
    for (const client of clients) client.socket.terminate();
  });

  it.each([
    ["4401", "/push?token=none", 4401, "unauthenticated"],
    ["4400", "/push?token=a&token=b", 4400, "invalid_argument"],
    ["4403", "/other", 4403, "permission_denied"],
  ])("with close code %s where our subprotocol was asked for, which pages can read", async (_, path, code) => {
    const client = await connect(at(path), {}, ["todoku.v1"]);
    const [closeCode, reason] = await client.closed;
    expect([closeCode, client.socket.protocol]).toEqual([code, "todoku.v1"]);
    expect(reason).not.toBe("");
  });

  it("with close code 4409 when a user has too many connections", async () => {
    const clients = [await connect(at("/push?user=most")), await connect(at("/push?user=most"))];
    const refused = await connect(at("/push?user=most"), {}, ["sumu"]);
    expect((await refused.closed)[0]).toBe(4409);
    for (const client of clients) client.socket.terminate();
  });

  it.each([
    ["on another path", "GET /nothing HTTP/1.1", [], 404],
    ["with another version", "GET /push HTTP/1.1", ["Sec-WebSocket-Version: 12"], 426],
    ["with a key that is none", "GET /push HTTP/1.1", ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x"], 400],
    ["by POST", "POST /push HTTP/1.1", ["Sec-WebSocket-Version: 13"], 405],
  ])("%s", async (_, line, headers, status) => {
    const socket = connectTcp(server.port, "127.0.0.1");
    socket.write(
      [line, "Host: localhost", "Connection: Upgrade", "Upgrade: websocket", ...headers, "", ""].join("\r\n"),
    );
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
    });
    await once(socket, "close");
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} .*"message":"`, "s"));
  });

  it("when it is none, with the word that it should be one", async () => {
    const response = await fetch(`${server.url}/push`);
    expect([response.status, response.headers.get("upgrade")]).toEqual([426, "websocket"]);
  });

  it("is one also among other protocols that the client offers", async () => {
    const socket = connectTcp(server.port, "127.0.0.1");
    const key = "dGhlIHNhbXBsZSBub25jZQ==";
    const lines = [
      "GET /push HTTP/1.1",
      `Host: 127.0.0.1:${server.port}`,
      "Connection: Upgrade",
      "Upgrade: other, WebSocket",
    ];
    socket.write([...lines, "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${key}`, "", ""].join("\r\n"));
    const [head] = await once(socket.setEncoding("latin1"), "data");
    expect(head).toMatch(/^HTTP\/1.1 101 /);
    socket.destroy();
  });

  it("over HTTP/2, which has no upgrade", async () => {
    const session = connectHttp2(server.url);
    const stream = session.request({ ":path": "/push?token=a" });
    const [headers] = await once(stream, "response");
    expect([headers[":status"], headers.upgrade]).toEqual([400, undefined]);
    stream.resume();
    session.close();
  });
});

describe("an endpoint that asks for an API key", () => {
  it("wants it beside the credential", async () => {
    const devKey = keyed.devKey as string;
    const { apiKey } = await post(keyed, "/v1/keys", { superUser: true }, devKey);
    const open = (key?: string) => ({ headers: key === undefined ? {} : { "x-api-key": key } });
    const path = `/keyed?token=${devKey}`;
    expect(await refusal(socketUrl(keyed, path), open())).toMatchObject({
      status: 403,
      body: { message: "Forbidden" },
    });
    expect((await refusal(socketUrl(keyed, path), open("none"))).status).toBe(401);
    expect((await refusal(socketUrl(keyed, "/keyed"), open(apiKey))).status).toBe(401);
    const client = await connect(socketUrl(keyed, path), open(apiKey));
    await client.close();
  });
});

describe("an endpoint with a hook", () => {
  const json = (response: ServerResponse, body: object) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(body));
  };

  it("lets in whom the backend names, with the rights of a user", async () => {
    let asked = {};
    answer = (_, response, body) => {
      asked = JSON.parse(body);
      json(response, { userId: "hooked" });
    };
    const client = await connect(at("/hook?token=cookie-like&tab=1"));
    expect(asked).toMatchObject({ credential: "cookie-like", path: "/hook", query: { tab: "1" } });
    expect(JSON.stringify((asked as { query: object }).query)).not.toContain("cookie-like");
    expect(await client.ask({ action: "publish", message: "x" })).toMatchObject({ type: "ack" });
    await client.close();
  });

  it.each([
    [401, 401, "Unauthorized"],
    [403, 403, "Forbidden"],
    [500, 503, "Service Unavailable"],
  ])("that says %i: %i", async (said, status, message) => {
    answer = (_, response) => void response.writeHead(said).end();
    expect(await refusal(at("/hook"))).toMatchObject({ status, body: { message } });
  });

  it("that takes too long: 504; what comes later is nobody's", async () => {
    const asked = Promise.withResolvers<ServerResponse>();
    answer = (_, response) => asked.resolve(response);
    const refused = await refusal(at("/hook"));
    expect([refused.status === 504 || refused.status === 503, refused.body.error]).toMatchObject([
      true,
      { code: "unavailable" },
    ]);
    json(await asked.promise, { userId: "late" });
    const { users } = await (await fetch(`${server.url}/v1/users?connected=true`)).json();
    expect(users.map(({ userId }: { userId: string }) => userId)).not.toContain("late");
  });

  it("keeps what the client sends before it is let in", async () => {
    const asked = Promise.withResolvers<ServerResponse>();
    answer = (_, response) => asked.resolve(response);
    const socket = connectTcp(server.port, "127.0.0.1");
    const head = ["GET /hook HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket"];
    const key = Buffer.alloc(16, 1).toString("base64");
    socket.write([...head, "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${key}`, "", ""].join("\r\n"));
    const text = '{"action":"ping"}';
    // A mask of zeros changes nothing.
    const response = await asked.promise;
    socket.write(Buffer.concat([Buffer.of(0x81, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)]));
    json(response, { userId: "early" });
    let received = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      received += chunk;
    });
    while (!received.includes("pong")) await once(socket, "data");
    expect(received).toMatch(/^HTTP\/1.1 101 /);
    socket.destroy();
  });

  it("forgets a client that leaves meanwhile", async () => {
    const asked = Promise.withResolvers<ServerResponse>();
    answer = (_, response) => asked.resolve(response);
    const socket = connectTcp(server.port, "127.0.0.1");
    const head = ["GET /hook HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket"];
    const key = Buffer.alloc(16, 1).toString("base64");
    socket.write([...head, "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${key}`, "", ""].join("\r\n"));
    const response = await asked.promise;
    socket.resetAndDestroy();
    json(response, { userId: "gone" });
    await expect
      .poll(async () => (await (await fetch(`${server.url}/v1/users/gone/connections`)).json()).connections)
      .toEqual([]);
  });
});
