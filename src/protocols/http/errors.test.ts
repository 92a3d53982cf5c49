import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { errorCodes, TodokuError } from "../../domain/errors.ts";
import { httpStatus, statusOf } from "./errors.ts";

describe("docs/reference/errors.md", () => {
  it("lists exactly the error codes, with the HTTP status they have", async () => {
    const text = await readFile(new URL("../../../docs/reference/errors.md", import.meta.url), "utf8");
    const rows = [...text.matchAll(/^\| `(\w+)` *\| (\d+)/gm)].map(([, code, status]) => [code, Number(status)]);
    expect(rows).toEqual(errorCodes.map((code) => [code, httpStatus[code]]));
  });
});

describe("statusOf", () => {
  it("tells a message that is too large from a limit on how many there may be", () => {
    expect(statusOf(new TodokuError("limit_exceeded", "", { subject: "message_size" }))).toBe(413);
    expect(statusOf(new TodokuError("limit_exceeded", "", { subject: "subscriptions" }))).toBe(429);
    expect(statusOf(new TodokuError("not_found", "", { subject: "cache" }))).toBe(404);
  });
});
