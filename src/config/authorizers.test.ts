// Lists of objects in the configuration, by the example of the gateway's: from a file, a flag or a variable, and what is said when they are wrong.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { fieldsOf, membersOf, shownValue } from "./fields.ts";
import { type ConfigSources, loadConfig } from "./load.ts";
import { configPage } from "./page.ts";
import { ConfigError } from "./problems.ts";

const directory = mkdtempSync(join(tmpdir(), "todoku-authorizers-"));
afterAll(() => rmSync(directory, { recursive: true }));

function aFile(text: string, name = "todoku.yaml"): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}
const load = (sources: Partial<ConfigSources>) => loadConfig({ mode: "production", ...sources });
function problemsOf(sources: Partial<ConfigSources>): readonly string[] {
  try {
    load(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}
const problemsOfList = (authorizers: unknown) =>
  problemsOf({ env: { TODOKU_GATEWAY_AUTHORIZERS: JSON.stringify(authorizers) } });
const from = "(TODOKU_GATEWAY_AUTHORIZERS)";
const good = { issuer: "https://issuer.example", audiences: ["app"] };

describe("authorizers", () => {
  const wanted = [{ ...good, algorithms: ["RS256", "ES256"], leewayMs: 10_000 }];

  it("are read from YAML, JSON, a variable and a flag", () => {
    const yaml = aFile("gateway:\n  authorizers:\n    - issuer: https://issuer.example\n      audiences: [app]\n");
    const json = aFile(JSON.stringify({ gateway: { authorizers: [good] } }), "c.json");
    const text = JSON.stringify([good]);
    for (const sources of [
      { file: yaml },
      { file: json },
      { env: { TODOKU_GATEWAY_AUTHORIZERS: text } },
      { flags: { "gateway.authorizers": text } },
    ]) {
      expect(load(sources).config.gateway.authorizers).toEqual(wanted);
    }
    expect(load({}).config.gateway.authorizers).toEqual([]);
  });

  it("give the routes of the application unless others are named, and nothing else that is not named", () => {
    const { grants } = load({ env: { TODOKU_GATEWAY_AUTHORIZERS: JSON.stringify([{ ...good, grants: {} }]) } }).config
      .gateway.authorizers[0] ?? { grants: undefined };
    expect(grants).toEqual({ subscribe: [], publish: [], routes: ["publish", "send"], watch: [] });
  });

  it.each<[unknown, string]>([
    [[{ audiences: [] }], `gateway.authorizers[0].issuer ${from}: `],
    [[good, { ...good, issuer: 7 }], `gateway.authorizers[1].issuer ${from}: `],
    [[{ issuer: "https://a.example" }], `gateway.authorizers[0].audiences ${from}: `],
    [
      [{ ...good, jwksUri: "ftp://a" }],
      `gateway.authorizers[0].jwksUri ${from}: must be a URL that begins with https:// or`,
    ],
    [[{ ...good, jwksUri: "ftp://user:hunter2@a" }], 'https:// or http://; it is "ftp://REDACTED@a"'],
    [
      [{ ...good, jwksUri: "https://a", jwksFile: "f" }],
      `gateway.authorizers[0].jwksFile ${from}: goes not with jwksUri`,
    ],
    [
      [{ ...good, issuer: "https://accounts example" }],
      `gateway.authorizers[0].issuer ${from}: must be a URL, or give jwksUri`,
    ],
    [
      [{ ...good, issuer: "accounts.example" }],
      `gateway.authorizers[0].issuer ${from}: must be a URL, or give jwksUri`,
    ],
    [[{ ...good, algorithms: ["HS256"] }], `gateway.authorizers[0].algorithms[0] ${from}: `],
    [[{ ...good, algorithms: ["none"] }], `gateway.authorizers[0].algorithms[0] ${from}: `],
    [[{ ...good, leewayMs: 300_001 }], `gateway.authorizers[0].leewayMs ${from}: `],
    [
      [{ ...good, grants: { subscribe: ["rooms"] } }],
      `gateway.authorizers[0].grants.subscribe[0] ${from}: must be cache/topic`,
    ],
    [
      [{ ...good, grants: { watch: ["{sub}*"] } }],
      `gateway.authorizers[0].grants.watch[0] ${from}: must have something between`,
    ],
    [[{ ...good, jwksUrl: "x" }], `gateway.authorizers[0].jwksUrl ${from}: this is no field: is jwksUri meant?`],
    [
      [{ ...good, grants: { subscribes: [] } }],
      `gateway.authorizers[0].grants.subscribes ${from}: this is no field: is subscribe meant?`,
    ],
    [
      [{ ...good, whatever: 1 }],
      `gateway.authorizers[0].whatever ${from}: this is no field; there are issuer, environment,`,
    ],
    [
      [good, good],
      `gateway.authorizers[1].audiences ${from}: must have nothing in common with those of gateway.authorizers[0]`,
    ],
    [[good, { ...good, audiences: [] }], `gateway.authorizers[1].audiences ${from}: must have nothing in common`],
    [good, `gateway.authorizers ${from}: `],
    ["app", `gateway.authorizers ${from}: `],
  ])("that are wrong are told by their place: %j", (authorizers, problem) => {
    expect(problemsOfList(authorizers)).toEqual([expect.stringContaining(problem)]);
  });

  it("of one issuer may stand beside each other when their audiences differ", () => {
    expect(problemsOfList([good, { ...good, audiences: ["other"] }])).toEqual([]);
  });

  it("that are no JSON are told so", () => {
    expect(problemsOf({ env: { TODOKU_GATEWAY_AUTHORIZERS: "[{" } })).toEqual([
      expect.stringMatching(/^gateway\.authorizers \(TODOKU_GATEWAY_AUTHORIZERS\): .*; it is "\[\{"$/),
    ]);
  });
});

describe("the guide to signing in", () => {
  const guide = readFileSync(new URL("../../docs/guides/sign-in.md", import.meta.url), "utf8");
  const files = [...guide.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text as string);

  it("has files that are right", () => {
    expect(files.length).toBeGreaterThanOrEqual(9);
    for (const text of files) expect(problemsOf({ file: aFile(text, "guide.yaml") }), text).toEqual([]);
  });
});

describe("a secret in a list", () => {
  const secret = "hunter2hunter2";

  it("is shown nowhere, right or wrong", () => {
    for (const endpoint of [
      { path: 7, hook: { url: "https://a", secret } },
      { path: "/p", hook: { url: "ftp://a", secret } },
      { path: "/p", hook: { url: "https://a", secret: [secret] } },
      { path: "/p", hook: secret },
      { path: "/p", unknown: secret },
      secret,
    ]) {
      const problems = problemsOf({ env: { TODOKU_GATEWAY_ENDPOINTS: JSON.stringify([endpoint]) } });
      expect(problems.length, JSON.stringify(endpoint)).toBeGreaterThan(0);
      expect(problems.join().includes(secret), problems.join().replaceAll(secret, "SECRET")).toBe(false);
    }
    const broken = problemsOf({ env: { TODOKU_GATEWAY_ENDPOINTS: `[{"hook":{"secret":"${secret}"}` } });
    expect(broken.join().includes(secret)).toBe(false);
  });

  it("is masked when the configuration is printed, and nothing else of the list is", () => {
    const field = fieldsOf().find(({ path }) => path === "gateway.endpoints");
    if (!field) throw new Error("there is no such field");
    const value = [{ path: "/a", hook: { url: "https://a", secret } }, { path: "/b" }];
    expect(shownValue(field, value)).toEqual([
      { path: "/a", hook: { url: "https://a", secret: "********" } },
      { path: "/b" },
    ]);
    expect(value[0]?.hook?.secret).toBe(secret);
  });
});

describe("the page on configuration", () => {
  it("has a row for what each object of a list has, with what it is when nobody says", () => {
    const page = configPage();
    const row = (path: string) => page.split("\n").find((line) => line.startsWith(`| \`${path}\``)) ?? "";
    const cells = (path: string) =>
      row(path)
        .split("|")
        .map((cell) => cell.trim());
    expect(cells("gateway.authorizers").slice(2, 6)).toEqual([
      ...[
        "`--gateway-authorizers`",
        "`TODOKU_GATEWAY_AUTHORIZERS`",
        "`[]`",
        "a list of objects, with the fields below",
      ],
    ]);
    expect(cells("gateway.authorizers[].issuer").slice(2, 6)).toEqual(["", "", "must be given", "text"]);
    expect(row("gateway.authorizers[].algorithms")).toContain('`["RS256","ES256"]`');
    expect(cells("gateway.authorizers[].leewayMs").slice(4, 6)).toEqual(["`10000`", "whole, 0 to 300,000"]);
    expect(row("gateway.authorizers[].grants.watch")).toContain("`[]`");
  });

  it("has a sentence for each of them", () => {
    for (const { path, description } of fieldsOf().flatMap((field) => membersOf(field)))
      expect(description, path).toMatch(/.{10}[.]$/);
  });
});
