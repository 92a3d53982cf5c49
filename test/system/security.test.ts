// Attacks from outside on a running server. docs/design/security.md names these tests, and where the others stand.
import { connect } from "node:net";
import pubsub from "@gomomento/generated-types/dist/cachepubsub.js";
import { generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { unwrapCredential, wrapCredential } from "../../src/domain/auth/credential.ts";
import { createLog } from "../../src/lib/leveled-log.ts";
import { startServer } from "../../src/server/server.ts";
import { SettableMachine } from "../support/clock.ts";
import { rowsOf } from "../support/database-rows.ts";
import { doorsNot } from "../support/doors.ts";
import { aSession, frame, GrpcCall } from "../support/grpc.ts";
import { aDirectory, aServer } from "../support/server.ts";
import { follow } from "../support/sse.ts";

const { _SubscriptionRequest } = pubsub.cache_client.pubsub;

type Answer = Record<string, string> & { key?: Record<string, string> };

/** A server whose bearer of `devKey` is an operator, whose log is read, and whose wall clock can be set. */
async function aTarget() {
  const directory = await aDirectory();
  const lines: string[] = [];
  const levels = { level: "debug", areas: {}, environments: {} } as const;
  const log = createLog(levels, { write: (line) => void lines.push(line) });
  const rates = { failedCredentialsPerMinute: 0 };
  const drain = { delaySeconds: 0, seconds: 0 };
  const config = configSchema.parse({ port: 0, dataDir: directory.path, devKey: true, drain, rates });
  const machine = new SettableMachine();
  const server = await startServer(config, log, { machineClocks: machine });
  const operator = server.devKey ?? "";
  const send = (method: string, path: string, body?: unknown, credential = operator) =>
    fetch(server.url + path, {
      method,
      headers: {
        authorization: `Bearer ${credential}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const post = async (path: string, body: unknown, credential?: string): Promise<Answer> => {
    const response = await send("POST", path, body, credential);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Answer;
  };
  await post("/v1/caches", { name: "c" });
  return {
    ...{ url: server.url, port: server.port, dataDir: directory.path, operator, lines, machine, send, post },
    async [Symbol.asyncDispose]() {
      await server.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

const grants = [
  { resource: "topic", role: "publish-subscribe", cache: { all: true }, topic: { all: true } },
  { resource: "cache", role: "read-write", cache: { all: true }, key: { all: true } },
];

let target: Awaited<ReturnType<typeof aTarget>>;
/** Whatever was used against it. */
const used: string[] = [];
beforeAll(async () => {
  target = await aTarget();
});
afterAll(() => target?.[Symbol.asyncDispose]());

const aToken = async (fields: object = {}, credential?: string) => {
  const made = await target.post("/v1/tokens", { grants, validForSeconds: 3600, ...fields }, credential);
  used.push(made.token ?? "");
  return { token: made.token ?? "", jti: made.jti ?? "" };
};
const aKey = async (fields: object = {}, credential?: string) => {
  const made = await target.post("/v1/keys", { superUser: true, ...fields }, credential);
  const { keyId = "", apiKey = "", apiKeyV2 = "" } = made;
  used.push(apiKey, apiKeyV2, unwrapCredential(apiKey));
  return { keyId, apiKey, apiKeyV2 };
};
const anEnvironment = async (name: string) => {
  const { key } = await target.post("/v1/environments", { name });
  used.push(key?.apiKey ?? "", unwrapCredential(key?.apiKey ?? ""));
  return key?.apiKey ?? "";
};

describe("at every door", () => {
  it("a good token, and a good key in each of its forms, is taken", async () => {
    const { token } = await aToken();
    const { apiKey, apiKeyV2 } = await aKey();
    for (const good of [token, apiKey, apiKeyV2, unwrapCredential(apiKey), wrapCredential("todoku.example", token)]) {
      expect(await doorsNot("taken", target, good)).toEqual([]);
    }
  });

  it.each<[string, () => Promise<{ credential: string; end(): Promise<unknown> }>]>([
    [
      "a revoked token",
      async () => {
        const { token, jti } = await aToken();
        return { credential: token, end: () => target.post("/v1/revocations", { token: jti }) };
      },
    ],
    [
      "a token of a revoked user",
      async () => {
        const { token } = await aToken({ userId: "mallory" });
        return { credential: token, end: () => target.post("/v1/revocations", { userId: "mallory" }) };
      },
    ],
    [
      "a token whose key was deleted",
      async () => {
        const { keyId, apiKey } = await aKey();
        const { token } = await aToken({}, apiKey);
        return { credential: token, end: () => target.send("DELETE", `/v1/keys/${keyId}`) };
      },
    ],
    [
      "a deleted key",
      async () => {
        const { keyId, apiKey } = await aKey();
        return { credential: apiKey, end: () => target.send("DELETE", `/v1/keys/${keyId}`) };
      },
    ],
    [
      "a key that was told to end",
      async () => {
        const { keyId, apiKeyV2 } = await aKey();
        return { credential: apiKeyV2, end: () => target.send("PATCH", `/v1/keys/${keyId}`, { expiresInSeconds: 0 }) };
      },
    ],
    [
      "a token of a signing key that was rotated with no overlap",
      async () => {
        const key = await anEnvironment(`rotated-${used.length}`);
        const { token } = await aToken({}, key);
        return { credential: token, end: () => target.post("/v1/signing-keys", { overlapSeconds: 0 }, key) };
      },
    ],
    [
      "a key of an environment that was destroyed and made anew",
      async () => {
        const name = `phoenix-${used.length}`;
        const credential = await anEnvironment(name);
        const end = async () => {
          await target.send("DELETE", `/v1/environments/${name}`);
          await anEnvironment(name);
        };
        return { credential, end };
      },
    ],
  ])("%s is refused, whether it was used before or not, and so is a ticket that was made with it", async (_, make) => {
    const [remembered, fresh] = [await make(), await make()];
    expect(await doorsNot("taken", target, remembered.credential)).toEqual([]);
    const ticket = await target.post("/v1/tickets", { method: "GET", path: "/v1/caches" }, remembered.credential);
    used.push(ticket.ticket ?? "");
    await remembered.end();
    await fresh.end();
    for (const { credential } of [remembered, fresh]) {
      expect(await doorsNot("refused", target, credential)).toEqual([]);
    }
    expect((await fetch(`${target.url}/v1/caches?ticket=${ticket.ticket}`)).status).toBe(401);
  });

  it("an expired token and an expired key are refused, whether they were used before or not", async () => {
    const made = await Promise.all([
      aToken(),
      aToken(),
      aKey({ validForSeconds: 3600 }),
      aKey({ validForSeconds: 3600 }),
    ]);
    const [remembered, fresh, rememberedKey, freshKey] = made.map((one) => ("token" in one ? one.token : one.apiKey));
    for (const good of [remembered, rememberedKey]) expect(await doorsNot("taken", target, good ?? "")).toEqual([]);
    target.machine.setBy(3_601_000);
    for (const bad of [remembered, fresh, rememberedKey, freshKey]) {
      expect(await doorsNot("refused", target, bad ?? "")).toEqual([]);
    }
    target.machine.setBy(-3_601_000);
  });

  it("what was made for another audience is refused: of another server, an identity provider, or for another use", async () => {
    await using other = await aServer({ devKey: true });
    const headers = { authorization: `Bearer ${other.devKey}`, "content-type": "application/json" };
    const makeThere = async (path: string, body: object) => {
      const response = await fetch(other.url + path, { method: "POST", headers, body: JSON.stringify(body) });
      return (await response.json()) as Record<string, string>;
    };
    const [key, token] = [
      await makeThere("/v1/keys", { superUser: true }),
      await makeThere("/v1/tokens", { grants, validForSeconds: 60 }),
    ];
    const { privateKey } = await generateKeyPair("RS256");
    const identity = await new SignJWT({ environment: "dev", grants, tokenId: "", email: "a@example.com" })
      .setProtectedHeader({ alg: "RS256", kid: "idp-1" })
      .setIssuer("https://accounts.example")
      .setAudience("todoku")
      .setSubject("alice")
      .setJti("1")
      .setIssuedAt()
      .setExpirationTime("1h")
      .sign(privateKey);
    const { ticket } = await target.post("/v1/tickets", { method: "GET", path: "/v1/caches" });
    for (const foreign of [key.apiKey, key.apiKeyV2, token.token, other.devKey, identity, ticket]) {
      used.push(foreign ?? "");
      expect(await doorsNot("refused", target, foreign ?? "")).toEqual([]);
    }
    const { token: own } = await aToken();
    for (const noTicket of [own, target.operator]) {
      expect((await fetch(`${target.url}/v1/caches?ticket=${noTicket}`)).status).toBe(401);
    }
  });
});

it("open streams of a credential that is taken back end within a second, whatever protocol they came by", async () => {
  await target.post("/v1/queues", { name: "empty" });
  const receive = { resource: "queue", role: "receive", queue: { all: true } };
  const { token } = await aToken({ userId: "eve", grants: [...grants, receive] });
  const bearer = { authorization: `Bearer ${token}` };
  const message = new _SubscriptionRequest({ cache_name: "c", topic: "quiet" }).serializeBinary();
  const path = "/cache_client.pubsub.Pubsub/Subscribe";
  using session = aSession(target.port);
  const grpc = new GrpcCall(session, path, message, { authorization: token });
  const web = await fetch(target.url + path, {
    method: "POST",
    headers: { authorization: token, "content-type": "application/grpc-web+proto" },
    body: new Uint8Array(frame(message)),
  });
  const events = await fetch(`${target.url}/v1/topics/c/quiet`, {
    headers: { ...bearer, accept: "text/event-stream" },
  });
  const poll = fetch(`${target.url}/topics/c/quiet`, { headers: bearer });
  const waiting = fetch(`${target.url}/v1/queues/empty/receive`, {
    method: "POST",
    headers: { ...bearer, "content-type": "application/json" },
    body: JSON.stringify({ waitSeconds: 20 }),
  });
  await grpc.until(() => grpc.messages.length > 0);
  const open = async () => {
    const text = await (await target.send("GET", "/metrics")).text();
    return ["topic_subscriptions", "queue_polls"].map((name) =>
      Number(new RegExp(`^todoku_${name}\\{environment="dev"\\} (\\d+)`, "m").exec(text)?.[1]),
    );
  };
  await expect.poll(open).toEqual([4, 1]);

  const startMs = performance.now();
  await target.post("/v1/revocations", { userId: "eve" });
  const endings = [
    (await grpc.ended).status,
    /grpc-status:(\d+)/.exec(await web.text())?.[1],
    /"code":"(\w+)"/.exec(await events.text())?.[1],
    (await poll).status,
    (await waiting).status,
  ];
  expect(performance.now() - startMs).toBeLessThan(1000);
  expect(endings).toEqual([16, "16", "unauthenticated", 401, 401]);
  expect(await open()).toEqual([0, 0]);
});

it("what is written into names and messages forges no event, no trailer and no header", async () => {
  const hostile = "x\r\ngrpc-status:0\r\n\r\nid: 9-9\r\ndata: forged\r\n\r\nset-cookie: a=b\u2028\u0000";
  const message = new _SubscriptionRequest({ cache_name: hostile, topic: hostile }).serializeBinary();
  const web = await fetch(`${target.url}/cache_client.pubsub.Pubsub/Subscribe`, {
    method: "POST",
    headers: { authorization: target.operator, "content-type": "application/grpc-web+proto" },
    body: new Uint8Array(frame(message)),
  });
  expect((await web.text()).match(/grpc-status:\d+\r\n/g)).toEqual(["grpc-status:5\r\n"]);

  const events = await follow(`${target.url}/v1/topics/c/lines`, { authorization: `Bearer ${target.operator}` });
  const topic = encodeURIComponent(hostile);
  const refused = await target.send("POST", `/v1/topics/${topic}/${topic}`, { text: "x" });
  expect(refused.headers.get("set-cookie")).toBeNull();
  expect(refused.headers.get("content-type")).toBe("application/problem+json");
  await target.post("/v1/topics/c/lines", { text: hostile });
  await target.post("/v1/topics/c/lines", { text: "next" });
  expect(await events.nextData()).toMatchObject({ text: hostile });
  expect(await events.nextData()).toMatchObject({ text: "next" });
  events.close();
});

describe("nobody becomes more than they are", () => {
  const grant = { resource: "secret", role: "read", secret: { all: true } };

  it.each<[string, string, unknown?]>([
    ["POST", "/v1/keys", { superUser: true, operator: true }],
    ["POST", "/v1/environments", { name: "mine" }],
    ["POST", "/v1/environments/dev/keys", { superUser: true, operator: true }],
    ["POST", "/v1/environments/other/keys", { superUser: true }],
    ["PATCH", "/v1/environments/dev", { secretsFrom: ["other"] }],
    ["PATCH", "/v1/environments/dev", { settings: { rates: {} } }],
    ["DELETE", "/v1/environments/other"],
    ["GET", "/v1/environments"],
  ])("a super user is no operator: %s %s %j", async (method, path, body) => {
    const { apiKey } = await aKey();
    expect((await target.send(method, path, body, apiKey)).status).toBe(403);
  });

  it("a super user can neither end, change, nor renew an operator's key, nor get one by rotating a secret", async () => {
    const { apiKey } = await aKey();
    const { keyId, apiKey: operators } = await aKey({ operator: true });
    const tries: [string, string, unknown?][] = [
      ["DELETE", `/v1/keys/${keyId}`],
      ["PATCH", `/v1/keys/${keyId}`, { expiresInSeconds: 0 }],
      ["POST", "/v1/revocations", { keyId }],
    ];
    for (const [method, path, body] of tries) {
      expect((await target.send(method, path, body, apiKey)).status, `${method} ${path}`).toBe(403);
    }
    await target.post("/v1/secrets/stolen", { value: operators }, apiKey);
    const rotate = { secret: "stolen", overlapSeconds: 0 };
    expect((await target.send("POST", "/v1/keys/rotate", rotate, apiKey)).status).toBe(403);
    await target.post("/v1/secrets/stolen", { value: `tdk_${keyId}_${"x".repeat(43)}` }, apiKey);
    expect((await target.send("POST", "/v1/keys/rotate", rotate)).status).toBe(409);
    expect(await doorsNot("taken", target, operators)).toEqual([]);
  });

  it("a key with grants, and a token, can neither make keys, revoke, rotate, nor read what is not granted", async () => {
    const { apiKey } = await aKey({ superUser: undefined, grants });
    const { token } = await aToken();
    await target.post("/v1/secrets/hidden", { value: "hush-hush-hush-hush" });
    used.push("hush-hush-hush-hush");
    const tries: [string, string, unknown?][] = [
      ["POST", "/v1/keys", { superUser: true }],
      ["POST", "/v1/keys", { grants }],
      ["GET", "/v1/keys"],
      ["POST", "/v1/tokens", { grants, validForSeconds: 60 }],
      ["POST", "/v1/revocations", { issuedBeforeMs: 1 }],
      ["POST", "/v1/signing-keys", { overlapSeconds: 0 }],
      ["GET", "/v1/secrets/hidden"],
      ["POST", "/v1/secrets/hidden", { value: "mine" }],
      ["POST", "/v1/keys/rotate", { secret: "hidden", overlapSeconds: 0 }],
      ["GET", "/v1/environments"],
    ];
    for (const credential of [apiKey, token]) {
      for (const [method, path, body] of tries) {
        expect((await target.send(method, path, body, credential)).status, `${method} ${path}`).toBe(403);
      }
    }
    expect((await target.send("POST", "/v1/tokens", { grants: [grant], validForSeconds: 60 })).status).toBe(400);
  });
});

describe("an environment is not left by names", () => {
  it("one whose name looks like the id of a key, or is a word of JavaScript, is one like any other", async () => {
    await target.post("/v1/secrets/db", { value: "of dev, and of nobody else" });
    for (const name of ["dev-0123456789abcdef", "constructor", "hasOwnProperty", "-", "DEV"]) {
      const key = await anEnvironment(name);
      expect(await (await target.send("GET", "/v1/environment", undefined, key)).json()).toMatchObject({ name });
      await target.post("/v1/caches", { name: "constructor" }, key);
      const { caches } = (await (await target.send("GET", "/v1/caches", undefined, key)).json()) as {
        caches: { name: string }[];
      };
      expect(caches.map((cache) => cache.name)).toEqual(["constructor", "events"]);
    }
  });

  it("no spelling of a secret's or cache's name leads into another one", async () => {
    const key = await anEnvironment("prison");
    const names = [
      "../dev/db",
      "..%2Fdev%2Fdb",
      "dev/db",
      "dev:db",
      "dev\u0000db",
      "db?environment=dev",
      "../../dev/secrets/db",
    ];
    for (const name of names.flatMap((name) => [name, encodeURIComponent(name)])) {
      const answer = await target.send("GET", `/v1/secrets/${name}`, undefined, key);
      expect([400, 404], name).toContain(answer.status);
      expect(await answer.text()).not.toContain("nobody else");
    }
  });
});

describe("who guesses credentials", () => {
  const guess = async (url: string, forwardedFor: string) => {
    const headers = {
      authorization: "Bearer guess",
      "x-forwarded-for": forwardedFor,
      forwarded: `for=${forwardedFor}`,
    };
    return (await fetch(`${url}/v1/caches`, { headers })).status;
  };
  const rates = { failedCredentialsPerMinute: 5 };
  const address = (n: number) => `198.51.100.${n}`;

  it("is not taken for somebody else by a header, when no proxy is trusted", async () => {
    await using server = await aServer({ rates });
    const statuses: number[] = [];
    for (let n = 0; n < 8; n++) statuses.push(await guess(server.url, address(n)));
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
  });

  it("is known behind a trusted proxy by the hop that the proxy wrote, whatever stands before it, and others are let on", async () => {
    await using server = await aServer({ rates, trustedProxies: ["127.0.0.1"] });
    const statuses: number[] = [];
    for (let n = 0; n < 8; n++) statuses.push(await guess(server.url, `${address(n)}, 203.0.113.9`));
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
    expect(await guess(server.url, "203.0.113.10")).toBe(401);
    expect(await guess(server.url, "203.0.113.9, 203.0.113.11")).toBe(401);
  });
});

it("a GET changes nothing in the store, whatever it asks for", async () => {
  await target.post("/v1/queues", { name: "q" });
  await target.post("/v1/queues/q/send", { body: "one" });
  await target.post("/v1/topics/c/t", { text: "one" });
  await target.post("/v1/secrets/s", { value: "one" });
  const { paths } = (await (await target.send("GET", "/v1/openapi.json")).json()) as {
    paths: Record<string, { get?: object }>;
  };
  const asked = Object.keys(paths)
    .filter((path) => paths[path]?.get)
    .map((path) =>
      path
        .replace("{cache}", "c")
        .replace("{topic}", "t")
        .replace("{queue}", "q")
        .replace(/\{(secret|name)\}/, "s"),
    );
  expect(asked.length).toBeGreaterThan(10);
  const before = rowsOf(target.dataDir);
  for (const path of [...asked, "/cache/c?key=k", "/cache/c?key=k&ttl_seconds=5", "/cache/new?key=k"]) {
    for (const method of ["GET", "HEAD", "OPTIONS"]) await (await target.send(method, path)).arrayBuffer();
    // As a form or a link would override it.
    await (
      await target.send("GET", `${path}${path.includes("?") ? "&" : "?"}_method=DELETE&method=DELETE`)
    ).arrayBuffer();
  }
  expect(rowsOf(target.dataDir)).toEqual(before);
});

it("what two parsers may read as one request or as two is refused, and its connection ends", async () => {
  const head = "POST /v1/caches HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  const second = "GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const attacks = [
    `${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${second}`,
    `${head}Content-Length: 4\r\nContent-Length: 5\r\n\r\n{}  ${second}`,
    `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${second}`,
    `${head}X: a\r\n Content-Length: 4\r\n\r\n{}  ${second}`,
    `${head}Content-Length : 2\r\n\r\n{}${second}`,
  ];
  for (const attack of attacks) {
    const socket = connect(target.port, "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", () => {});
    socket.write(attack);
    await new Promise((resolve) => socket.once("close", resolve));
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).not.toContain("openapi");
  }
});

it("a credential that was pasted where an id or a name belongs is in no line of the log", async () => {
  const { apiKey, apiKeyV2 } = await aKey();
  const { token } = await aToken();
  for (const credential of [apiKey, apiKeyV2, unwrapCredential(apiKey), token]) {
    for (const path of ["/v1/keys/", "/v1/secrets/", "/v1/caches/", "/cache/"]) {
      await (await target.send("DELETE", path + encodeURIComponent(credential))).arrayBuffer();
    }
  }
  expect(target.lines.length).toBeGreaterThan(10);
});

// The last: it looks at the lines of all tests above.
it("no credential and no secret of all these attacks is in the log", () => {
  const text = target.lines.join("");
  expect(target.lines.length).toBeGreaterThan(100);
  const inner = [target.operator, ...used].filter((one) => one.length > 0);
  expect(inner.filter((secret) => text.includes(secret)).map((secret) => secret.slice(0, 8))).toEqual([]);
});
