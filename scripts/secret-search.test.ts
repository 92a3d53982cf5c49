import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { toV2, wrapCredential } from "../src/domain/auth/credential.ts";
import { findSecrets, makeRunDirectory } from "./secret-search.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "todoku-secret-search-"));
  makeRunDirectory(directory);
});
afterEach(() => rmSync(directory, { recursive: true }));

const writeLog = (name: string, text: string) => writeFileSync(join(directory, "logs", name), text);

/** Runs a program as tests run theirs, with `remember-secrets.ts` loaded. */
function runProcess(program: string): string {
  const preload = new URL("remember-secrets.ts", import.meta.url).href;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    env: { ...process.env, TEST_RUN_DIRECTORY: directory, NODE_OPTIONS: `--import=${preload}` },
  });
  if (stdout === "") throw new Error(stderr);
  return stdout.trim();
}

const random = randomBytes(32);
const bareKey = `tdk_dev-0123456789abcdef_${random.toString("base64url")}`;

describe("without knowing the secret, it finds", () => {
  it.each([
    ["an API key", bareKey],
    ["a refresh token", `tdr_${random.toString("base64url")}`],
    ["a dev key", `todoku_dev_${random.toString("base64url")}`],
    ["what a webhook signs with", `whsec_${random.toString("base64")}`],
    ["a token, or a key in the v2 form", toV2(bareKey)],
    ["a key or token in the v1 form", wrapCredential("127.0.0.1:8080", bareKey)],
    ["a private key", "-----BEGIN EC PRIVATE KEY-----"],
  ])("%s", (kind, secret) => {
    writeLog("a.test.ts-1.log", `{"level":30,"msg":"listens"}\n{"level":50,"msg":"refused ${secret}!"}\n`);
    expect(findSecrets(directory)).toEqual([{ file: "a.test.ts-1.log", line: 2, kind }]);
  });
});

describe("of what a process has made, it finds", () => {
  it.each(["base64url", "base64", "hex"])("random bytes, written as %s and cut short", (encoding) => {
    const printed = runProcess(
      `import { randomBytes } from "node:crypto"; console.log(randomBytes(32).toString("${encoding}"));`,
    );
    writeLog("b.log", `one\ntwo\nx${printed.slice(0, 24)}...\n`);
    const kind = "a key, ticket or token of random bytes";
    expect(findSecrets(directory)).toEqual([{ file: "b.log", line: 3, kind }]);
  });

  it.each([
    ["as it is", (text: string) => text],
    ["in JSON", (text: string) => JSON.stringify({ text })],
    ["as base64", (text: string) => Buffer.from(text).toString("base64")],
  ])("what was encrypted, %s", (_, write) => {
    const text = 'a "quoted" pässword';
    runProcess(
      `import { createCipheriv } from "node:crypto"; const key = Buffer.alloc(32);
      createCipheriv("aes-256-gcm", key, Buffer.alloc(12)).update(Buffer.from(${JSON.stringify(text)}));
      console.log("done");`,
    );
    writeLog("c.log", `${write(text)}\n`);
    expect(findSecrets(directory)).toEqual([{ file: "c.log", line: 1, kind: "what was stored encrypted" }]);
  });
});

it("finds nothing in lines that name keys, tokens and ids without giving them", () => {
  runProcess(`import { randomBytes } from "node:crypto"; console.log(randomBytes(32).length);`);
  writeLog(
    "d.log",
    `{"keyId":"dev-0123456789abcdef","path":"/v1/topics/c/t?ticket=REDACTED","jti":"6f1c1f4e-5b0a-4f0e-9d5b-0e3f1d2c3b4a"}\n`,
  );
  expect(findSecrets(directory)).toEqual([]);
});

it("what servers log and commands print is captured, but for secrets that are printed on purpose", async () => {
  vi.stubEnv("TEST_RUN_DIRECTORY", directory);
  vi.resetModules();
  const { capturedLog, captureCommand, captureProcess } = await import("../test/support/captured-logs.ts");
  vi.unstubAllEnvs();
  vi.resetModules(); // the files behind this one in the process are to get one that writes where the run does
  capturedLog.debug({ path: `/v1/topics/c/t?key=${bareKey}` }, "answered");
  captureCommand(["key", "create", "--super-user"], "stdout", `${bareKey}\n`);
  captureCommand(["key", "list"], "stdout", "nothing\n");
  captureCommand(["key", "create"], "stderr", `cannot make ${bareKey}\n`);
  const print = (key: string) => ["-e", `console.log("${key}")`];
  for (const args of [print(bareKey), [...print(bareKey), "main.ts", "dev", "--dev-key"]]) {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    captureProcess(child, args);
    await once(child, "close");
  }
  const found = findSecrets(directory);
  expect(found.map(({ line, kind }) => [line, kind])).toEqual([1, 3, 4].map((line) => [line, "an API key"]));
  expect(found[0]?.file).toContain("secret-search.test.ts");
});

it("searches 20 MB for 20,000 secrets within seconds", () => {
  mkdirSync(join(directory, "secrets"), { recursive: true });
  const lines = Array.from({ length: 20_000 }, () => `random\t${randomBytes(32).toString("base64")}`);
  writeFileSync(join(directory, "secrets", "1.txt"), `${lines.join("\n")}\n`);
  const line = `{"level":20,"time":1793000000000,"method":"POST","path":"/v1/topics/c/t","status":200,"ms":0.4,"msg":"answered"}\n`;
  writeLog("e.log", line.repeat(Math.ceil((20 * 2 ** 20) / line.length)));
  const startMs = performance.now();
  expect(findSecrets(directory)).toEqual([]);
  expect(performance.now() - startMs).toBeLessThan(10_000);
});
