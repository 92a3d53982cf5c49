// What the README tells a stranger to type is typed here, against a server that `todoku dev` started.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { CredentialProvider, TopicClient } from "@gomomento/sdk";
import { expect, it } from "vitest";
import { startDevProcess } from "../support/process.ts";
import { aDirectory } from "../support/server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(`${root}/README.md`, "utf8");
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, code]) => code ?? "");

it("names the two commands that CI and a stranger run", () => {
  const { scripts } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
  for (const block of ["npm ci && npm start\n", "npm ci && npm run verify\n"]) expect(blocks("sh")).toContain(block);
  expect(scripts.verify).toBe("npm run setup && npm test");
  expect(scripts.start).toBe("node scripts/start.ts");
  expect(readFileSync(`${root}/.ci/run`, "utf8")).toMatch(/export CI=1\nnpm ci\nnpm run verify\n$/);
});

it("has shell lines and SDK code that work as written", async () => {
  await using directory = await aDirectory();
  const server = await startDevProcess(["--port", "0", "--data-dir", directory.path]);
  try {
    const url = `http://127.0.0.1:${server.port}`;
    const env = { ...process.env, TODOKU_URL: url, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
    const outputs = blocks("sh")
      .filter((block) => !block.startsWith("npm ci"))
      .map((block) => {
        const lines = block
          .trimEnd()
          .split("\n")
          .map((line) => line.replaceAll("http://127.0.0.1:8080", url));
        // curl ends a stream that goes on with 28 when --max-time is over: that is what the line asks for.
        return lines
          .map((line) =>
            execFileSync("sh", ["-c", `${line} || [ $? = 28 ]`], {
              env,
              cwd: root,
              encoding: "utf8",
              stdio: ["ignore", "pipe", "ignore"],
            }),
          )
          .join("");
      });
    expect(outputs[0]).toContain("it arrives");
    expect(outputs[1]).toContain("from curl");

    const items: string[] = [];
    const arrived = Promise.withResolvers<void>();
    const local = (CredentialProvider.forMomentoLocal as (props: object) => CredentialProvider)({
      hostname: "127.0.0.1",
      port: server.port,
    });
    const code =
      blocks("js")[0]
        ?.replace(/^import .*\n/m, "")
        .replace("CredentialProvider.forMomentoLocal()", "credentialProvider") ?? "";
    const AsyncFunction = (async () => {}).constructor as new (
      ...args: string[]
    ) => (...args: unknown[]) => Promise<void>;
    const log = (text: string) => {
      items.push(text);
      arrived.resolve();
    };
    await new AsyncFunction("TopicClient", "credentialProvider", "console", code)(TopicClient, local, { log });
    await arrived.promise;
    expect(items).toEqual(["from the SDK"]);
  } finally {
    await server.end("SIGTERM");
  }
});
