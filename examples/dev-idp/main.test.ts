// The program itself, as a developer or `npm start` runs it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { aDirectory, signIn, Visitor } from "./test/visitor.ts";

const main = fileURLToPath(new URL("main.ts", import.meta.url));

/** Starts it; `listening` gives the issuer or rejects when it exits first. */
function run(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    // With its code compiled before, each start costs half.
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, ...env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const printed = { stdout: "", stderr: "" };
  const exited = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  child.stderr.on("data", (chunk) => {
    printed.stderr += chunk;
  });
  const listening = new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      printed.stdout += chunk;
      const issuer = /^Identity provider listens on (\S+)\n/.exec(printed.stdout)?.[1];
      if (issuer) resolve(issuer);
    });
    void exited.then(() => reject(new Error(printed.stderr)));
  });
  listening.catch(() => {}); // a test may look at the exit only
  return { child, printed, exited, listening };
}

it("prints one line, whatever happens later, and ends on SIGTERM", async () => {
  const { child, printed, exited, listening } = run(["--port", "0"], { DATA_DIR: aDirectory() });
  const issuer = await listening;
  const visitor = new Visitor();
  await signIn(issuer, visitor);
  await visitor.open(`${issuer}/session/end?client_id=nobody`);
  await visitor.open(`${issuer}/auth`);
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
  expect(printed.stdout).toBe(`Identity provider listens on ${issuer}\n`);
  expect(printed.stderr).toBe("");
});

it("says which port is taken and how to choose another", async () => {
  const first = run([], { PORT: "0", DATA_DIR: aDirectory() });
  const { port } = new URL(await first.listening);
  const second = run([], { PORT: port, DATA_DIR: aDirectory() });
  await expect(second.listening).rejects.toThrow(
    `port ${port} of 127.0.0.1 is taken (EADDRINUSE): choose another one with PORT or --port`,
  );
  expect(await second.exited).toEqual([1, null]);
});

it("says which file of its data directory holds something else", async () => {
  const directory = aDirectory();
  writeFileSync(
    join(directory, "records.sqlite"),
    "not a database, and longer than a header of one would be.".repeat(9),
  );
  await expect(run(["--port=0"], { DATA_DIR: directory }).listening).rejects.toThrow(
    `${join(directory, "records.sqlite")} does not hold the records of an identity provider`,
  );
});

it("takes the issuer that it is given, and warns of other machines", async () => {
  const { printed, listening } = run(["--port=0", "--host=0.0.0.0", "--issuer=http://idp.test:3001"], {
    DATA_DIR: aDirectory(),
  });
  expect(await listening).toBe("http://idp.test:3001");
  expect(printed.stderr).toContain("0.0.0.0 can be reached from other machines");
});

it.each([
  [{ PORT: "70000" }, 'port "70000" must be a whole number from 0 to 65535'],
  [{ PORT: "" }, 'port "" must be'],
  [{ ISSUER: "https://idp.example" }, 'issuer "https://idp.example" must be http://host:port'],
  [{ ISSUER: "http://127.0.0.1:3001/" }, "and nothing more"],
  [{ OIDC_CLIENT_ID: "two words" }, 'client id "two words" must be'],
])("refuses %j in words", async (env, message) => {
  const { exited, listening } = run([], { DATA_DIR: aDirectory(), ...env });
  await expect(listening).rejects.toThrow(message);
  expect(await exited).toEqual([1, null]);
});

it("refuses an unknown flag, and explains itself when asked", async () => {
  await expect(run(["--prot=1"]).listening).rejects.toThrow("--prot");
  const { printed, exited } = run(["--help"]);
  expect(await exited).toEqual([0, null]);
  expect(printed.stdout).toContain("--data-dir <dir>");
});
