import { once } from "node:events";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";

let door: TestDoor;
const logged: unknown[] = [];
let health = { status: "open" as "open" | "refusing" | "failed", reason: undefined as string | undefined };
let readiness: "ready" | "starting" | "draining" = "ready";

beforeAll(async () => {
  door = await anHttpDoor({
    health: () => health,
    isReady: () => readiness === "ready",
    isDraining: () => readiness === "draining",
    log: { debug() {}, info() {}, warn() {}, error: (fields, message) => void logged.push({ ...fields, message }) },
  });
});
afterAll(() => door[Symbol.asyncDispose]());

const json = { "content-type": "application/json" };

describe("errors", () => {
  it("are problem details with a stable code", async () => {
    const response = await fetch(`${door.url}/v1/topics/none/t/items`);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect([response.status, await response.json()]).toEqual([
      404,
      {
        type: "about:blank",
        title: "Not Found",
        status: 404,
        detail: 'cache "none" does not exist',
        code: "not_found",
      },
    ]);
  });

  it.each(["/nothing", "/v1", "/v1/topics/c", "/v1/topics//t", "/v1/caches/"])("are 404 at %s", async (path) => {
    const response = await fetch(door.url + path);
    expect([response.status, await response.json()]).toEqual([404, expect.objectContaining({ code: "not_found" })]);
  });

  it.each([
    ["PUT", "/v1/caches", "GET, HEAD, POST, OPTIONS"],
    ["GET", "/v1/tokens", "POST, OPTIONS"],
    ["GET", "/v1/caches/c", "DELETE, OPTIONS"],
    ["POST", "/health/live", "GET, HEAD"],
  ])("are 405 with Allow for %s %s", async (method, path, allow) => {
    const response = await fetch(door.url + path, { method });
    expect([response.status, response.headers.get("allow")]).toEqual([405, allow]);
    expect(await response.json()).toMatchObject({ code: "unimplemented", status: 405 });
  });

  it("never tell what went wrong inside, but where to find it in the log", async () => {
    const create = door.caches.list;
    door.caches.list = () => {
      throw new TypeError("the secret inside");
    };
    const response = await fetch(`${door.url}/v1/caches?token=hush`);
    door.caches.list = create;
    const problem = (await response.json()) as { instance: string };
    expect([response.status, JSON.stringify(problem).includes("secret")]).toEqual([500, false]);
    expect(problem).toMatchObject({ code: "internal", instance: expect.stringMatching(/^urn:uuid:/) });
    expect(logged).toEqual([
      {
        ...{
          area: "http",
          instance: problem.instance,
          method: "GET",
          url: "/v1/caches?token=REDACTED",
          message: expect.any(String),
        },
        err: expect.any(TypeError),
      },
    ]);
  });

  it("answer an address that is none, and a Host that is none, with 400", async () => {
    expect(await raw("GET /v1/caches HTTP/1.1\r\nHost: a b\r\n\r\n")).toMatch(/^HTTP\/1.1 400 .*problem\+json/s);
    expect(await raw("GET /v1\\caches HTTP/1.1\r\nHost: localhost\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
  });
});

describe("a 405", () => {
  it("names the methods that are answered there, and no other", async () => {
    for (const path of ["/", "/health/live", "/metrics", "/v1/openapi.json", "/v1/keys", "/v1/queues/q"]) {
      const refused = await fetch(door.url + path, { method: "PUT" });
      const allowed = refused.headers.get("allow")?.split(", ") ?? [];
      expect([refused.status, allowed.length > 1], path).toEqual([405, true]);
      for (const method of allowed) {
        const response = await fetch(door.url + path, { method });
        expect(response.status, `${method} ${path}`).not.toBe(405);
      }
    }
  });
});

describe("credentials", () => {
  it.each(["token", "Basic YTpi", "Bearer", "Bearer ", "Bearer a b"])(
    "are not read from Authorization: %s",
    async (text) => {
      const response = await fetch(`${door.url}/v1/caches`, { headers: { authorization: text } });
      expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
      expect(await response.json()).toMatchObject({ code: "unauthenticated" });
    },
  );

  it("are never repeated in an answer", async () => {
    const response = await fetch(`${door.url}/v1/caches`, { headers: { authorization: "Bearer hush-hush" } });
    expect([response.status, (await response.text()).includes("hush")]).toEqual([401, false]);
  });

  it("may be left out in dev mode, but not by a page of another origin or through another name", async () => {
    const status = async (headers: Record<string, string>) =>
      (await raw(`GET /v1/caches HTTP/1.0\r\n${toLines({ host: "localhost:8080", ...headers })}\r\n`)).slice(9, 12);
    expect(await status({})).toBe("200");
    expect(await status({ origin: "http://localhost:8080" })).toBe("200");
    expect(await status({ origin: "https://evil.example" })).toBe("401");
    expect(await status({ host: "rebound.example" })).toBe("401");
    expect(await status({ "sec-fetch-site": "cross-site" })).toBe("401");
    expect(await raw("GET /v1/caches HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1.1 401 /);
  });
});

describe("a JSON body", () => {
  const send = (body: string) => fetch(`${door.url}/v1/caches`, { method: "POST", headers: json, body });

  it("of more values than any call needs is a 413 before it is parsed: nobody without rights may keep the server busy", async () => {
    for (const body of [`[${"{},".repeat(5000)}`, `{"name":"a","b":${"[".repeat(5000)}`]) {
      const response = await send(body);
      expect([response.status, await response.json()]).toEqual([
        413,
        expect.objectContaining({ detail: "request limit: the body must have <= 5000 values", code: "limit_exceeded" }),
      ]);
    }
  });

  it("may have a text of any characters", async () => {
    const response = await send(JSON.stringify({ name: `${',[{"'.repeat(2000)}\\` }));
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining("cache name")]);
  });
});

describe("browsers", () => {
  it("are told what they may send", async () => {
    const response = await fetch(`${door.url}/v1/topics/c/t`, {
      method: "OPTIONS",
      headers: { origin: "https://app.example", "access-control-request-method": "POST" },
    });
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(response.headers.get("access-control-allow-headers")).toBe("Authorization, Content-Type, Last-Event-ID");
    expect(response.headers.get("access-control-allow-methods")).toBe("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    expect(response.headers.get("access-control-allow-credentials")).toBeNull();
  });

  it("can read errors, and every answer forbids caching, sniffing and referrers", async () => {
    const response = await fetch(`${door.url}/v1/caches`, { headers: { origin: "https://app.example" } });
    expect(response.status).toBe(401);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "access-control-allow-origin": "https://app.example",
      vary: "Origin",
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    });
    expect((await fetch(`${door.url}/health/live`)).headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("GET", () => {
  it("changes nothing, whatever the path", async () => {
    const before = await (await fetch(`${door.url}/v1/caches`)).text();
    for (const path of ["/v1/caches/c", "/v1/caches/c/flush", "/v1/tokens", "/v1/topics/c/t", "/v1/caches?name=x"]) {
      await fetch(door.url + path, { headers: { "x-http-method-override": "DELETE" } });
    }
    expect(await (await fetch(`${door.url}/v1/caches`)).text()).toBe(before);
    const { items } = (await (await fetch(`${door.url}/v1/topics/c/t/items`)).json()) as { items: unknown[] };
    expect(items).toEqual([]);
  });
});

describe("a GET that names a media type", () => {
  it("is answered all the same: some clients send one with each request", async () => {
    const headers = { "content-type": "text/plain" };
    for (const path of ["/health/live", "/v1/caches"]) {
      expect((await fetch(door.url + path, { headers })).status, path).toBe(200);
    }
  });
});

describe("health, metrics and the front page", () => {
  it("need no credential, Host or body", async () => {
    expect(await raw("GET /health/live HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1.1 200 .*\{"status":"live"\}$/s);
    expect((await fetch(`${door.url}/health/live`, { method: "HEAD" })).status).toBe(200);
    const metrics = await fetch(`${door.url}/metrics`);
    expect([metrics.headers.get("content-type"), await metrics.text()]).toEqual([
      "text/plain; version=0.0.4",
      "todoku_up 1\n",
    ]);
    const page = await fetch(door.url);
    expect([page.headers.get("content-type"), (await page.text()).startsWith("Todoku 0.0.0-test")]).toEqual([
      expect.stringContaining("text/plain"),
      true,
    ]);
  });

  it("says 503 with the reason while writes are refused, and while the server starts or drains", async () => {
    const ready = async () => {
      const response = await fetch(`${door.url}/health/ready`);
      return [response.status, await response.json()];
    };
    const open = { status: "open", reason: null };
    expect(await ready()).toEqual([200, { status: "ready", engine: open }]);
    health = { status: "refusing", reason: "the disk is full" };
    expect(await ready()).toEqual([503, { status: "refusing", engine: health }]);
    health = { status: "open", reason: undefined };
    for (readiness of ["starting", "draining"] as const) {
      expect(await ready()).toEqual([503, { status: readiness, engine: open }]);
    }
    readiness = "ready";
  });
});

describe("HTTP/2", () => {
  it("is served through Node's compatibility objects, streams too", async () => {
    const server = createHttp2Server((request, response) => door.door.handle(request as never, response as never));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const call = async (method: string, path: string, headers = {}, body?: string) => {
      const stream = session.request({ ":method": method, ":path": path, ...headers });
      stream.end(body);
      let text = "";
      stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      const [[head]] = await Promise.all([once(stream, "response"), once(stream, "end")]);
      return [head[":status"], text];
    };
    expect((await call("POST", "/v1/topics/c/h2", json, '{"text":"a"}'))[0]).toBe(200);
    expect(await call("POST", "/v1/caches/c/flush")).toEqual([204, ""]);
    expect((await call("PUT", "/v1/caches", json, "{}"))[0]).toBe(405);
    expect((await call("GET", "/v1/caches", { origin: "https://evil.example" }))[0]).toBe(401);
    const stream = session.request({ ":path": "/v1/topics/c/h2", accept: "text/event-stream" }).setEncoding("utf8");
    expect((await once(stream, "data"))[0]).toMatch(/^:\nretry: 1000\nid: \d+-0\n\n$/);
    const [[event]] = await Promise.all([once(stream, "data"), call("POST", "/v1/topics/c/h2", json, '{"text":"b"}')]);
    expect(event).toContain('"text":"b"');
    session.destroy();
    while ((door.topics.stats().get("dev")?.subscriptions ?? 0) > 0)
      await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => server.close(resolve));
  });
});

/** Sends bytes that fetch would not, and returns all that comes back until the connection closes. */
async function raw(request: string): Promise<string> {
  const socket = connect(Number(new URL(door.url).port), "127.0.0.1").setEncoding("utf8");
  let text = "";
  socket.on("data", (chunk: string) => {
    text += chunk;
    socket.end();
  });
  socket.write(request);
  await once(socket, "close");
  return text;
}

function toLines(headers: Record<string, string>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
}
