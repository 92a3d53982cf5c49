import { Webhook } from "standardwebhooks";
import { afterAll, describe, expect, it } from "vitest";
import { aTarget } from "../../../test/support/outbound-target.ts";
import type { ConnectRequest } from "../../domain/auth/connect-hook.ts";
import type { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { createGuardedClient } from "../../lib/guarded-client/guarded-client.ts";
import { type Log, silentLog } from "../../lib/log.ts";
import { type ConnectHookOptions, createConnectHook } from "./connect-hook.ts";

const state = { status: 200, body: '{"userId":"alice"}', isSilent: false };
const backend = await aTarget((_received, _request, response) => {
  if (!state.isSilent) response.writeHead(state.status).end(state.body);
});
const client = createGuardedClient({ allowed: ["127.0.0.1"], permitsLoopback: false });
afterAll(async () => {
  await client.close();
  await backend[Symbol.asyncDispose]();
});

function last() {
  const received = backend.received.at(-1);
  if (!received) throw new Error("nobody has asked the backend");
  return received;
}

const question: ConnectRequest = {
  ...{ environment: "prod", credential: "session-4711", path: "/push", address: "203.0.113.9", query: { room: "a" } },
  headers: { cookie: "session=1", origin: "https://app.example", authorization: "Bearer x", "x-internal": "1" },
};

function aHook(options: Partial<ConnectHookOptions> = {}) {
  const lines: string[] = [];
  const log: Log = { ...silentLog, warn: (_, message) => void lines.push(message) };
  const clock = { wallMs: () => Date.now() };
  const hook = createConnectHook({ client, url: backend.url, clock, log, version: "1", ...options });
  const refusal = () =>
    hook.authorize(question).then(
      () => "let in",
      ({ code, message }: TodokuError) => `${code}: ${message}`,
    );
  return { hook, refusal, lines };
}

describe("the hook", () => {
  it("asks the backend who it is, with what a backend knows people by, and no other header", async () => {
    Object.assign(state, { status: 200, body: '{"userId":"alice"}', isSilent: false });
    const { hook } = aHook();
    expect(await hook.authorize(question)).toEqual({ userId: "alice" });
    const { headers, body } = last();
    expect(JSON.parse(body.toString())).toEqual({
      ...{ type: "connect", environment: "prod", credential: "session-4711", path: "/push", address: "203.0.113.9" },
      ...{ query: { room: "a" }, headers: { cookie: "session=1", origin: "https://app.example" } },
    });
    expect(headers).toMatchObject({ "content-type": "application/json", "webhook-id": expect.any(String) });
    expect(headers["webhook-signature"]).toBeUndefined();
  });

  it("signs as webhooks are signed", async () => {
    const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
    await aHook({ secret }).hook.authorize(question);
    const { headers, body } = last();
    const receiver = new Webhook(secret);
    const sent = headers as Record<string, string>;
    expect(receiver.verify(body.toString(), sent)).toMatchObject({ type: "connect" });
    expect(() => receiver.verify(`${body.toString()} `, sent)).toThrow();
  });

  it("may be told what the user may do, and until when", async () => {
    const expiresAtMs = Date.now() + 60_000;
    const grants = [{ resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { name: "t" } }];
    state.body = JSON.stringify({ userId: "alice", grants, expiresAtMs, also: "ignored" });
    expect(await aHook().hook.authorize(question)).toEqual({ userId: "alice", grants, expiresAtMs });
    state.body = JSON.stringify({ userId: "alice", grants: null, expiresAtMs: null });
    expect(await aHook().hook.authorize(question)).toEqual({ userId: "alice" });
    state.body = JSON.stringify({ userId: "alice", grants: [] });
    expect(await aHook().hook.authorize(question)).toEqual({ userId: "alice", grants: [] });
  });

  it.each<[status: number, body: string, refusal: string, line: string | undefined]>([
    [401, "", "unauthenticated: the application's backend does not know this credential", undefined],
    [403, "", "permission_denied: the application's backend does not let this connection in", undefined],
    [500, "", "unavailable", "it answered 500"],
    [302, "", "unavailable", "it answered 302"],
    [204, "", "unavailable", "it answered 204"],
    [200, "yes", "unavailable", "its answer is not right"],
    [200, "{}", "unavailable", "userId: "],
    [200, '{"userId":""}', "unavailable", "userId: "],
    [200, '{"userId":"\\ud800"}', "unavailable", "userId: is not well-formed"],
    [200, '{"userId":"al\\nice"}', "unavailable", "userId: must not have control characters"],
    [200, '{"userId":"a","grants":[{"resource":"secret"}]}', "unavailable", "grants.0"],
    [
      200,
      '{"userId":"a","grants":[{"resource":"route","role":"invoke","route":{"name":""}}]}',
      "unavailable",
      "must not be empty",
    ],
    [200, '{"userId":"a","expiresAtMs":"later"}', "unavailable", "expiresAtMs: "],
    [
      200,
      '{"userId":"a","expiresAtMs":1790000000}',
      "unavailable",
      "expiresAtMs: is not in the future, in milliseconds",
    ],
  ])("that answers %i %s is told apart, and asked once", async (status, body, refused, line) => {
    Object.assign(state, { status, body });
    const { refusal, lines } = aHook();
    const asked = backend.received.length;
    expect(await refusal()).toContain(refused);
    expect(backend.received.length).toBe(asked + 1);
    expect(lines).toEqual(line === undefined ? [] : [expect.stringContaining(line)]);
  });

  it("that does not answer in time is given up; 29 seconds are what it has", async () => {
    state.isSilent = true;
    const { refusal, lines } = aHook({ timeoutMs: 20 });
    expect(await refusal()).toBe("unavailable: the application's backend could not say who this is: try again later");
    expect(lines).toEqual([expect.stringContaining("no answer within 20 ms")]);
    const timeouts: number[] = [];
    const { refusal: again } = aHook({
      client: {
        call: async ({ timeoutMs }) => {
          timeouts.push(timeoutMs);
          return { kind: "timeout", error: "late", latencyMs: timeoutMs };
        },
      },
    });
    await again();
    expect(timeouts).toEqual([29_000]);
  });

  it("that fails is told once, until it works again", async () => {
    Object.assign(state, { status: 500, isSilent: false });
    const { refusal, lines } = aHook();
    for (let n = 0; n < 3; n++) await refusal();
    expect(lines).toHaveLength(1);
    for (const status of [200, 401, 403]) {
      Object.assign(state, { status, body: '{"userId":"alice"}' });
      await refusal();
      state.status = 500;
      await refusal();
    }
    expect(lines).toHaveLength(4);
  });

  it("has so many questions open at a time, and no more", async () => {
    const answers: (() => void)[] = [];
    const call = () =>
      new Promise<never>((_, reject) => {
        answers.push(() => reject(new Error("over")));
      });
    const { hook, refusal, lines } = aHook({ client: { call } });
    const open = Array.from({ length: limits.connectHook.inFlightMax }, () => hook.authorize(question).catch(() => {}));
    expect(await refusal()).toContain("unavailable: ");
    expect(lines).toEqual([expect.stringContaining("1000 questions wait for an answer")]);
    for (const answer of answers) answer();
    await Promise.all(open);
    expect(answers).toHaveLength(limits.connectHook.inFlightMax);
  });
});
