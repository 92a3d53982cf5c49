import { describe, expect, it } from "vitest";
import { createLog, type LogLevels } from "./leveled-log.ts";
import { logWith } from "./log.ts";

function aLog(levels: Partial<LogLevels> = {}) {
  const lines: Record<string, unknown>[] = [];
  const all = { level: "info", areas: {}, environments: {}, ...levels } as const;
  const log = createLog(all, { write: (line) => void lines.push(JSON.parse(line)) });
  return { log, lines, texts: () => lines.splice(0).map(({ msg }) => msg) };
}

describe("a log", () => {
  it("writes what is at least as serious as its level", () => {
    const { log, texts } = aLog({ level: "warn" });
    for (const level of ["debug", "info", "warn", "error"] as const) log[level]({}, level);
    expect(texts()).toEqual(["warn", "error"]);
  });

  it("goes by the environment of a line first, then by its area, then by the general level", () => {
    const { log, texts } = aLog({
      level: "error",
      areas: { http: "debug", engine: "silent" },
      environments: { "FEAT-X": "info" },
    });
    log.debug({ area: "http" }, "of the area");
    log.info({ area: "auth" }, "too little");
    log.error({ area: "engine" }, "silent");
    log.info({ area: "engine", environment: "FEAT-X" }, "of the environment");
    log.debug({ area: "http", environment: "FEAT-X" }, "too little for the environment");
    log.error({ environment: "feat-x" }, "of neither");
    expect(texts()).toEqual(["of the area", "of the environment", "of neither"]);
  });

  it("takes no environment for one that has a level because of what its name is called in JavaScript", () => {
    const { log, texts } = aLog({ level: "warn" });
    for (const environment of ["constructor", "toString", "hasOwnProperty"]) log.warn({ environment }, environment);
    expect(texts()).toEqual(["constructor", "toString", "hasOwnProperty"]);
  });

  it("changes at once for everybody who has it", () => {
    const { log, texts } = aLog();
    const part = logWith(log, { area: "http" });
    part.debug({}, "before");
    expect(log.isOnAnywhere("debug")).toBe(false);
    log.setLevels({ level: "error", areas: { http: "debug" }, environments: {} });
    part.debug({}, "after");
    expect(log.isOnAnywhere("debug")).toBe(true);
    expect([log.isOn("debug", { area: "http" }), log.isOn("info", { area: "engine" })]).toEqual([true, false]);
    expect(texts()).toEqual(["after"]);
  });

  it("gives the lines of a part its fields", () => {
    const { log, lines } = aLog();
    logWith(log, { area: "tls", environment: "dev" }).info({ port: 1 }, "x");
    expect(lines).toMatchObject([{ area: "tls", environment: "dev", port: 1, msg: "x" }]);
  });

  it("writes no field that is called like a credential, also two levels down", () => {
    const { log, lines } = aLog();
    const secret = "hunter2";
    log.error({ token: secret, headers: { authorization: secret }, a: { b: { apiKey: secret } } }, "x");
    expect(JSON.stringify(lines)).not.toContain(secret);
    expect(JSON.stringify(lines).match(/REDACTED/g)).toHaveLength(3);
  });
});
