// The second port of dev mode, and what it does to the first.
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aServer } from "../../test/support/server.ts";
import { aCertificate, secureSocket } from "../../test/support/tls.ts";

let certificate: Awaited<ReturnType<typeof aCertificate>>;
let server: Awaited<ReturnType<typeof aServer>>;
beforeAll(async () => {
  certificate = await aCertificate();
  const { certFile, keyFile } = certificate;
  server = await aServer({ faultAdminPort: 0, tls: { certFile, keyFile, plaintext: "loopback" } });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await certificate[Symbol.asyncDispose]();
});

type Answer = { status: number | undefined; text: string };

/** One request to the fault port of a server; `fetch` would not send these headers. */
async function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; of?: typeof server } = {},
) {
  const { method = "GET", headers = {}, of = server } = options;
  const outgoing = request(`${of.faultAdminUrl}${path}`, { method, headers }).end();
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) text += chunk;
  return { status: answer.statusCode, text } satisfies Answer;
}

const isUp = (of = server) =>
  fetch(`${of.url}/health/live`)
    .then(({ ok }) => ok)
    .catch(() => false);

/** Resolves when the other end has closed or reset. */
async function cut(socket: Pick<NodeJS.EventEmitter, "on" | "once">): Promise<void> {
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("close", resolve));
}

describe("a port that is blocked", () => {
  it("loses every connection, takes none, with TLS or without, and comes back", async () => {
    const plain = connect(server.port, "127.0.0.1");
    plain.write("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(plain.resume(), "data");
    const secure = (await secureSocket(server.port, certificate.ca)).resume();
    const silent = connect(server.port, "127.0.0.1").resume();
    await once(silent, "connect");
    const lost = [plain, secure, silent].map(cut);
    expect(await ask("/block")).toEqual({ status: 200, text: "blocked\n" });
    await Promise.all(lost);
    expect(await isUp()).toBe(false);
    await expect(secureSocket(server.port, certificate.ca)).rejects.toThrow(/ECONNRESET|before secure/);
    expect(await ask("/block", { method: "POST" })).toEqual({ status: 200, text: "blocked\n" });
    expect(await ask("/unblock", { method: "POST" })).toEqual({ status: 200, text: "unblocked\n" });
    expect(await isUp()).toBe(true);
    (await secureSocket(server.port, certificate.ca)).destroy();
    expect(await ask("/unblock")).toEqual({ status: 200, text: "unblocked\n" });
  });

  it("does not hold up the server's end", async () => {
    const other = await aServer({ faultAdminPort: 0 });
    await ask("/block", { of: other });
    await other[Symbol.asyncDispose]();
    await expect(ask("/unblock", { of: other })).rejects.toThrow("ECONNREFUSED");
  });
});

describe("the fault port", () => {
  it.each([
    ["GET", "/"],
    ["GET", "/blocks"],
    ["GET", "/block?now"],
    ["PUT", "/block"],
  ])("knows no %s %s", async (method, path) => {
    expect(await ask(path, { method })).toEqual({ status: 404, text: expect.stringContaining("/block and /unblock") });
    expect(await isUp()).toBe(true);
  });

  it.each([
    ["through another name", { host: "evil.test" }, 'its Host "evil.test" is not a loopback name'],
    ["of another origin", { origin: "http://evil.test" }, 'its Origin "http://evil.test" is not this server'],
    [
      "of another site, though it says no origin",
      { "sec-fetch-site": "cross-site" },
      'its Sec-Fetch-Site is "cross-site"',
    ],
    ["behind a proxy", { "x-forwarded-for": "10.0.0.1" }, "a proxy forwards it for another machine"],
    ["of another port of localhost", { "sec-fetch-site": "same-site" }, 'its Sec-Fetch-Site is "same-site"'],
  ])("hears no page %s", async (_, headers: Record<string, string>, text) => {
    for (const method of ["GET", "POST"]) {
      const { status, text: said } = await ask("/block", { method, headers });
      expect([status, said]).toEqual([401, expect.stringContaining(text)]);
    }
    expect(await isUp()).toBe(true);
  });

  it("asks for the key where the server does, and is where the server is", async () => {
    await using keyed = await aServer({ host: "0.0.0.0", devKey: true, faultAdminPort: 0 });
    const asked = { of: keyed, headers: { host: "todoku:9090" } };
    expect((await ask("/block", asked)).status).toBe(401);
    const wrong = { ...asked.headers, authorization: "Bearer hush-hush" };
    const refused = await ask("/block", { of: keyed, headers: wrong });
    expect([refused.status, refused.text.includes("hush-hush")]).toEqual([401, false]);
    expect(await isUp(keyed)).toBe(true);
    const headers = { ...asked.headers, authorization: `Bearer ${keyed.devKey}` };
    expect((await ask("/block", { of: keyed, headers })).status).toBe(200);
    expect(await isUp(keyed)).toBe(false);
    expect((await ask("/unblock", { of: keyed, headers })).status).toBe(200);
    const token = await fetch(`${keyed.url}/v1/tokens`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${keyed.devKey}` },
      body: JSON.stringify({
        grants: [{ resource: "topic", role: "publish-subscribe", cache: { name: "c" }, topic: { name: "t" } }],
        validForSeconds: 60,
      }),
    });
    const { token: limited } = (await token.json()) as { token: string };
    const weak = { ...asked.headers, authorization: `Bearer ${limited}` };
    expect(await ask("/block", { of: keyed, headers: weak })).toMatchObject({ status: 403 });
  });

  it("that is taken keeps the server from starting, and says so", async () => {
    const port = Number(new URL(server.faultAdminUrl ?? "").port);
    await expect(aServer({ faultAdminPort: port })).rejects.toThrow(`faultAdminPort ${port} cannot be bound`);
  });
});
