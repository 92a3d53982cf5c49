import { describe, expect, it } from "vitest";
import { limits } from "../../domain/limits.ts";
import type { GuardedResult } from "../../lib/guarded-client/guarded-client.ts";
import { outcomeOf, retryAfterOf } from "./outcome.ts";

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5);
const anAnswer = (status: number, overrides: object = {}): GuardedResult => ({
  ...{ kind: "answer", status, headers: {}, body: Buffer.from("hush"), latencyMs: 12, isPublic: false },
  ...overrides,
});

describe("an answer", () => {
  it.each([200, 201, 202, 204, 299])("%d is a delivery", (status) => {
    expect(outcomeOf(anAnswer(status), nowMs)).toEqual({ verdict: "delivered", status, latencyMs: 12 });
  });

  it.each([
    [408, true],
    [425, false],
    [429, true],
    [500, false],
    [501, false],
    [502, true],
    [503, true],
    [504, true],
    [599, false],
    [999, false],
  ])("%d may be another one later; an outage: %s", (status, isOutage) => {
    const expected = { verdict: "retry", isOutage, status, error: `it answered ${status}`, latencyMs: 12 };
    expect(outcomeOf(anAnswer(status), nowMs)).toEqual(expected);
  });

  it.each([300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 409, 411, 413, 415, 422, 451, 499])(
    "%d is the end of the item",
    (status) => {
      const outcome = outcomeOf(anAnswer(status, { headers: { "retry-after": "5" } }), nowMs);
      expect(outcome).toMatchObject({ verdict: "dead", isOutage: false, status });
      expect(outcome).not.toHaveProperty("retryAfterMs");
    },
  );

  it("410 is the end of all deliveries", () => {
    expect(outcomeOf(anAnswer(410), nowMs)).toMatchObject({ verdict: "gone", isOutage: false, status: 410 });
  });

  it("is kept of a failure at a public address only: the first kilobyte, no character of it in halves", () => {
    const body = Buffer.from(`${"x".repeat(1022)}äöü`);
    expect(outcomeOf(anAnswer(500, { body }), nowMs)).not.toHaveProperty("answer");
    expect(outcomeOf(anAnswer(500, { body, isPublic: true }), nowMs)).toHaveProperty("answer", `${"x".repeat(1022)}ä`);
    const cut = Buffer.from(`${"x".repeat(1023)}ä`);
    expect(outcomeOf(anAnswer(404, { body: cut, isPublic: true }), nowMs)).toHaveProperty("answer", "x".repeat(1023));
    const bytes = Buffer.from([0x61, 0xff, 0xc3]);
    expect(outcomeOf(anAnswer(404, { body: bytes, isPublic: true }), nowMs)).toHaveProperty("answer", "a\ufffd\ufffd");
    expect(outcomeOf(anAnswer(500, { body: Buffer.alloc(0), isPublic: true }), nowMs)).not.toHaveProperty("answer");
    expect(outcomeOf(anAnswer(200, { isPublic: true }), nowMs)).not.toHaveProperty("answer");
  });

  it.each(["network", "timeout", "blocked"] as const)("that never came (%s) says nothing of the item", (kind) => {
    const error = kind === "blocked" ? "why; the operator can permit it with outbound.allow" : "why";
    const expected = { verdict: "retry", isOutage: true, error, latencyMs: 3 };
    expect(outcomeOf({ kind, error: "why", latencyMs: 3 }, nowMs)).toEqual(expected);
  });
});

describe("Retry-After", () => {
  it.each([
    ["0", 0],
    ["7", 7000],
    ["Fri, 02 Jan 2026 03:05:05 GMT", 60_000],
    ["Friday, 02-Jan-26 03:05:05 GMT", 60_000],
    ["Fri Jan  2 03:05:05 2026", 60_000],
    ["Fri, 02 Jan 2026 03:00:00 GMT", 0],
    ["86400", limits.webhook.deadlineMs],
    ["9".repeat(400), limits.webhook.deadlineMs],
    ["Sat, 02 Jan 2027 03:05:05 GMT", limits.webhook.deadlineMs],
  ])("%s is a wait", (header, ms) => {
    expect(retryAfterOf(header, nowMs)).toBe(ms);
    expect(outcomeOf(anAnswer(503, { headers: { "retry-after": header } }), nowMs)).toHaveProperty("retryAfterMs", ms);
  });

  it.each(["", "soon", "-1", "1.5", "2026-01-02T03:05:05Z", "1, 2", "Fri, 99 Jan 2026 99:99:99 GMT", "0x10"])(
    "%j is none",
    (header) => {
      expect(retryAfterOf(header, nowMs)).toBeUndefined();
    },
  );
});
