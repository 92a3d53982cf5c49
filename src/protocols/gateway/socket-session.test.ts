// What a real server does not do on demand: more actions under way for longer than a silent client may live.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { clientFrame } from "../../../test/support/raw-websocket.ts";
import { openPrincipal } from "../../domain/auth/open-access.ts";
import { limits } from "../../domain/limits.ts";
import { silentLog } from "../../lib/log.ts";
import type { Router } from "./router.ts";
import type { SessionParts } from "./session-parts.ts";
import { SocketSession } from "./socket-session.ts";
import { GatewayCounters } from "./stats.ts";

const { actionsMax } = limits.gateway;

it("a client that is not read because too much is done for it is not cut for its silence", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = (await once(server, "connection")) as [Socket];
  const tick = { nextMs: 0 };
  const parts = {
    ...{ tick, log: silentLog, sessions: new Set(), counters: new GatewayCounters() },
    settings: { heartbeatSeconds: 30, idleSeconds: 0, lifeSeconds: 0, messageMaxBytes: 1000, outboxMaxBytes: 1e6 },
    clock: { monotonicMs: () => 0, wallMs: () => 0 },
    wheel: { schedule: () => ({ cancel() {} }) },
    auth: { recheck() {} },
    connections: { close() {} },
    throttle: { admitFrame: () => undefined },
  } as unknown as SessionParts;
  const busy = Promise.withResolvers<void>();
  let frames = 0;
  const router = {
    route(session: SocketSession) {
      session.began();
      if (++frames > actionsMax) busy.resolve();
    },
  } as unknown as Router;
  const session = new SocketSession(parts, router, socket, "dev");
  session.begin(
    {
      ...{ id: "c", environment: "dev", userId: undefined, principal: openPrincipal, connectedAtMs: 0 },
      ...{ path: "/push", address: "", userAgent: "", outlet: session },
    },
    "AAAAAAAAAAAAAAAAAAAAAA==",
    undefined,
    Buffer.alloc(0),
  );
  client.write(Buffer.concat(Array.from({ length: actionsMax + 1 }, () => clientFrame(1, "{}"))));
  await busy.promise;
  const pass = () => {
    tick.nextMs += 31_000;
    session.sweep(tick.nextMs, 0);
  };
  for (let n = 0; n < 10; n++) pass();
  expect([socket.isPaused(), session.isOpen]).toEqual([true, true]);
  for (let n = 0; n < frames; n++) session.ended();
  for (let n = 0; n < limits.gateway.pingsMax; n++) pass();
  expect([socket.isPaused(), session.isOpen]).toEqual([false, true]);
  pass();
  expect(session.isOpen).toBe(false);
  client.destroy();
  server.close();
});
