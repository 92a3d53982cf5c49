import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { createApi, type IdTokenSource } from "./api.ts";

let close = () => {};
afterEach(() => close());

/** An API that answers as it is told, and keeps what it was asked. */
async function anApi(answer: (request: IncomingMessage, response: ServerResponse) => void, idToken?: IdTokenSource) {
  const asked: { method: string; url: string; headers: IncomingMessage["headers"]; body: string }[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    asked.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, body });
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  close = () => void server.close().closeAllConnections();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { api: createApi(url, idToken ?? (async ({ isRefused }) => (isRefused ? "new" : "old"))), asked };
}

const json = (status: number, body: unknown) => (_request: IncomingMessage, response: ServerResponse) =>
  void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

it("posts a task with the ID token and the key", async () => {
  const { api, asked } = await anApi(json(202, { taskId: "t-1", status: "queued" }));
  expect(await api.postTask("届く <b>", "key-1")).toBe("t-1");
  expect(asked).toMatchObject([
    {
      method: "POST",
      url: "/task",
      body: JSON.stringify({ data: "届く <b>" }),
      headers: { authorization: "Bearer old", "idempotency-key": "key-1", "content-type": "application/json" },
    },
  ]);
});

it("tries once more with a new ID token when the first is not taken, with the same key", async () => {
  const { api, asked } = await anApi((request, response) =>
    json(request.headers.authorization === "Bearer new" ? 202 : 401, { taskId: "t-1" })(request, response),
  );
  expect(await api.postTask("x", "key-1")).toBe("t-1");
  expect(asked.map(({ headers }) => headers["idempotency-key"])).toEqual(["key-1", "key-1"]);
});

it("says that the user is signed out when the new one is not taken either", async () => {
  const { api, asked } = await anApi(json(401, {}));
  await expect(api.postTask("x", "k")).rejects.toMatchObject({ problem: "signed-out" });
  expect(asked).toHaveLength(2);
});

it("gives the token for listening, and refuses half of one", async () => {
  const token = { endpoint: "http://t", token: "secret", cacheName: "c", topic: "u", expiresAtMs: 5, expiresAt: "x" };
  let answer: unknown = token;
  const { api } = await anApi((request, response) => json(200, answer)(request, response));
  const { signal } = new AbortController();
  expect(await api.getToken(signal)).toMatchObject({ token: "secret", topic: "u", expiresAtMs: 5 });
  answer = { ...token, endpoint: undefined };
  await expect(api.getToken(signal)).rejects.toMatchObject({ problem: "unexpected" });
});

it.each(["not json", "[]", "null", '{"taskId": ""}', '{"taskId": 7}'])(
  "refuses the answer %s without repeating it",
  async (body) => {
    const { api } = await anApi((_request, response) => void response.writeHead(202).end(body));
    const error = await api.postTask("x", "k").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ problem: "unexpected" });
    expect(String(error)).not.toContain("not json");
  },
);

it("says that a server that is not there cannot be reached", async () => {
  const { api } = await anApi(json(202, {}));
  close();
  await expect(api.postTask("x", "k")).rejects.toMatchObject({ problem: "unreachable" });
});
