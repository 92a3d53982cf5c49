// Subscribers that come and go, stall and return, under a steady load: everyone gets their stretch of the log, nothing is
// left behind, and a small heap is enough. 4 s here; TEST_LONG runs 3 minutes, in which some 4,000 sessions and 16,000
// streams come and go: 40 kB that stayed behind of each session would not fit.
import { constants } from "node:http2";
import { expect, it } from "vitest";
import { aSession, type GrpcCall, publishByHand, subscribeByHand } from "../support/grpc.ts";
import { startDevProcess } from "../support/process.ts";
import { aDirectory } from "../support/server.ts";

const seconds = process.env.TEST_LONG ? 180 : 4;
const topicCount = 5;

/** The live heap is 40 MB, and the history of the memory cache grows by 60 MB in three minutes. What is resident says little: V8 takes what it may. */
const heapMb = 192;

/** Consecutive numbers from the first on, and no discontinuity. */
function expectUnbroken(call: GrpcCall): void {
  const items = call.items();
  expect(items.every((item) => item.has_item)).toBe(true);
  const first = items[0]?.item.topic_sequence_number ?? 0;
  expect(items.map((item) => item.item.topic_sequence_number)).toEqual(items.map((_, i) => first + i));
}

it(
  "keeps every subscriber's stretch whole and leaves nothing behind",
  async () => {
    await using directory = await aDirectory();
    const server = await startDevProcess(["--port", "0", "--data-dir", directory.path], {
      NODE_OPTIONS: `--max-old-space-size=${heapMb}`,
    });
    const url = `http://127.0.0.1:${server.port}`;
    for (const body of [{ name: "disk" }, { name: "memory", durability: "memory" }]) {
      await fetch(`${url}/v1/caches`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    }
    const endMs = performance.now() + seconds * 1000;
    const isOver = () => performance.now() > endMs;
    const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    const cacheOf = (n: number) => (n % 2 ? "disk" : "memory");

    const publisher = async (n: number) => {
      using session = aSession(server.port);
      for (let i = 0; !isOver(); i++) {
        const end = await publishByHand(session, cacheOf(n), `t${n % topicCount}`, `${i}`.padEnd(200, "."));
        expect(end.status).toBe(0);
        await pause(5);
      }
    };
    let stretches = 0;
    const visitor = async (n: number) => {
      while (!isOver()) {
        using session = aSession(server.port);
        const calls = Array.from({ length: 4 }, (_, i) =>
          subscribeByHand(session, cacheOf(n + i), `t${(n + i) % topicCount}`),
        );
        for (const call of calls) await call.until(() => call.messages.length > 0);
        calls[0]?.stream.pause();
        await pause(100 + Math.random() * 400);
        calls[0]?.stream.resume();
        await pause(50);
        for (const call of calls) {
          expectUnbroken(call);
          if (call.items().length > 0) stretches++;
          call.stream.close(constants.NGHTTP2_CANCEL);
        }
      }
    };
    await Promise.all([
      ...Array.from({ length: 6 }, (_, n) => publisher(n)),
      ...Array.from({ length: 10 }, (_, n) => visitor(n)),
    ]);

    expect(stretches).toBeGreaterThan(seconds * 5);
    await expect
      .poll(
        async () => /^todoku_topic_subscriptions\{.*\} (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1],
      )
      .toBe("0");
    expect(await server.end("SIGTERM")).toEqual({ code: 0, signal: null });
  },
  seconds * 1000 + 60_000,
);
