// What the envelope does with methods that the real ones are too quick for.
import { once } from "node:events";
import { connect, createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { aSession, GrpcCall } from "../../../test/support/grpc.ts";
import { TodokuError } from "../../domain/errors.ts";
import { systemClock } from "../../lib/clock.ts";
import { TimerWheel } from "../../lib/timer-wheel.ts";
import { UnreadAnswers } from "../unread-answers.ts";
import type { Method } from "./call.ts";
import { encodeMessage } from "./errors.ts";
import { GrpcEnvelope } from "./grpc.ts";
import { parseTimeout } from "./timeout.ts";

const internal: { path: string; cause: unknown }[] = [];
const wheel = new TimerWheel(systemClock);
const never = Promise.withResolvers<Uint8Array>();
const unread = new UnreadAnswers({ maxBytes: 1_000_000, smallMaxBytes: 1000 });
const longText = "\u5c4a".repeat(5_000_000);
const methods = new Map<string, Method>([
  ["/t.T/Never", { kind: "unary", handle: () => never.promise }],
  ["/t.T/Large", { kind: "unary", handle: async () => new Uint8Array(300_000) }],
  ["/t.T/Throws", { kind: "unary", handle: async () => Promise.reject(new Error("secret detail")) }],
  ["/t.T/Refuses", { kind: "unary", handle: () => Promise.reject(new TodokuError("not_found", "50 % 届かない\n")) }],
  ["/t.T/RefusesAtLength", { kind: "unary", handle: () => Promise.reject(new TodokuError("not_found", longText)) }],
  ["/t.T/StreamThrows", { kind: "stream", handle: async () => Promise.reject(new Error("secret detail")) }],
]);
const envelope = new GrpcEnvelope({
  methods,
  wheel,
  unread,
  onInternalError: (error, path) => internal.push({ path, cause: error.cause }),
});

let server: Http2Server;
let port: number;
beforeAll(async () => {
  wheel.start();
  server = createServer();
  server.on("stream", (stream, headers) => envelope.serve(stream, headers));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  wheel.stop();
  server.close();
});

it("ends a call at its deadline, and an answer after that harms nobody", async () => {
  const session = aSession(port);
  const { ended } = new GrpcCall(session, "/t.T/Never", new Uint8Array(), { "grpc-timeout": "50m" });
  expect(await ended).toMatchObject({ status: 4 });
  never.resolve(new Uint8Array());
  expect((await new GrpcCall(session, "/t.T/Never", new Uint8Array()).ended).status).toBe(0);
  session.destroy();
});

it("never sends the text of an error that is not ours, and reports its cause", async () => {
  const session = aSession(port);
  for (const path of ["/t.T/Throws", "/t.T/StreamThrows"]) {
    const end = await new GrpcCall(session, path, new Uint8Array()).ended;
    expect(end).toMatchObject({ status: 13, message: "internal error" });
  }
  expect(internal.map(({ path, cause }) => [path, (cause as Error).message])).toEqual([
    ["/t.T/Throws", "secret detail"],
    ["/t.T/StreamThrows", "secret detail"],
  ]);
  session.destroy();
});

it("sends any text in the trailers, and says what was not found when it is no cache", async () => {
  const session = aSession(port);
  const end = await new GrpcCall(session, "/t.T/Refuses", new Uint8Array()).ended;
  expect(end).toEqual({ status: 5, message: "50 % 届かない\n", err: "item_not_found" });
  session.destroy();
});

it("percent-encodes messages so that they can be read back", () => {
  expect(encodeMessage("a%b\r\nc")).toBe("a%25b%0D%0Ac");
  expect(decodeURIComponent(encodeMessage('cache "届く" % \u0000'))).toBe('cache "届く" % \u0000');
});

it("reads timeouts in every unit, and takes a malformed one for none", () => {
  expect(["1H", "2M", "3S", "4999m", "5000u", "1n"].map(parseTimeout)).toEqual([
    3_600_000, 120_000, 3000, 4999, 5, 1e-6,
  ]);
  expect(["", "5", "m", "123456789S", "-1S", "1.5S", undefined].map(parseTimeout)).toEqual(Array(7).fill(undefined));
});

it("cuts a long message: a head that is too long would end the session with all its streams", async () => {
  const session = aSession(port);
  const end = await new GrpcCall(session, "/t.T/RefusesAtLength", new Uint8Array()).ended;
  expect(end).toMatchObject({ status: 5, message: `${longText.slice(0, 512)}...` });
  expect(session.closed).toBe(false);
  session.destroy();
});

it("bounds what clients do not read: the next large answer is refused, and again given once the others are gone", async () => {
  const [stalled, session] = [
    connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 1 } }),
    aSession(port),
  ];
  await once(stalled, "remoteSettings");
  const heads = [1, 2, 3].map(async () => {
    const call = new GrpcCall(stalled, "/t.T/Large", new Uint8Array());
    call.ended.catch(() => {});
    await once(call.stream, "response");
  });
  await Promise.all(heads);
  expect(unread.bytes).toBe(900_000);
  const end = await new GrpcCall(session, "/t.T/Large", new Uint8Array()).ended;
  expect(end).toMatchObject({ status: 14, message: expect.stringContaining("not yet read") });
  stalled.destroy();
  await expect.poll(() => unread.bytes).toBe(0);
  const call = new GrpcCall(session, "/t.T/Large", new Uint8Array());
  expect((await call.ended).status).toBe(0);
  expect(call.messages[0]).toHaveLength(300_000);
  session.destroy();
});

it("takes only POST", async () => {
  const session = aSession(port);
  const stream = session.request({ ":method": "GET", ":path": "/t.T/Throws", "content-type": "application/grpc" });
  const [head] = await once(stream, "response");
  expect(head).toMatchObject({ ":status": 405, allow: "POST" });
  session.destroy();
  // The server hears of a stream a tick after it came; it may be gone by then.
  for (let i = 0; i < 20; i++) {
    const leaving = aSession(port);
    await once(leaving, "connect");
    for (const method of ["GET", "POST"]) {
      const headers = { ":method": method, ":path": "/t.T/None", "content-type": "application/grpc" };
      leaving.request(headers).on("error", () => {});
    }
    setImmediate(() => leaving.destroy());
    await once(leaving, "close");
  }
});
