import { EventEmitter } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import { expect, it } from "vitest";
import type { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { TimerWheel } from "../../lib/timer-wheel.ts";
import { Uploads } from "./uploads.ts";

const aStream = () => new EventEmitter() as unknown as ServerHttp2Stream;
const mostBytes = limits.http2.sessionRequestBytes;

it("bounds what unfinished requests hold together, and counts what is gone no more", () => {
  const uploads = new Uploads(new TimerWheel({ monotonicMs: () => 0 }));
  const [one, two] = [aStream(), aStream()];
  uploads.hold(one, 10, () => {});
  uploads.hold(one, mostBytes, () => {});
  expect(() => uploads.hold(two, 1, () => {})).toThrow("unfinished requests");
  two.emit("close");
  one.emit("close");
  expect(() => uploads.hold(aStream(), mostBytes, () => {})).not.toThrow();
});

it("ends a request that does not come to its end", () => {
  let nowMs = 0;
  const wheel = new TimerWheel({ monotonicMs: () => nowMs });
  const uploads = new Uploads(wheel);
  const expired: TodokuError[] = [];
  const [slow, done] = [aStream(), aStream()];
  for (const stream of [slow, done]) uploads.hold(stream, 10, (error) => expired.push(error));
  done.emit("close");
  while (nowMs <= limits.requestMs) {
    uploads.hold(slow, nowMs, (error) => expired.push(error)); // it still sends, a byte at a time
    nowMs += 1000;
    wheel.runOnce();
  }
  expect(expired).toHaveLength(1);
  expect(expired[0]).toMatchObject({ code: "invalid_argument" });
});
