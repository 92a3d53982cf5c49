// The docs against the code: what a page lists is what there is, links lead somewhere, and the scripts of the Node guide run.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import type { Readable } from "node:stream";
import * as momento from "@gomomento/generated-types";
import { status as grpcStatusNames } from "@grpc/grpc-js";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerDev } from "../src/cli/commands/dev.ts";
import { parseResourceFile } from "../src/cli/resources/resource-file.ts";
import { loadConfig } from "../src/config/load.ts";
import { configPage } from "../src/config/page.ts";
import { wrapCredential } from "../src/domain/auth/credential.ts";
import { errorCodes } from "../src/domain/errors.ts";
import { limits } from "../src/domain/limits.ts";
import { grpcStatus } from "../src/protocols/momento/errors.ts";
import { definitionsOf } from "../src/server/handlers.ts";
import { pythonAws } from "../test/support/aws.ts";
import { aSession, GrpcCall } from "../test/support/grpc.ts";
import { aServer } from "../test/support/server.ts";
import { aCertificate } from "../test/support/tls.ts";

const root = resolve(import.meta.dirname, "..");
/** Inside node_modules, so that the imports of the scripts are found, and git does not see them. */
const cacheFolder = join(root, "node_modules/.cache/todoku-docs");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => join("docs", path)),
];

/** Rows of all tables below `heading` (to the next one of its level) whose first cell is code; that cell without its backticks. */
function rows(path: string, heading?: string): string[][] {
  const text = heading === undefined ? read(path) : (read(path).split(`\n${heading}\n`)[1] ?? "").split("\n## ")[0];
  return [...(text ?? "").matchAll(/^\| `[^|]*\|.*$/gm)].map(([line]) => {
    const [name = "", ...cells] = line.split("|").slice(1, -1);
    return [name.trim().replaceAll("`", ""), ...cells.map((cell) => cell.trim())];
  });
}

/** The tests that a cell names, as `file` "name" "name". */
function namedTests(cell: string): (readonly [file: string, name: string])[] {
  return [...cell.matchAll(/`([\w./-]+\.(?:test|contract)\.ts)`((?: "[^"]+")+)/g)].flatMap(
    ([, file = "", names = ""]) => [...names.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => [file, name] as const),
  );
}

/** As `it("name", ...`, `it.each(...)("name", ...`, or the first of a row of `it.each`: `["name", ...`. */
function isThere([file, name]: readonly [string, string]): boolean {
  if (!existsSync(join(root, file))) return false;
  const text = read(file).replace(/([([])\s+/g, "$1");
  return ["(", "["].some((opening) => text.includes(`${opening}${JSON.stringify(name)},`));
}

/** `package.Service/Method` of every service in the classes that Momento's own SDKs are built with. */
function momentoCalls(): string[] {
  const calls = new Set<string>();
  const collect = (value: unknown): void => {
    if (value === null || (typeof value !== "object" && typeof value !== "function")) return;
    const { definition } = value as { definition?: Record<string, { path: string }> };
    if (definition) for (const { path } of Object.values(definition)) calls.add(path.slice(1));
    else if (typeof value === "object") Object.values(value).forEach(collect);
  };
  collect(momento);
  return [...calls];
}

/** Blocks of one language, in order; fences and what stands before and after them left out. */
function blocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(/^```(\w*)\n(.*?)^```$/gms)].flatMap(([, found, text]) =>
    found === language ? [text as string] : [],
  );
}

/** Anchors as GitHub makes them. */
function anchors(markdown: string): string[] {
  const prose = markdown.replace(/^```.*?^```$/gms, "");
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

describe("links", () => {
  it.each(pages)("of %s lead somewhere", (page) => {
    const prose = read(page).replace(/^```.*?^```$/gms, "");
    const broken = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = ""]) => {
      if (/^https?:/.test(link)) return [];
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? join(root, page) : resolve(root, dirname(page), file);
      if (relative(root, target).startsWith("..") || !existsSync(target)) return [link];
      return anchor === undefined || anchors(readFileSync(target, "utf8")).includes(anchor) ? [] : [link];
    });
    expect(broken).toEqual([]);
  });
});

describe("docs/guides", () => {
  const files = pages
    .filter((page) => page.startsWith("docs/guides"))
    .flatMap((page) => blocks(read(page), "yaml").map((text) => ({ page, text })));
  const configs = files.filter(({ text }) => text.startsWith("# todoku.config.yaml\n"));
  const resources = files.filter(({ text }) => text.startsWith("# todoku.yaml\n"));

  it.each(configs)("$page has a configuration that the server takes", ({ text }) => {
    mkdirSync(join(cacheFolder, "backend"), { recursive: true }); // where the guides' handlers are
    const file = join(cacheFolder, "todoku.config.yaml");
    writeFileSync(file, text);
    const { config, warnings } = loadConfig({ mode: "dev", file });
    expect(warnings).toEqual([]);
    expect(definitionsOf(config.handlers, "dev").map(({ name }) => name)).toEqual(Object.keys(config.handlers));
  });

  it.each(resources)("$page has a file that `todoku apply` takes", ({ text }) => {
    expect(parseResourceFile(text).keys).not.toEqual([]);
  });
});

describe("docs/design/dependencies.md", () => {
  const packageOf = (folder: string) =>
    JSON.parse(read(join(folder, "package.json"))) as Record<string, Record<string, string>>;
  const { dependencies, devDependencies } = packageOf(".");
  const ofExamples = readdirSync(join(root, "examples"))
    .map((name) => packageOf(join("examples", name)))
    .map((example) => ({ ...example.dependencies, ...example.devDependencies }))
    .flatMap(Object.keys);
  const known = { ...dependencies, ...devDependencies };

  it.each([
    ["## At run time", dependencies],
    ["## For development and tests", devDependencies],
    [
      "## Of the examples only",
      Object.fromEntries(ofExamples.filter((name) => !(name in known)).map((name) => [name, ""])),
    ],
  ])("names under %j exactly what package.json has, with a reason", (heading, wanted = {}) => {
    const listed = rows("docs/design/dependencies.md", heading);
    expect(listed.map(([name]) => name).toSorted()).toEqual(Object.keys(wanted).toSorted());
    for (const [name, , reason = ""] of listed) expect(reason.length, name).toBeGreaterThan(10);
  });

  it("gives each licence as its package does", () => {
    const wrong = rows("docs/design/dependencies.md").filter(
      ([name, licence]) => JSON.parse(read(`node_modules/${name}/package.json`)).license !== licence,
    );
    expect(wrong).toEqual([]);
  });
});

describe("docs/design/security.md", () => {
  const threats = rows("docs/design/security.md").map(([threat = "", , , cell = ""]) => ({
    threat,
    tests: namedTests(cell),
  }));

  it("has every threat that must have an answer", () => {
    const wanted = [
      ...["forged", "expired", "replayed", "confused algorithm", "wrong environment", "wrong audience", "revoked"],
      ...["downgraded", "cross-site", "rebinding", "oversized", "slow-loris", "reset flood", "secret in log"],
    ];
    expect(threats.map(({ threat }) => threat)).toEqual(expect.arrayContaining(wanted));
  });

  it.each(threats)("names tests for $threat that are there, under exactly these names", ({ tests }) => {
    expect(tests.length).toBeGreaterThan(0);
    expect(tests.filter((test) => !isThere(test))).toEqual([]);
  });
});

describe("docs/design/sumu.md", () => {
  const defects = Array.from({ length: 32 }, (_, n) => `B${n + 1}`);
  const listed = rows("docs/design/sumu.md").map(([name = "", , , cell = ""]) => ({ name, tests: namedTests(cell) }));

  it("has every edge case and every defect of the article, in order", () => {
    expect(rows("docs/design/sumu.md", "## Edge cases")).toHaveLength(18);
    expect(rows("docs/design/sumu.md", "## Defects").map(([name]) => name)).toEqual(defects);
  });

  it.each(listed)("names tests for $name that are there, under exactly these names", ({ tests }) => {
    expect(tests.length).toBeGreaterThan(0);
    expect(tests.filter((test) => !isThere(test))).toEqual([]);
  });
});

describe("docs/reference", () => {
  it("limits.md has every limit, in order, with its value", () => {
    const flatten = (group: object, prefix = ""): [string, number][] =>
      Object.entries(group).flatMap(([name, value]) =>
        typeof value === "number" ? [[prefix + name, value]] : flatten(value, `${prefix}${name}.`),
      );
    const listed = rows("docs/reference/limits.md").map(([name, value = ""]) => [
      name,
      Number(value.replaceAll(",", "")),
    ]);
    expect(listed).toEqual(flatten(limits));
  });

  it("config.md is what `todoku config docs` prints", () => {
    expect(read("docs/reference/config.md")).toBe(configPage());
  });

  it("config.md has every flag of the servers, and no other", () => {
    const program = new Command();
    registerDev(program);
    const flags = program.commands[0]?.options.map((option) => option.long) ?? [];
    // What the objects of a list have is set with the list.
    const fields = rows("docs/reference/config.md").filter(([path = ""]) => !/\[\]|<name>/.test(path));
    const listed = fields.map(([, flag = ""]) => flag.replaceAll("`", ""));
    expect(["--config", ...listed]).toEqual(flags);
  });

  it("errors.md has the gRPC status of each code", () => {
    const listed = rows("docs/reference/errors.md").map(([code, , status]) => [code, status]);
    expect(listed).toEqual(
      errorCodes.map((code) => [code, `${grpcStatus[code]} ${grpcStatusNames[grpcStatus[code]]}`]),
    );
  });

  it("momento.md says of each code what the SDK makes of it", () => {
    expect(rows("docs/reference/momento.md", "## Errors").map(([code]) => code)).toEqual(errorCodes);
  });
});

describe("a started server", () => {
  let server: Awaited<ReturnType<typeof aServer>>;
  let keyed: Awaited<ReturnType<typeof aServer>>;
  let certificate: Awaited<ReturnType<typeof aCertificate>>;

  beforeAll(async () => {
    certificate = await aCertificate();
    // With TLS, for its metrics; without it for the rest.
    const { certFile, keyFile } = certificate;
    server = await aServer({ tls: { certFile, keyFile, plaintext: "loopback" } });
    keyed = await aServer({ devKey: true });
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await keyed?.[Symbol.asyncDispose]();
    await certificate?.[Symbol.asyncDispose]();
  });

  it("has exactly the metrics of docs/reference/metrics.md", async () => {
    const post = (path: string, body: object, method = "POST") =>
      fetch(server.url + path, {
        method,
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    await post("/v1/caches", { name: "metrics" });
    await post("/v1/queues", { name: "metrics" });
    expect((await post("/v1/queues/metrics/send", { body: "x" })).status).toBe(200);
    expect((await post("/v1/topics/metrics/t", { text: "x" })).status).toBe(200);
    const webhook = { topic: "webhook", url: "http://127.0.0.1:9" };
    expect((await post("/v1/webhooks/metrics/w", webhook, "PUT")).status).toBe(201);
    expect((await post("/v1/notifications", { data: "x" })).status).toBe(200);
    expect((await post("/v1/handler-attachments", { name: "metrics" })).status).toBe(201);
    const aws = { method: "POST", headers: { "x-amz-target": "AmazonSQS.ListQueues" }, body: "{}" };
    expect((await fetch(server.url, aws)).status).toBe(200);
    const socketEnd = (query: string) => {
      const socket = new WebSocket(`${server.url.replace("http", "ws")}/push${query}`);
      socket.onopen = () => socket.send("x");
      socket.onmessage = () => socket.close();
      return new Promise((resolve) => {
        socket.onclose = resolve;
      });
    };
    await socketEnd("?user=metrics");
    await socketEnd("?token=one&token=two");
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const wanted = [...text.matchAll(/^# HELP (todoku_\w+) (.*)$/gm)].map(([, name, help = ""]) => {
      const type = new RegExp(`^# TYPE ${name} (\\w+)$`, "m").exec(text)?.[1];
      const sample = new RegExp(`^${name}(?:\\{(.*)\\})? `, "m").exec(text);
      expect(sample, name).not.toBeNull();
      const labels = [...(sample?.[1] ?? "").matchAll(/(\w+)="/g)].map(([, label]) => `\`${label}\``);
      return [name, type, labels.join(", "), help];
    });
    expect(rows("docs/reference/metrics.md")).toEqual(wanted);
  });

  it("serves the calls that docs/reference/momento.md says it serves, of all that Momento's SDKs know", async () => {
    const listed = rows("docs/reference/momento.md", "## Calls");
    expect(listed.map(([call]) => call).toSorted()).toEqual(momentoCalls().toSorted());
    expect(new Set(listed.map(([, how]) => how))).toEqual(new Set(["as Momento", "better", "left out"]));
    using session = aSession(server.port);
    const isServed = (call: string) =>
      new GrpcCall(session, `/${call}`, new Uint8Array()).ended.then(
        ({ status }) => status !== grpcStatusNames.UNIMPLEMENTED,
      );
    for (const [call = "", how] of listed) expect(await isServed(call), call).toBe(how !== "left out");
  });

  it.each([
    [
      "keys-and-tokens.md",
      ["your order is on its way", "It is valid.", "It was REVOKED", "those signed before are refused at"],
    ],
  ])(
    "runs the shell blocks of docs/guides/%s, as one script",
    async (page, printed) => {
      await using fresh = await aServer();
      const env = { ...process.env, TODOKU_URL: fresh.url, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
      const script = blocks(read(`docs/guides/${page}`), "sh").join("");
      const child = spawn("sh", ["-euc", script], { stdio: ["ignore", "pipe", "pipe"], cwd: root, env });
      const { code, stdout, stderr } = await outputOf(child);
      expect([code, stderr]).toEqual([0, expect.not.stringContaining("error")]);
      for (const text of printed) expect(stdout).toContain(text);
    },
    120_000,
  );

  it("runs the Python of docs/guides/aws.md, with Debian's boto3", async () => {
    const [script = ""] = blocks(read("docs/guides/aws.md"), "python");
    const any = { AWS_ACCESS_KEY_ID: "any", AWS_SECRET_ACCESS_KEY: "any", AWS_DEFAULT_REGION: "us-east-1" };
    expect(await pythonAws(script, { ...any, AWS_ENDPOINT_URL: server.url })).toBe("got one piece of cake\n");
  });

  describe.each([
    ["aws.md", 1],
    ["momento-node.md", 6],
    ["queues.md", 2],
    ["test-your-client.md", 1],
    ["websocket.md", 1],
    ["websocket-backend.md", 1],
  ])("runs the complete scripts of docs/guides/%s:", (page, count) => {
    const guide = read(`docs/guides/${page}`);
    const scripts = blocks(guide, "js").filter((text) => /^\/\/ [\w-]+\.mjs\n/.test(text));
    const outputs = blocks(guide, "text");
    const named = scripts.map((text, i) => ({ name: /^\/\/ (.*)\n/.exec(text)?.[1] ?? "", text, output: outputs[i] }));

    it("each says what it prints", () => {
      expect(scripts.length).toBeGreaterThanOrEqual(count);
      expect(outputs).toHaveLength(scripts.length);
    });

    it.each(named)("$name", async ({ name, text, output }) => {
      const wantsKey = text.includes("TODOKU_API_KEY");
      const { port, devKey = "" } = wantsKey ? keyed : server;
      expect(text).toContain("8080");
      mkdirSync(cacheFolder, { recursive: true });
      writeFileSync(join(cacheFolder, name), text.replaceAll("8080", String(port)));
      const env = { ...process.env, TODOKU_API_KEY: wantsKey ? wrapCredential(`127.0.0.1:${port}`, devKey) : "" };
      expect(await runScript(join(cacheFolder, name), env)).toEqual({ code: 0, stdout: output, stderr: "" });
    });
  });
});

function runScript(path: string, env: NodeJS.ProcessEnv) {
  return outputOf(spawn(process.execPath, [path], { stdio: ["ignore", "pipe", "pipe"], env, timeout: 15_000 }));
}

function outputOf(child: ChildProcessByStdio<null, Readable, Readable>) {
  const printed = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].on("data", (chunk) => {
      printed[stream] += chunk;
    });
  }
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((done) => {
    child.once("close", (code) => done({ code, ...printed }));
  });
}
