// What a real server does not do on demand: storage that is slow, and more frames than it works on at a time.
import { describe, expect, it } from "vitest";
import { openPrincipal } from "../../domain/auth/open-access.ts";
import type { Connection } from "../../domain/connections/connection.ts";
import { TodokuError } from "../../domain/errors.ts";
import { silentLog } from "../../lib/log.ts";
import { TimerWheel } from "../../lib/timer-wheel.ts";
import { MessageRoutes } from "./messages.ts";
import { type RoutedSession, Router } from "./router.ts";
import { GatewayCounters } from "./stats.ts";

const endpoint = {
  ...{ path: "/push", routeSelection: "$request.body.action", apiKeyRequired: false },
  routes: { order: { handler: "orders" } },
  ackStyle: "todoku",
} as const;

type Published = Promise<{ position: { page: number; sequence: number }; isRepeat: boolean }>;

const published = async () => ({ position: { page: 1, sequence: 1 }, isRepeat: false });

function aRouter(publish: () => Published, message: () => Promise<string | undefined> = async () => undefined) {
  let elapsedMs = 0;
  const clock = { monotonicMs: () => elapsedMs, wallMs: () => elapsedMs, steadyMs: () => elapsedMs };
  const wheel = new TimerWheel(clock);
  const messages = new MessageRoutes({ clock, topics: { publish }, queueMessages: { send: async () => [] } });
  const integrations = { message, disconnect() {} };
  const actions = {
    fails: () => {
      throw new TodokuError("not_found", "no such thing");
    },
    failsLater: async () => {
      throw new Error("a secret of the server");
    },
  };
  const router = new Router(endpoint, {
    ...{ messages, integrations, actions, wheel, actionMs: () => 5000, namesActions: false, log: silentLog },
  });
  const replies: Record<string, unknown>[] = [];
  let running = 0;
  const outlet = { deliver: () => true, end() {}, lastActiveAtMs: 0 };
  const connection: Connection = {
    ...{ id: "c", environment: "dev", userId: "alice", principal: openPrincipal, connectedAtMs: 0 },
    ...{ path: "/push", address: "", userAgent: "", outlet },
  };
  const session: RoutedSession = {
    ...{ connection, principal: openPrincipal, environment: "dev", isOpen: true },
    reply: (json) => void replies.push(json as Record<string, unknown>),
    replyText: (text) => void replies.push(JSON.parse(text)),
    ...{ send: () => true, onDrained() {}, onClosed() {}, adopt() {}, close() {} },
    began: () => void running++,
    ended: () => void running--,
  };
  const stats = new GatewayCounters().of("dev");
  return {
    replies,
    running: () => running,
    stats,
    route: (frame: object) => router.route(session, JSON.stringify(frame), stats),
    pass(ms: number) {
      elapsedMs += ms;
      wheel.runOnce();
    },
  };
}

const frame = { action: "publish", message: "x", id: "1" };

describe("a publish", () => {
  it("that takes longer than actionSeconds is answered with Internal server error, once", async () => {
    const published = Promise.withResolvers<{ position: { page: number; sequence: number }; isRepeat: boolean }>();
    const { replies, running, route, pass } = aRouter(() => published.promise);
    route(frame);
    pass(4900);
    expect([replies, running()]).toEqual([[], 1]);
    pass(200);
    const error = { code: "unavailable", message: expect.stringContaining("5000 ms") };
    expect(replies).toEqual([
      { message: "Internal server error", connectionId: "c", requestId: expect.any(String), error, id: "1" },
    ]);
    published.resolve({ position: { page: 1, sequence: 1 }, isRepeat: false });
    await published.promise;
    await new Promise((resolve) => setImmediate(resolve));
    expect([replies.length, running()]).toEqual([1, 0]);
  });

  it.each([
    ["unavailable", {}, "Internal server error"],
    ["internal", {}, "Internal server error"],
    ["limit_exceeded", { retryAfterMs: 5 }, "Too Many Requests"],
    ["limit_exceeded", { subject: "message_size" }, "Bad request body"],
    ["limit_exceeded", {}, "Internal server error"],
    ["permission_denied", {}, "Forbidden"],
    ["invalid_argument", {}, "Bad request body"],
  ] as const)("that fails with %s %j is answered with the words of API Gateway: %s", async (code, options, message) => {
    const { replies, running, route } = aRouter(() => Promise.reject(new TodokuError(code, "why", options)));
    route(frame);
    await new Promise((resolve) => setImmediate(resolve));
    expect(replies).toMatchObject([{ message, id: "1", error: { code, message: "why" } }]);
    expect(running()).toBe(0);
  });
});

describe("an action of ours", () => {
  it("that fails is answered with an error frame of ours, which tells nothing of the inside", async () => {
    const { replies, running, route } = aRouter(async () => ({ position: { page: 1, sequence: 1 }, isRepeat: false }));
    route({ action: "fails", id: "1" });
    route({ action: "failsLater", id: "2" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(replies).toEqual([
      { type: "error", action: "fails", id: "1", error: { code: "not_found", message: "no such thing" } },
      { type: "error", action: "failsLater", id: "2", error: { code: "internal", message: "internal error" } },
    ]);
    expect(running()).toBe(0);
  });

  it("wants an id that it can give back", () => {
    const { replies, route } = aRouter(async () => ({ position: { page: 1, sequence: 1 }, isRepeat: false }));
    for (const id of [5, null, "x".repeat(129)]) route({ action: "fails", id });
    expect(replies).toEqual(
      Array(3).fill(expect.objectContaining({ error: expect.objectContaining({ code: "invalid_argument" }) })),
    );
  });
});

describe("a route that is a handler", () => {
  const order = { action: "order", id: "1" };
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  it("answers with what the handler's body is, and with nothing when there is none", async () => {
    const answers = ['{"total":5}', undefined];
    const { replies, running, route, stats } = aRouter(published, async () => answers.shift());
    route(order);
    route(order);
    expect(running()).toBe(2);
    await settled();
    expect(replies).toEqual([{ total: 5 }]);
    expect([running(), ...stats.received]).toEqual([0, ["order", 2]]);
  });

  it("that takes longer than the 29 s of API Gateway is answered with Internal server error, once", async () => {
    const handled = Promise.withResolvers<string>();
    const { replies, running, route, pass } = aRouter(published, () => handled.promise);
    route(order);
    pass(28_900);
    expect([replies, running()]).toEqual([[], 1]);
    pass(200);
    const error = { code: "unavailable", message: expect.stringContaining("29000 ms") };
    expect(replies).toMatchObject([{ message: "Internal server error", error, id: "1" }]);
    handled.resolve("{}");
    await settled();
    expect([replies.length, running()]).toEqual([1, 0]);
  });

  it("that fails is answered in the words of API Gateway", async () => {
    const { replies, route } = aRouter(published, () => Promise.reject(new TodokuError("unavailable", "it failed")));
    route(order);
    await settled();
    expect(replies).toMatchObject([{ message: "Internal server error", connectionId: "c", id: "1" }]);
  });
});

it("an unknown action is told which there are in dev mode only", () => {
  const { replies, route, stats } = aRouter(async () => ({ position: { page: 1, sequence: 1 }, isRepeat: false }));
  route({ action: "nothing" });
  expect(replies[0]).not.toHaveProperty("supported");
  expect([...stats.received]).toEqual([["unknown", 1]]);
});
