// What docs/guides/webhooks.md tells to type and to write is typed and run here.
import { createHmac } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../support/cli.ts";
import { type StartedProcess, startProcess } from "../support/process.ts";
import { aServer } from "../support/server.ts";
import { aWebhookReceiver } from "../support/webhook-receiver.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const guide = await readFile(join(root, "docs/guides/webhooks.md"), "utf8");
const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"))].map(([, text = ""]) => text);
const scripts = blocks("js").map((text) => ({ name: /^\/\/ (\S+)\n/.exec(text)?.[1] ?? "", text }));

let server: Awaited<ReturnType<typeof aServer>>;
beforeAll(async () => {
  server = await aServer();
  await run("cache", "create", "scripts");
});
afterAll(() => server?.[Symbol.asyncDispose]());

async function run(...args: string[]): Promise<string> {
  const command = runCommand(args, { TODOKU_URL: server.url });
  expect([args, await command.done, command.stderr]).toEqual([args, 0, expect.not.stringContaining("error")]);
  return command.stdout;
}

it("has commands that work in the order in which they stand there", async () => {
  await using receiver = await aWebhookReceiver();
  const lines = blocks("sh").flatMap((block) => block.trimEnd().split("\n"));
  const commands = lines.filter((line) => !line.startsWith("WEBHOOK_SECRET=")); // that one starts a receiver
  expect(commands.length).toBeGreaterThan(15);
  for (const line of commands) {
    const [, typed = ""] = /^npm run -s todoku -- (.*?)(?: > comments\.secret)?$/.exec(line) ?? expect.fail(line);
    const words = [
      ...typed.replaceAll("http://127.0.0.1:9000/hook", receiver.url).matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g),
    ];
    await run(...words.map(([, single, double, plain]) => single ?? double ?? plain ?? ""));
  }
  await receiver.until((calls) => calls.some(({ body }) => body.includes('"text":"it arrives"')));
});

describe("the receiver", () => {
  const verifiers = scripts.filter(({ name }) => name === "verify.mjs");

  it("has three ways to verify", () => {
    expect(scripts.map(({ name }) => name)).toEqual(["verify.mjs", "receiver.mjs", "verify.mjs", "verify.mjs"]);
  });

  it.each(["with standardwebhooks", "by hand", "with WebhookUtils"].map((way, n) => [way, n] as const))(
    "takes what is genuine, each message once, and refuses the rest, %s",
    async (way, n) => {
      const unused = "http://127.0.0.1:1/";
      const secret = (await run("webhook", "put", "scripts", way, "--topic", way, "--to", unused)).trim();
      const receiver = await startReceiver(verifiers[n]?.text ?? "", `${n}`, secret);
      try {
        const url = `http://127.0.0.1:${receiver.found}/hook`;
        const post = (call: { body: string; headers: Record<string, string> }) =>
          fetch(url, { method: "POST", ...call }).then(({ status }) => status);
        const genuine = signed(secret, "m1", Date.now());
        expect(await post({ ...genuine, headers: {} })).toBe(401);
        expect(await post({ ...genuine, body: genuine.body.replace("by hand", "by another hand") })).toBe(401);
        expect(await post(signed(`whsec_${Buffer.alloc(32).toString("base64")}`, "m1", Date.now()))).toBe(401);
        expect(await post(signed(secret, "m1", Date.now() - 600_000))).toBe(401);
        expect([await post(genuine), await post(genuine)]).toEqual([200, 200]);
        expect(await post(signed(secret, "m2", Date.now(), { binary: "AP8=" }))).toBe(200);

        await run("webhook", "put", "scripts", way, "--topic", way, "--to", url);
        await run("topic", "publish", "scripts", way, "it arrives");
        await printed(receiver, "it arrives");
        const lines = receiver
          .output()
          .stdout.split("\n")
          .filter((line) => line.includes(" (from "));
        expect(lines).toEqual([
          "t: by hand (from nobody)",
          "t: 00ff (from nobody)",
          `${way}: it arrives (from nobody)`,
        ]);
      } finally {
        await receiver.end("SIGKILL");
      }
    },
  );
});

/** In a folder where the packages of the guide are found. */
async function startReceiver(verify: string, folder: string, secret: string) {
  const path = join(root, "node_modules/.cache/todoku-docs/webhooks", folder);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, "verify.mjs"), verify.replace('"@gomomento/sdk"', '"momento-sdk-1.111"'));
  await writeFile(join(path, "receiver.mjs"), scripts.find(({ name }) => name === "receiver.mjs")?.text ?? "");
  return startProcess(join(path, "receiver.mjs"), [], { WEBHOOK_SECRET: secret, PORT: "0" }, /^port (\d+)$/m);
}

/** A call as the server makes it. */
function signed(secret: string, id: string, atMs: number, message: object = { text: "by hand" }) {
  const body = JSON.stringify({ topic: "t", publish_timestamp: atMs, token_id: "", ...message });
  const headers = {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(atMs / 1000)),
    "webhook-signature": new Webhook(secret).sign(id, new Date(atMs), body),
    "momento-signature": createHmac("sha3-256", secret).update(body).digest("hex"),
  };
  return { body, headers };
}

/** Resolves when a process has printed it. */
async function printed({ child, output }: StartedProcess, text: string): Promise<void> {
  while (!output().stdout.includes(text)) await new Promise((resolve) => child.stdout?.once("data", resolve));
}
