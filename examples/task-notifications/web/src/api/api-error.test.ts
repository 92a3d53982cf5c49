import { expect, it } from "vitest";
import { toApiError } from "./api-error.ts";

it.each([
  [400, "invalid"],
  [401, "signed-out"],
  [403, "signed-out"],
  [413, "too-large"],
  [415, "unexpected"],
  [429, "too-many"],
  [500, "unavailable"],
  [503, "unavailable"],
])("takes %i for %s", (status, problem) => {
  expect(toApiError(status, null)).toMatchObject({ problem, retryAfterMs: undefined });
});

it("reads Retry-After as seconds and as a date, and nothing else", () => {
  const nowMs = Date.parse("2026-11-22T10:00:00Z");
  const retryAfterMs = (header: string) => toApiError(429, header, nowMs).retryAfterMs;
  expect(retryAfterMs("12")).toBe(12_000);
  expect(retryAfterMs("Sun, 22 Nov 2026 10:00:05 GMT")).toBe(5000);
  expect(retryAfterMs("Sun, 22 Nov 2026 09:00:00 GMT")).toBe(0);
  expect(retryAfterMs("soon")).toBeUndefined();
  expect(retryAfterMs("")).toBeUndefined();
});
