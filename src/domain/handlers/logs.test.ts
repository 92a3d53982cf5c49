import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { openPrincipal } from "../auth/open-access.ts";
import type { Principal } from "../auth/principal.ts";
import { limits } from "../limits.ts";
import { createHandlerLogs, type HandlerLogs } from "./logs.ts";

let logs: HandlerLogs;
beforeEach(() => {
  logs = createHandlerLogs({ wallMs: () => 1000 });
});
const add = (text: string, name = "h", environment = "dev") =>
  logs.add(environment, name, { atMs: 1, stream: "stdout", text });
const read = async (
  request: Parameters<HandlerLogs["read"]>[2] = {},
  name = "h",
  principal: Principal = openPrincipal,
) => {
  const { lines, next } = await logs.read(principal, name, request);
  return [lines.map(({ text }) => text), next];
};
const { logMaxLines, logMaxBytes, logLineMaxBytes, logsMax } = limits.handler;

describe("logs of handlers", () => {
  it("are read from the last lines, or from where somebody was", async () => {
    for (const text of ["a", "b", "c"]) add(text);
    expect(await read()).toEqual([["a", "b", "c"], "1000-3"]);
    expect(await read({ limit: 2 })).toEqual([["b", "c"], "1000-3"]);
    expect(await read({ after: "1000-1" })).toEqual([["b", "c"], "1000-3"]);
    expect(await read({ after: "1000-1", limit: 1 })).toEqual([["b"], "1000-2"]);
    expect(await read({ after: "1000-3" })).toEqual([[], "1000-3"]);
  });

  it("of another run of the server lie before all of this one", async () => {
    add("a");
    expect(await read({ after: "999-57" })).toEqual([["a"], "1000-1"]);
    await expect(read({ after: "57" })).rejects.toMatchObject({ code: "invalid_argument" });
  });

  it("take no more memory for what says which invocation wrote them", async () => {
    for (let n = 0; n < 100; n++) {
      logs.add("dev", "h", { atMs: 1, stream: "stdout", text: "a", invocationId: "x".repeat(logMaxBytes / 10) });
    }
    expect((await read())[0]).toHaveLength(9);
  });

  it("that somebody waits for come at once, and nothing when the wait is over or the server stops", async () => {
    add("a");
    const wait = new AbortController();
    const waiting = read({ after: "1000-1", signal: wait.signal });
    add("b", "other");
    add("c");
    expect(await waiting).toEqual([["c"], "1000-2"]);
    const longer = read({ after: "1000-2", signal: wait.signal });
    wait.abort();
    expect(await longer).toEqual([[], "1000-2"]);
    const last = read({ after: "1000-2", signal: new AbortController().signal });
    logs.close();
    expect(await last).toEqual([[], "1000-2"]);
  });

  it("keep their last lines, so many and so large, and numbers that never go back", async () => {
    for (let n = 1; n <= logMaxLines + 5; n++) add(String(n));
    expect((await read({ after: "1000-0", limit: 1 }))[0]).toEqual(["6"]);
    expect((await read({ after: "1000-2", limit: 1 }))[1]).toBe("1000-6");
    for (let n = 0; n < logMaxBytes / logLineMaxBytes; n++) add("x".repeat(logLineMaxBytes));
    expect((await read())[0]).toHaveLength(Math.floor(logMaxBytes / (logLineMaxBytes + 128)));
    for (let n = 0; n < logsMax; n++) add("y", `h${n}`);
    expect((await read())[0]).toEqual([]);
  });

  it("cut a line at its bound, and never within a character", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "ü", "𝄞"), minLength: 1 });
    return fc.assert(
      fc.asyncProperty(text, async (pattern) => {
        const long = pattern.repeat(Math.ceil((logLineMaxBytes + 10) / pattern.length));
        add(long);
        const [line = ""] = (await read({ limit: 1 }))[0] ?? [];
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(logLineMaxBytes);
        expect(Buffer.byteLength(line)).toBeGreaterThan(logLineMaxBytes - 4);
        expect(long.startsWith(line)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it("are for those who may read the handler, and of the own environment", async () => {
    add("a");
    add("b", "h", "prod");
    const handler = (name: string) => [{ resource: "handler", role: "invoke", handler: { name } }] as const;
    const one: Principal = {
      ...openPrincipal,
      kind: "key",
      isSuperUser: false,
      isOperator: false,
      grants: handler("h"),
    };
    expect(await read({}, "h", one)).toEqual([["a"], "1000-1"]);
    await expect(read({}, "other", one)).rejects.toMatchObject({ code: "permission_denied" });
    await expect(read({}, "h", { ...one, grants: [] })).rejects.toMatchObject({ code: "permission_denied" });
  });
});
