// Momento's HTTP API, driven by fetch and curl as the examples of its documentation do (reference 6).
import { execFile } from "node:child_process";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { performance } from "node:perf_hooks";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { wrapCredential } from "../../src/domain/auth/credential.ts";
import { limits } from "../../src/domain/limits.ts";
import { aServer } from "../support/server.ts";

interface Entry {
  readonly item?: {
    readonly topic_sequence_number: number;
    readonly sequence_page: number;
    readonly value: { readonly text?: string; readonly binary?: number[] };
    readonly publisher_id?: string;
  };
  readonly discontinuity?: {
    readonly last_topic_sequence: number;
    readonly new_topic_sequence: number;
    readonly new_sequence_page: number;
  };
}

/** A server with the cache `c`, and a clock that can be set ahead. */
async function anApi(config: Parameters<typeof aServer>[0] = {}) {
  let aheadMs = 0;
  const server = await aServer(config, {
    machineClocks: {
      monotonicMs: () => performance.now() + aheadMs,
      wallMs: () => Math.floor(performance.timeOrigin + performance.now() + aheadMs),
      uptimeMs: () => performance.now() + aheadMs,
    },
  });
  const bearer: Record<string, string> =
    server.devKey === undefined ? {} : { authorization: `Bearer ${server.devKey}` };
  const json = async (path: string, body: object) => {
    const headers = { "content-type": "application/json", ...bearer };
    const response = await fetch(server.url + path, { method: "POST", headers, body: JSON.stringify(body) });
    expect(response.ok, path).toBe(true);
    return (await response.json()) as Record<string, string>;
  };
  await json("/v1/caches", { name: "c" });
  const call = (method: string, path: string, init: Omit<RequestInit, "method"> = {}) =>
    fetch(server.url + path, { method, ...init });
  return {
    ...{ server, json, call },
    token: async (grant: object, more: object = {}) =>
      (await json("/v1/tokens", { grants: [grant], validForSeconds: 60, ...more })) as { token: string; jti: string },
    publish: (body: string | Uint8Array<ArrayBuffer>, topic = "t", headers: Record<string, string> = {}) =>
      call("POST", `/topics/c/${topic}`, { body, headers: { "content-type": "text/plain", ...headers } }),
    async poll(query = "", topic = "t", headers: Record<string, string> = {}) {
      const response = await call("GET", `/topics/c/${topic}?${query}`, { headers });
      expect(response.status).toBe(200);
      return ((await response.json()) as { items: Entry[] }).items;
    },
    /** Resolves when so many follow a topic. */
    async followers(count: number) {
      const metric = new RegExp(`^todoku_topic_subscriptions\\{environment="dev"\\} ${count}$`, "m");
      while (!metric.test(await (await call("GET", "/metrics", { headers: bearer })).text()));
    },
    goAhead(ms: number) {
      aheadMs += ms;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const follow = { resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { all: true } };
const both = { ...follow, role: "publish-subscribe" };
const write = { resource: "cache", role: "write", cache: { name: "c" }, key: { all: true } };
const textOf = (entry: Entry) => entry.item?.value.text;
const next = ({ item }: Entry) =>
  `sequence_number=${(item?.topic_sequence_number ?? 0) + 1}&sequence_page=${item?.sequence_page}`;

const wrongCalls: readonly (readonly [string, string, number, string])[] = [
  ["GET", "/cache/nowhere?key=k", 404, "Cache Not Found"],
  ["PUT", "/cache/nowhere?key=k&ttl_seconds=1", 404, "Cache Not Found"],
  ["DELETE", "/cache/nowhere?key=k", 404, "Cache Not Found"],
  ["GET", "/cache/c", 400, "Bad Request"],
  ["GET", "/cache/c?key=k&key_base64=aw", 400, "Bad Request"],
  ["GET", "/cache/c?key=k&key=l", 400, "Bad Request"],
  ["GET", "/cache/c?key_base64=%25%25", 400, "Bad Request"],
  ["GET", "/cache/%ff?key=k", 400, "Bad Request"],
  ["PUT", "/cache/c?key=k", 400, "Bad Request"],
  ["PUT", "/cache/c?key=k&ttl_seconds=1.5", 400, "Bad Request"],
  ["PUT", "/cache/c?key=k&ttl_seconds=0", 400, "Bad Request"],
  ["PUT", "/cache/c?key=k&ttl_seconds=86401", 400, "Bad Request"],
  ["POST", "/cache/c?key=k", 405, "Method Not Allowed"],
  ["GET", "/cache/c/d?key=k", 404, "Not Found"],
  ["GET", "/topics/c", 404, "Not Found"],
  ["DELETE", "/topics/c/t", 405, "Method Not Allowed"],
  ["GET", "/topics/c/t?sequence_number=-1", 400, "Bad Request"],
  ["GET", "/topics/c/t?sequence_number=1&sequence_page=x", 400, "Bad Request"],
  ["GET", "/topics/nowhere/t", 404, "Cache Not Found"],
];

describe("items", () => {
  it("are set, read and deleted", async () => {
    await using api = await anApi();
    const put = await api.call("PUT", "/cache/c?key=greeting&ttl_seconds=60", { body: "hello" });
    expect([put.status, await put.text()]).toEqual([204, ""]);
    const hit = await api.call("GET", "/cache/c?key=greeting");
    expect([hit.status, hit.headers.get("content-type"), await hit.text()]).toEqual([
      200,
      "application/octet-stream",
      "hello",
    ]);
    for (let i = 0; i < 2; i++) expect((await api.call("DELETE", "/cache/c?key=greeting")).status).toBe(204);
    const miss = await api.call("GET", "/cache/c?key=greeting");
    expect([miss.status, miss.statusText]).toEqual([404, "Not Found"]);
    expect(await miss.json()).toMatchObject({ title: "Key Not Found", status: 404, code: "not_found" });
  });

  it("keep every byte, whatever the content type and the query say of the value", async () => {
    await using api = await anApi();
    const body = Uint8Array.from({ length: 512 }, (_, i) => i % 256);
    const headers = { "content-type": "application/json" };
    await api.call("PUT", "/cache/c?key=k&ttl_seconds=60&value=no", { body, headers });
    expect(new Uint8Array(await (await api.call("GET", "/cache/c?key=k")).arrayBuffer())).toEqual(body);
  });

  it("have one key, as text or as base64 of either alphabet", async () => {
    await using api = await anApi();
    const key = Buffer.from([0xfb, 0xff, 0xfe, 0x00]);
    const [standard, url] = [key.toString("base64"), key.toString("base64url")];
    await api.call("PUT", `/cache/c?key_base64=${encodeURIComponent(standard)}&ttl_seconds=60`, { body: "bytes" });
    for (const spelling of [standard, url, encodeURIComponent(standard)]) {
      expect((await api.call("GET", `/cache/c?key_base64=${spelling}`)).status, spelling).toBe(200);
    }
    await api.call("PUT", "/cache/c?key=caf%C3%A9&ttl_seconds=60", { body: "text" });
    const encoded = Buffer.from("café").toString("base64url");
    expect(await (await api.call("GET", `/cache/c?key_base64=${encoded}`)).text()).toBe("text");
  });

  it("go when their time is over", async () => {
    await using api = await anApi();
    await api.call("PUT", "/cache/c?key=k&ttl_seconds=60", { body: "x" });
    api.goAhead(59_000);
    expect((await api.call("GET", "/cache/c?key=k")).status).toBe(200);
    api.goAhead(2000);
    expect((await api.call("GET", "/cache/c?key=k")).status).toBe(404);
  });

  it("that are asked for wrongly get Momento's statuses", async () => {
    await using api = await anApi();
    for (const [method, path, status, title] of wrongCalls) {
      const response = await api.call(method, path, ["PUT", "POST"].includes(method) ? { body: "x" } : {});
      expect(response.status, `${method} ${path}`).toBe(status);
      expect(await response.json(), `${method} ${path}`).toMatchObject({ status, title });
    }
  });

  it("past 5,000,000 bytes are refused before they are whole", async () => {
    await using api = await anApi();
    const body = new Uint8Array(limits.itemMaxBytes + 1);
    expect((await api.call("PUT", "/cache/c?key=k&ttl_seconds=60", { body })).status).toBe(429);
    const greatest = body.subarray(1);
    expect((await api.call("PUT", "/cache/c?key=k&ttl_seconds=60", { body: greatest })).status).toBe(204);
  });
});

describe("a published message", () => {
  it("reaches a poll that waits, with the sender's token id", async () => {
    await using api = await anApi({ devKey: true });
    const { token } = await api.token(both, { tokenId: "alice" });
    const headers = { authorization: token };
    const poll = api.poll("sequence_number=0&sequence_page=0", "t", headers);
    await api.followers(1);
    expect((await api.publish("hello", "t", headers)).status).toBe(204);
    expect(await poll).toEqual([
      {
        item: {
          topic_sequence_number: 1,
          sequence_page: expect.any(Number),
          value: { text: "hello" },
          publisher_id: "alice",
        },
      },
    ]);
  });

  it("is bytes when it is sent as application/octet-stream, and text otherwise", async () => {
    await using api = await anApi();
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/json"]) {
      expect((await api.publish("a=b", "t", { "content-type": type })).status).toBe(204);
    }
    const bytes = Uint8Array.of(0, 255, 10);
    expect((await api.publish(bytes, "t", { "content-type": "application/octet-stream" })).status).toBe(204);
    const values = (await api.poll("sequence_number=1")).map(({ item }) => item?.value);
    expect(values).toEqual([{ text: "a=b" }, { text: "a=b" }, { text: "a=b" }, { binary: [0, 255, 10] }]);
  });

  it("is refused when its text is no text, is empty, or too large", async () => {
    await using api = await anApi();
    expect((await api.publish(Uint8Array.of(0xff))).status).toBe(400);
    expect((await api.publish("")).status).toBe(400);
    expect((await api.publish("x".repeat(limits.messageMaxBytes + 1))).status).toBe(429);
  });

  it("may stand in a topic whose name has a slash", async () => {
    await using api = await anApi();
    await api.publish("x", "a%2Fb");
    expect((await api.poll("sequence_number=1", "a%2Fb")).map(textOf)).toEqual(["x"]);
    const items = await (await api.call("GET", "/v1/topics/c/a%2Fb/items")).json();
    expect(items).toMatchObject({ items: [{ text: "x" }] });
  });
});

describe("a client that polls on behind the last message", () => {
  it("gets each message once and in order, also those between two polls", async () => {
    await using api = await anApi();
    const count = 300;
    await api.publish("0");
    const publishing = (async () => {
      for (let i = 1; i < count; i++) expect((await api.publish(String(i))).status).toBe(204);
    })();
    const texts: (string | undefined)[] = [];
    let query = "sequence_number=1&sequence_page=0";
    while (texts.length < count) {
      const items = await api.poll(query);
      texts.push(...items.map(textOf));
      query = next(items.at(-1) as Entry);
    }
    await publishing;
    expect(texts).toEqual(Array.from({ length: count }, (_, i) => String(i)));
  });

  it("gets many in one answer, and the rest with the next when they are large", async () => {
    await using api = await anApi();
    const large = "x".repeat(200_000);
    for (let i = 0; i < 12; i++) await api.publish(`${i}${large}`);
    const sizes: number[] = [];
    let query = "sequence_number=1&sequence_page=0";
    for (let all = 0; all < 12; all += sizes.at(-1) ?? 0) {
      const items = await api.poll(query);
      sizes.push(items.length);
      query = next(items.at(-1) as Entry);
    }
    expect(sizes.length).toBeGreaterThan(1);
    for (const size of sizes) expect(size * large.length).toBeLessThan(2 * limits.longPollAnswerBytes);
  });

  it("hears of what is not kept any more by a discontinuity", async () => {
    await using api = await anApi();
    await api.publish("before");
    const [before] = await api.poll("sequence_number=1");
    const page = before?.item?.sequence_page ?? 0;
    await api.call("DELETE", "/v1/caches/c");
    await api.json("/v1/caches", { name: "c" });
    await api.publish("after");
    const items = await api.poll(`sequence_number=2&sequence_page=${page}`);
    const newPage = items[1]?.item?.sequence_page;
    expect(items).toEqual([
      { discontinuity: { last_topic_sequence: 1, new_topic_sequence: 0, new_sequence_page: newPage } },
      { item: { topic_sequence_number: 1, sequence_page: newPage, value: { text: "after" } } },
    ]);
    expect(newPage).toBeGreaterThan(page);
  });
});

describe("a poll", () => {
  it("without a message is answered empty after 30 seconds", async () => {
    await using api = await anApi();
    const poll = api.poll();
    await api.followers(1);
    api.goAhead(limits.longPollMs);
    expect(await poll).toEqual([]);
    await api.followers(0);
  });

  it("leaves nothing behind when its client goes", async () => {
    await using api = await anApi();
    const client = new AbortController();
    const poll = api.call("GET", "/topics/c/t", { signal: client.signal });
    await api.followers(1);
    client.abort();
    await expect(poll).rejects.toThrow();
    await api.followers(0);
  });

  it("is answered at once when the server stops, over a connection that ends", async () => {
    const api = await anApi();
    const poll = api.call("GET", "/topics/c/t");
    await api.followers(1);
    await api[Symbol.asyncDispose]();
    const response = await poll;
    expect([response.status, response.headers.get("connection")]).toEqual([200, "close"]);
    expect(await response.json()).toEqual({ items: [] });
  });

  it("ends with 401 when its token expires", async () => {
    await using api = await anApi({ devKey: true });
    const { token } = await api.token(follow, { validForSeconds: 10 });
    const poll = api.call("GET", "/topics/c/t", { headers: { authorization: token } });
    await api.followers(1);
    api.goAhead(11_000);
    const response = await poll;
    expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    expect(await response.json()).toMatchObject({ title: "Unauthorized", detail: "this token has expired" });
  });

  it("ends with 401 when its token is revoked", async () => {
    await using api = await anApi({ devKey: true });
    const { token, jti } = await api.token(follow);
    const poll = api.call("GET", "/topics/c/t", { headers: { authorization: token } });
    await api.followers(1);
    await api.json("/v1/revocations", { token: jti });
    expect((await poll).status).toBe(401);
    expect((await api.call("GET", "/topics/c/t", { headers: { authorization: token } })).status).toBe(401);
  });

  it("ends with 404 when its cache is deleted", async () => {
    await using api = await anApi();
    const poll = api.call("GET", "/topics/c/t");
    await api.followers(1);
    await api.call("DELETE", "/v1/caches/c");
    expect((await (await poll).json()) as object).toMatchObject({ title: "Cache Not Found" });
  });

  it("is refused with 429 when the token has as many open as it may", async () => {
    await using api = await anApi({ devKey: true, rates: { token: { streams: 2 } } });
    const { token } = await api.token(follow);
    const headers = { authorization: token };
    const polls = [api.poll("", "t", headers), api.poll("", "u", headers)];
    await api.followers(2);
    const response = await api.call("GET", "/topics/c/v", { headers });
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining("subscribers") });
    api.goAhead(limits.longPollMs);
    await Promise.all(polls);
  });
});

describe("credentials", () => {
  it.each<[string, (token: string) => { query?: string; headers?: Record<string, string> }]>([
    ["raw in the Authorization header", (token) => ({ headers: { authorization: token } })],
    ["behind Bearer", (token) => ({ headers: { authorization: `Bearer ${token}` } })],
    ["in the query", (token) => ({ query: `token=${token}` })],
    ["in Momento's v1 form", (token) => ({ headers: { authorization: wrapCredential("e", token) } })],
    [
      "in Momento's v1 form in the query",
      (token) => ({ query: `token=${encodeURIComponent(wrapCredential("e", token))}` }),
    ],
  ])("are taken %s", async (_, credential) => {
    await using api = await anApi({ devKey: true });
    const { query = "", headers = {} } = credential((await api.token(write)).token);
    const put = (more: string) =>
      api.call("PUT", `/cache/c?key=k&ttl_seconds=60&${query}${more}`, { body: "x", headers });
    expect((await put("")).status).toBe(204);
    expect((await api.call("GET", `/cache/c?key=k&${query}`, { headers })).status).toBe(403);
    expect((await put("&token=another")).status).toBe(400);
  });

  it("are wanted: without one it is 401, and an unknown one is", async () => {
    await using api = await anApi({ devKey: true });
    expect((await api.call("GET", "/cache/c?key=k")).status).toBe(401);
    const response = await api.call("GET", "/cache/c?key=k&token=not-a-token");
    expect(response.status).toBe(401);
    expect(await response.text()).not.toContain("not-a-token");
  });

  it("may be missing in dev mode, but not for a page of another origin, and not by asking twice", async () => {
    await using api = await anApi();
    const elsewhere = { origin: "https://evil.example" };
    expect((await api.publish("x", "t", elsewhere)).status).toBe(401);
    expect((await api.call("GET", "/cache/c?key=k", { headers: elsewhere })).status).toBe(401);
    expect((await api.call("GET", "/cache/c?key=k", { headers: { authorization: "" } })).status).toBe(404);
    expect((await api.call("GET", "/cache/c?key=k&token=", { headers: { authorization: "" } })).status).toBe(400);
  });

  it("are asked for before a body is read", async () => {
    await using api = await anApi({ devKey: true });
    const { token } = await api.token(follow);
    // A body that never comes.
    const headers = { authorization: token, "content-length": 100 };
    const call = request(`${api.server.url}/topics/c/t`, { method: "POST", headers }).on("error", () => {});
    call.flushHeaders();
    const [response] = (await once(call, "response")) as [IncomingMessage];
    call.destroy();
    expect(response.statusCode).toBe(403);
  });
});

describe("a page of any origin", () => {
  it("may call with a token, and read the answer", async () => {
    await using api = await anApi({ devKey: true });
    const origin = "https://app.example";
    const preflight = await api.call("OPTIONS", "/topics/c/t", {
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
      },
    });
    expect(preflight.status).toBe(204);
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      "access-control-allow-origin": origin,
      "access-control-allow-methods": "GET, POST, OPTIONS",
      "access-control-allow-headers": "authorization,content-type",
    });
    const { token } = await api.token(both);
    const response = await api.publish("x", "t", { origin, authorization: token });
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([204, origin]);
    const refused = await api.publish("x", "t", { origin });
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, origin]);
  });
});

describe("curl, as in Momento's documentation", () => {
  const curl = async (...args: string[]) => (await promisify(execFile)("curl", ["-sS", ...args])).stdout;

  it.each([[[]], [["--http2-prior-knowledge"]]])("publishes and subscribes, %j", async (flags: string[]) => {
    await using api = await anApi({ devKey: true });
    const { token } = await api.token(both);
    // The host that SDKs and examples use: api.cache. and the endpoint.
    const host = "api.cache.todoku.example";
    const base = `http://${host}:${api.server.port}/topics/c/example`;
    const to = [...flags, "--resolve", `${host}:${api.server.port}:127.0.0.1`];
    const first = curl(
      ...to,
      "-X",
      "GET",
      "-H",
      `Authorization: ${token}`,
      `${base}?sequence_number=0&sequence_page=0`,
    );
    await api.followers(1);
    const status = ["-o", "/dev/null", "-w", "%{http_code}"];
    expect(await curl(...to, ...status, "-X", "POST", "-d", "hello world!", `${base}?token=${token}`)).toBe("204");
    const [entry] = (JSON.parse(await first) as { items: Entry[] }).items;
    expect(entry?.item?.value).toEqual({ text: "hello world!" });
    const header = ["-H", `Authorization: ${token}`];
    expect(await curl(...to, ...status, "-X", "POST", ...header, "-d", "again", base)).toBe("204");
    const second = JSON.parse(await curl(...to, `${base}?token=${token}&${next(entry as Entry)}`)) as {
      items: Entry[];
    };
    expect(second.items.map(textOf)).toEqual(["again"]);
  });

  it("sets, gets and deletes", async () => {
    await using api = await anApi();
    const item = `${api.server.url}/cache/c?key=k`;
    await curl("-X", "PUT", "-d", "value", `${item}&ttl_seconds=300`);
    expect(await curl("-X", "GET", item)).toBe("value");
    expect(await curl("-X", "DELETE", "-w", "%{http_code}", item)).toBe("204");
    expect(await curl("-I", "-w", "%{http_code}", "-o", "/dev/null", item)).toBe("404");
  });
});
