// What calls may ask to go wrong, in both envelopes; `test/system/momento-faults.test.ts` shows what the SDK makes of it.
import { createServer as createHttp1, type Server } from "node:http";
import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aSession, type CallEnd, frame, GrpcCall } from "../../../test/support/grpc.ts";
import { limits } from "../../domain/limits.ts";
import { systemClock } from "../../lib/clock.ts";
import { TimerWheel } from "../../lib/timer-wheel.ts";
import { UnreadAnswers } from "../unread-answers.ts";
import type { Method } from "./call.ts";
import { answerPreflight } from "./cors.ts";
import { withFaults } from "./faults.ts";
import { statusByName } from "./faults-names.ts";
import { toFrame } from "./frames.ts";
import { GrpcEnvelope } from "./grpc.ts";
import { GrpcWebEnvelope } from "./grpc-web.ts";

const get = "/cache_client.Scs/Get";
const subscribe = "/cache_client.pubsub.Pubsub/Subscribe";
const message = Buffer.from("answer");
let ran = 0;
let streamTimeoutMs: number | undefined;
const internal: unknown[] = [];
const wheel = new TimerWheel(systemClock);
const unary: Method = {
  kind: "unary",
  handle() {
    ran++;
    return message;
  },
};
const methods = new Map<string, Method>([
  [get, unary],
  ["/cache_client.Scs/SetIf", unary],
  ["/cache_client.Scs/SetIfNotExists", unary],
  [
    subscribe,
    {
      kind: "stream",
      async handle(call) {
        ran++;
        streamTimeoutMs = call.timeoutMs;
        call.open();
        call.beat();
        const frames = Buffer.concat([toFrame(message), toFrame(message)]);
        call.write(call.encoding.discontinuity({ after: { page: 1, sequence: 0 }, now: { page: 1, sequence: 1 } }));
        if (!call.headers["content-type"]?.startsWith("application/grpc-web-text")) call.write(frames);
        if (call.timeoutMs !== undefined) call.end();
      },
    },
  ],
]);
const options = { wheel, unread: new UnreadAnswers(), onInternalError: (error: unknown) => internal.push(error) };
const envelope = new GrpcEnvelope({ ...options, methods: withFaults(methods, wheel) });
const web = new GrpcWebEnvelope({ ...options, methods: withFaults(methods, wheel) });

let server: Http2Server;
let webServer: Server;
let session: ReturnType<typeof aSession>;
let webUrl: string;
beforeAll(async () => {
  wheel.start();
  server = createServer();
  server.on("stream", (stream, headers) => envelope.serve(stream, headers));
  webServer = createHttp1((request, response) => {
    if (request.method === "OPTIONS") answerPreflight(request, response);
    else void web.serve(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await new Promise<void>((resolve) => webServer.listen(0, "127.0.0.1", resolve));
  session = aSession((server.address() as AddressInfo).port);
  webUrl = `http://127.0.0.1:${(webServer.address() as AddressInfo).port}`;
});
afterAll(() => {
  wheel.stop();
  session.destroy();
  server.close();
  webServer.close();
});

let requests = 0;
const anId = () => `request-${++requests}`;
const call = (path: string, headers: Record<string, string>) =>
  new GrpcCall(session, path, new Uint8Array(), { cache: "c", ...headers });
const ending = (path: string, headers: Record<string, string>): Promise<CallEnd> => call(path, headers).ended;

/** The trailers of a grpc-web call in base64, as the web SDK makes it. */
async function webEnding(path: string, headers: Record<string, string>): Promise<string> {
  const body = Buffer.from(frame(new Uint8Array())).toString("base64");
  const type = { "content-type": "application/grpc-web-text" };
  const response = await fetch(webUrl + path, { method: "POST", headers: { ...type, ...headers }, body });
  // Each frame is padded by itself.
  const frames = (await response.text()).match(/[^=]+=*/g) ?? [];
  return Buffer.concat(frames.map((text) => Buffer.from(text, "base64"))).toString("latin1");
}

describe("an error", () => {
  it.each(Object.entries(statusByName))("named %s is status %d, and the method is not run", async (name, status) => {
    const before = ran;
    const asked = { "request-id": anId(), "return-error": name, "error-rpcs": "set-if get" };
    expect(await ending(get, asked)).toEqual({
      status,
      message: `${name}, as the header return-error asks`,
      err: undefined,
    });
    expect(await webEnding(get, asked)).toContain(`grpc-status:${status}\r\n`);
    expect([ran - before, internal]).toEqual([0, []]);
  });

  it("comes for the first calls of a request id, all RPCs that are named together", async () => {
    const asked = {
      "return-error": "unavailable",
      "error-rpcs": "get set-if",
      "error-count": "2",
      "request-id": anId(),
    };
    expect((await ending(get, asked)).status).toBe(14);
    expect((await ending("/cache_client.Scs/SetIfNotExists", asked)).status).toBe(14);
    expect((await ending("/cache_client.Scs/SetIf", asked)).status).toBe(0);
    expect((await ending(get, asked)).status).toBe(0);
    expect((await ending(get, { ...asked, "request-id": anId() })).status).toBe(14);
    expect((await ending(get, { ...asked, "request-id": anId(), "error-count": "0" })).status).toBe(0);
  });

  it("comes to each call when there is no count, and to no RPC that is not named", async () => {
    const asked = { "return-error": "internal", "error-rpcs": "topic-subscribe" };
    for (let i = 0; i < 3; i++) expect((await ending(subscribe, asked)).status).toBe(13);
    expect((await ending(get, asked)).status).toBe(0);
    expect(await webEnding(get, asked)).toContain("answer");
  });

  it("is forgotten with its request id when there are more than are counted", async () => {
    const [first, asked] = [anId(), { "return-error": "aborted", "error-rpcs": "get", "error-count": "1" }];
    const own = withFaults(methods, wheel).get(get);
    if (own?.kind !== "unary") throw new Error("get is unary");
    const caller = { address: "", isLoopbackPeer: true, host: "", origin: undefined, secFetchSite: undefined };
    const rest = { caller, authorization: "", cacheName: "", timeoutMs: undefined, request: new Uint8Array() };
    const run = async (id: string) => own.handle({ ...rest, headers: { ...asked, "request-id": id } });
    await expect(run(first)).rejects.toThrow("aborted");
    await expect(run(first)).resolves.toBe(message);
    for (let i = 0; i < limits.faults.requestIdsMax; i++) await run(`other-${i}`).catch(() => undefined);
    await expect(run(first)).rejects.toThrow("aborted");
  });
});

describe("a delay", () => {
  it("comes before the method, and before an error", async () => {
    const asked = { "request-id": anId(), "delay-rpcs": "get", "delay-ms": "60", "delay-count": "2" };
    const startMs = performance.now();
    expect((await ending(get, asked)).status).toBe(0);
    const failed = await ending(get, { ...asked, "return-error": "unavailable", "error-rpcs": "get" });
    expect([failed.status, performance.now() - startMs >= 120]).toEqual([14, true]);
    // The third is not delayed: an hour would not be over.
    expect((await ending(get, { ...asked, "delay-ms": "600000" })).status).toBe(0);
  });

  it.each([get, subscribe])(
    "longer than the client waits is its deadline, and the method is not run: %s",
    async (path) => {
      const before = ran;
      const asked = { "delay-rpcs": "get topic-subscribe", "delay-ms": "600000", "grpc-timeout": "40m" };
      expect((await ending(path, asked)).status).toBe(4);
      expect(await webEnding(path, asked)).toContain("grpc-status:4\r\n");
      expect(ran).toBe(before);
    },
  );
});

it("a stream that was held up has so much less time", async () => {
  const asked = { "delay-rpcs": "topic-subscribe", "delay-ms": "30", "grpc-timeout": "5S" };
  expect([(await ending(subscribe, asked)).status, streamTimeoutMs]).toEqual([0, 4970]);
});

describe("a stream that fails", () => {
  const asked = { "stream-error-rpcs": "topic-subscribe", "stream-error": "SERVER_UNAVAILABLE" };

  it("does so after exactly so many messages, also in the middle of a frame", async () => {
    const stream = call(subscribe, { ...asked, "stream-error-message-limit": "3" });
    expect((await stream.ended).status).toBe(14);
    expect(stream.messages).toHaveLength(3);
  });

  it("does so at once when no limit is given", async () => {
    const stream = call(subscribe, asked);
    expect([(await stream.ended).status, stream.messages]).toEqual([14, []]);
  });

  it("ends as it would when it has fewer messages", async () => {
    const stream = call(subscribe, { ...asked, "stream-error-message-limit": "10", "grpc-timeout": "5S" });
    expect((await stream.ended).status).toBe(0);
    expect(stream.messages).toHaveLength(4);
  });

  it("says its status to the web SDK too, behind the messages", async () => {
    const text = await webEnding(subscribe, { ...asked, "stream-error-message-limit": "2" });
    expect(text).toMatch(/grpc-status:14\r\ngrpc-message:unavailable, as the header stream-error asks\r\n$/);
    expect(Buffer.from(text, "latin1").filter((byte) => byte === 0x80)).toHaveLength(1);
  });
});

describe("fault headers", () => {
  it("that are empty are none", async () => {
    const names = ["request-id", "return-error", "error-rpcs", "error-count", "delay-rpcs", "delay-ms", "delay-count"];
    const empty = [...names, "stream-error-rpcs", "stream-error", "stream-error-message-limit"].map((name) => [
      name,
      "",
    ]);
    expect((await ending(get, Object.fromEntries(empty))).status).toBe(0);
  });

  it.each<[Record<string, string>, string]>([
    [
      { "return-error": "unavailble", "error-rpcs": "get" },
      'header return-error: "unavailble" must be one of cancelled, unknown, ',
    ],
    [
      { "return-error": "internal", "error-rpcs": "get gett" },
      'header error-rpcs: "gett" must be RPCs that are served',
    ],
    [{ "return-error": "internal" }, 'header return-error is "internal" and error-rpcs is missing: give both or none'],
    [{ "delay-rpcs": "get", "delay-ms": " " }, 'header delay-rpcs is "get" and delay-ms is missing'],
    [{ "delay-rpcs": "get", "delay-ms": "1.5" }, 'header delay-ms: "1.5" must be a whole number from 0 to 600000'],
    [
      { "delay-rpcs": "get", "delay-ms": "600001" },
      'header delay-ms: "600001" must be a whole number from 0 to 600000',
    ],
    [
      { "delay-rpcs": "get", "delay-ms": "1", "delay-count": "-1", "request-id": "x" },
      'header delay-count: "-1" must be a whole number from 0 to 1000000',
    ],
    [
      { "return-error": "internal", "error-rpcs": "get", "error-count": "1" },
      'header error-count is "1" and request-id is missing: calls are counted by it',
    ],
    [
      { "stream-error": "internal", "stream-error-rpcs": "topic-subscribe", "stream-error-message-limit": "few" },
      'header stream-error-message-limit: "few" must be',
    ],
    [
      { "return-error": "internal", "error-rpcs": "get", "request-id": "x".repeat(129) },
      `header request-id: "${"x".repeat(32)}..." has 129 characters; must have <= 128`,
    ],
  ])("that cannot be meant are told of: %j", async (headers, text) => {
    const { status, message: said } = await ending(get, headers);
    expect([status, said]).toEqual([3, expect.stringContaining(text)]);
    expect(await webEnding(get, headers)).toContain("grpc-status:3\r\n");
  });

  it("may be sent by pages: a preflight lets them pass", async () => {
    const names = "request-id,return-error,error-rpcs,error-count,delay-rpcs,delay-ms,delay-count";
    const wanted = `${names},stream-error-rpcs,stream-error,stream-error-message-limit`;
    const headers = { origin: "http://a.test", "access-control-request-headers": wanted };
    const answer = await fetch(webUrl + get, { method: "OPTIONS", headers });
    expect(answer.headers.get("access-control-allow-headers")).toBe(wanted);
  });
});
