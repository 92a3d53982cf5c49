import { describe, expect, it } from "vitest";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { ConnectionGuard } from "./connection-guard.ts";

const { refusalsMax, refusalsWindowMs, cutOffsMax, cutOffsWindowMs, banMs } = limits.rates;
const refusal = new TodokuError("limit_exceeded", "operations", { subject: "operations", retryAfterMs: 5 });

function aGuard(connectionsMax = 0) {
  let nowMs = 5;
  const guard = new ConnectionGuard({
    clock: { monotonicMs: () => nowMs },
    connectionsMax: () => connectionsMax,
    isTrustedProxy: (address) => address === "10.0.0.1",
  });
  return {
    guard,
    advance(ms: number) {
      nowMs += ms;
    },
    /** A connection whose client goes on until it is cut off; how often it was refused before. */
    cutOff(address: string) {
      const connection = {};
      let calls = 1;
      while (!guard.refused(refusal, connection, address)) calls++;
      return calls;
    },
  };
}

describe("connections of one address", () => {
  it("are as many as are allowed; one that closes makes room", () => {
    const { guard } = aGuard(2);
    const close = guard.admitConnection("192.0.2.1");
    expect(guard.admitConnection("192.0.2.1")).toBeDefined();
    expect(guard.admitConnection("192.0.2.1")).toBeUndefined();
    expect(guard.admitConnection("192.0.2.2")).toBeDefined();
    close?.();
    expect(guard.admitConnection("192.0.2.1")).toBeDefined();
  });

  it("leave nothing behind", () => {
    const { guard } = aGuard(2);
    for (let i = 0; i < 1000; i++) guard.admitConnection(`192.0.2.${i}`)?.();
    expect(guard.size).toBe(0);
  });

  it("of a trusted proxy are not counted", () => {
    const { guard } = aGuard(1);
    for (let i = 0; i < 10; i++) expect(guard.admitConnection("10.0.0.1")).toBeDefined();
  });
});

describe("a client that goes on when it is refused", () => {
  it("loses its connection after so many refusals in the window", () => {
    const { cutOff } = aGuard();
    expect(cutOff("192.0.2.1")).toBe(refusalsMax);
  });

  it("keeps it when it slows down", () => {
    const { guard, advance } = aGuard();
    const connection = {};
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < refusalsMax / 2; i++) {
        expect(guard.refused(refusal, connection, "192.0.2.1")).toBe(false);
      }
      advance(refusalsWindowMs + 1);
    }
  });

  it("is not taken in again for a while after its third connection, and others are", () => {
    const { guard, cutOff, advance } = aGuard();
    for (let i = 1; i < cutOffsMax; i++) cutOff("2001:db8::1");
    guard.admitConnection("2001:db8::1")?.();
    cutOff("2001:db8::2"); // the same /64
    expect(guard.admitConnection("2001:db8::3")).toBeUndefined();
    expect(guard.admitConnection("192.0.2.1")).toBeDefined();
    advance(banMs);
    expect(guard.admitConnection("2001:db8::1")).toBeDefined();
  });

  it("is forgotten in the end", () => {
    const { guard, cutOff, advance } = aGuard();
    cutOff("192.0.2.1");
    expect(guard.size).toBe(1);
    advance(cutOffsWindowMs + banMs);
    guard.admitConnection("192.0.2.1")?.();
    expect(guard.size).toBe(0);
  });

  it("does not cost a trusted proxy its connection, for others speak through it too", () => {
    const { guard } = aGuard();
    const connection = {};
    for (let i = 0; i < 3 * refusalsMax; i++) {
      expect(guard.refused(refusal, connection, "10.0.0.1")).toBe(false);
    }
  });

  it("is none when its messages are too large: that is no rate", () => {
    const { guard } = aGuard();
    const tooLarge = new TodokuError("limit_exceeded", "request limit", { subject: "request_size" });
    const connection = {};
    for (let i = 0; i < 3 * refusalsMax; i++) expect(guard.refused(tooLarge, connection, "192.0.2.1")).toBe(false);
  });
});
