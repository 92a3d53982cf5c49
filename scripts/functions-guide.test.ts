// docs/guides/functions.md against a server: its configuration loads, and its functions do what the page says.
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { type ConfigInput, configSchema } from "../src/config/schema.ts";
import { connect, refusal, socketUrl } from "../test/support/gateway.ts";
import { aDirectory, aServer } from "../test/support/server.ts";

const guide = readFileSync(join(resolve(import.meta.dirname, ".."), "docs/guides/functions.md"), "utf8");
const blocksOf = (language: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(([, text = ""]) => text);
const [functions = "", gateway = "", authorizer = ""] = blocksOf("yaml");

let directory: Awaited<ReturnType<typeof aDirectory>>;
let server: Awaited<ReturnType<typeof aServer>>;

beforeAll(async () => {
  directory = await aDirectory();
  const { path } = directory;
  for (const text of blocksOf("js")) {
    const [, name = ""] = /^\/\/ (\S+)\n/.exec(text) ?? [];
    writeFileSync(join(path, name), text);
  }
  const { handlers } = parse(functions);
  const endpoint = { path: "/guarded", ...parse(authorizer) };
  server = await aServer({
    handlers: {
      hello: { ...handlers.hello, directory: path },
      guard: { command: ["node:./guard.handler"], directory: path },
    },
    gateway: { endpoints: [endpoint] },
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

it.each([functions, gateway])("its configuration is one: %s", (text) => {
  expect(configSchema.safeParse(parse(text) as ConfigInput).error).toBeUndefined();
});

it("its function answers at its URL", async () => {
  const [curl = ""] = blocksOf("sh");
  const { pathname } = new URL(curl.trim().split(" ").at(-1) ?? "");
  expect(await (await fetch(server.url + pathname)).text()).toBe("hello from /you");
});

describe("its authorizer", () => {
  const at = (secret: string) => socketUrl(server, `/guarded?authorization=${secret}`);

  it("lets in whom it knows", async () => {
    const client = await connect(at("a-secret-of-alice"));
    expect(await client.ask({ action: "publish", message: "x" })).toMatchObject({ type: "ack" });
    await client.close();
  });

  it("lets in nobody else", async () => {
    expect((await refusal(at("another"))).status).toBe(401);
  });
});
