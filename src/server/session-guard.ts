import { constants, type ServerHttp2Session } from "node:http2";
import { limits } from "../domain/limits.ts";
import type { TimerWheel } from "../lib/timer-wheel.ts";

/**
 * Ends HTTP/2 sessions that do not begin (the client's SETTINGS must come within `firstBytesMs`), and those that flood us with PING or SETTINGS frames, which node:http2 answers without a bound of its own.
 * A bucket per kind: ten seconds' worth at once, then the rate of limits.ts. SDKs ping each 5 s.
 */
export function guardSession(
  session: ServerHttp2Session,
  wheel: Pick<TimerWheel, "nowMs" | "schedule">,
  firstBytesMs: number,
): void {
  session.on("error", () => {}); // the peer's fault; `close` follows
  const silent = wheel.schedule(firstBytesMs, () => session.destroy());
  session.once("remoteSettings", () => silent.cancel()).once("close", () => silent.cancel());
  const { pingsPerSecond, settingsPerSecond } = limits.http2;
  session.on("ping", countdown(session, wheel, pingsPerSecond));
  session.on("remoteSettings", countdown(session, wheel, settingsPerSecond));
}

function countdown(session: ServerHttp2Session, wheel: Pick<TimerWheel, "nowMs">, perSecond: number): () => void {
  let left = perSecond * 10;
  let refilledAtMs = wheel.nowMs();
  return () => {
    const nowMs = wheel.nowMs();
    left = Math.min(perSecond * 10, left + ((nowMs - refilledAtMs) * perSecond) / 1000) - 1;
    refilledAtMs = nowMs;
    if (left >= 0 || session.destroyed) return;
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    session.destroy();
  };
}
