import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { changesBetween } from "./changes.ts";
import { fieldsOf } from "./fields.ts";
import { type ConfigSources, loadConfig } from "./load.ts";
import { ConfigError } from "./problems.ts";
import { configSchema, logAreas } from "./schema.ts";

const directory = mkdtempSync(join(tmpdir(), "todoku-config-"));
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
const sourceOf = (sources: Partial<ConfigSources>, path: string) =>
  load(sources).settings.find(({ field }) => field.path === path);

describe("a field", () => {
  const fields = fieldsOf();

  it("has a flag, a variable and a sentence of its own, each made of its path", () => {
    for (const names of [fields.map(({ flag }) => flag), fields.map(({ variable }) => variable)])
      expect(new Set(names).size).toBe(fields.length);
    for (const { path, flag, variable, description } of fields) {
      expect(flag, path).toMatch(/^--[a-z][a-z0-9-]+$/);
      expect(variable, path).toMatch(/^TODOKU_[A-Z0-9_]+$/);
      expect(description, path).toMatch(/.{10}[.]$/);
    }
    expect(fields.find(({ path }) => path === "drain.delaySeconds")).toMatchObject({
      flag: "--drain-delay-seconds",
      variable: "TODOKU_DRAIN_DELAY_SECONDS",
    });
    expect(fields.find(({ path }) => path === "log.level")).toMatchObject({ flag: "--log-level" });
  });

  it("is nothing that the other TODOKU_ variables are called", () => {
    const names = fields.map(({ variable }) => variable);
    for (const taken of ["TODOKU_CONFIG", "TODOKU_MASTER_KEY", "TODOKU_URL", "TODOKU_API_KEY"])
      expect(names).not.toContain(taken);
  });

  it("of every group is found: the paths together make up the whole configuration", () => {
    const paths = fields.map(({ path }) => path);
    const leaves = (group: object, above = ""): string[] =>
      Object.entries(group).flatMap(([name, value]) =>
        typeof value === "object" && !Array.isArray(value) && !paths.includes(above + name)
          ? leaves(value, `${above}${name}.`)
          : [above + name],
      );
    expect(paths).toEqual(expect.arrayContaining(leaves(configSchema.parse({}))));
  });
});

describe("the configuration", () => {
  it("takes each field from the first source that sets it: flag, variable, file, default", () => {
    const file = aFile("port: 1\nhost: ::1\ndataDir: f\n");
    const sources = { flags: { port: "3" }, env: { TODOKU_PORT: "2", TODOKU_HOST: "127.0.0.2" }, file };
    expect(load(sources).config).toMatchObject({ port: 3, host: "127.0.0.2", dataDir: "f", cacheDurability: "disk" });
    expect(["port", "host", "dataDir", "cacheDurability"].map((path) => sourceOf(sources, path)?.source)).toEqual([
      ...["--port", "TODOKU_HOST", file, "default"],
    ]);
  });

  it("has other defaults in dev mode", () => {
    expect(load({}).config.drain).toEqual({ delaySeconds: 2, seconds: 5, graceSeconds: 3 });
    expect(load({ mode: "dev" }).config.drain).toEqual({ delaySeconds: 0, seconds: 1, graceSeconds: 3 });
  });

  it("reads lists, maps, numbers and yes or no from texts", () => {
    const env = {
      TODOKU_TRUSTED_PROXIES: "10.0.0.0/8, ::1",
      TODOKU_OUTBOUND_ALLOW: "172.17.0.0/16,receiver,*.internal.example",
      TODOKU_LOG_AREAS: "http=debug, engine=warn",
      TODOKU_BEHIND_PROXY: "true",
      TODOKU_DRAIN_SECONDS: "0.5",
      TODOKU_LOG_LEVEL: " ",
    };
    expect(load({ env }).config).toMatchObject({
      trustedProxies: ["10.0.0.0/8", "::1"],
      outbound: { allow: ["172.17.0.0/16", "receiver", "*.internal.example"] },
      log: { level: "info", areas: { http: "debug", engine: "warn" } },
      behindProxy: true,
      drain: { seconds: 0.5 },
    });
    expect(load({ mode: "dev", flags: { devOrigins: ["http://a.test", "http://b.test"] } }).config.devOrigins).toEqual([
      ...["http://a.test", "http://b.test"],
    ]);
  });

  it("reads YAML and JSON, whatever the file is called, and the one that TODOKU_CONFIG names", () => {
    const json = aFile('{\n\t"drain": {"seconds": 7},\n\t"log": {"environments": {"FEAT-X": "debug"}}\n}', "c.json");
    expect(load({ file: json }).config).toMatchObject({
      drain: { seconds: 7 },
      log: { environments: { "FEAT-X": "debug" } },
    });
    const yaml = aFile("drain: # all commented out\n#  seconds: 7\nport: 9\n", "c.conf");
    expect(load({ env: { TODOKU_CONFIG: yaml } }).config).toMatchObject({ port: 9, drain: { seconds: 5 } });
    expect(load({ file: aFile("", "empty.yaml") }).config.port).toBe(8080);
  });

  it("refuses unknown keys by their full paths, with what was probably meant", () => {
    const file = aFile("prot: 1\ndrain:\n  secnods: 2\nseconds: 3\nlog: 5\nwhatever: 1\n__proto__: 1\n");
    expect(problemsOf({ file })).toEqual([
      `${file}: prot is no field: is port meant?`,
      `${file}: drain.secnods is no field: is drain.seconds meant?`,
      `${file}: seconds is no field: is drain.seconds meant?`,
      `${file}: log is a group: it has log.level, log.areas, log.environments`,
      `${file}: whatever is no field; \`todoku config docs\` lists them`,
      `${file}: __proto__ is no field; \`todoku config docs\` lists them`,
    ]);
  });

  it("names all wrong values with where they were set, the value and the bound", () => {
    const file = aFile("log: {level: loud}\n");
    const problems = problemsOf({
      flags: { port: "99999" },
      env: {
        TODOKU_DRAIN_SECONDS: "soon",
        TODOKU_TRUSTED_PROXIES: "10.0.0.0/33",
        TODOKU_OUTBOUND_ALLOW: "receiver:80",
        TODOKU_LOG_AREAS: "htpp=debug",
        TODOKU_BEHIND_PROXY: "yes",
      },
      file,
    });
    for (const [place, bound, value] of [
      ["port (--port)", "65535", "99999"],
      ["drain.seconds (TODOKU_DRAIN_SECONDS)", "number", '"soon"'],
      ["trustedProxies[0] (TODOKU_TRUSTED_PROXIES)", "10.0.0.0/8", '"10.0.0.0/33"'],
      ["outbound.allow[0] (TODOKU_OUTBOUND_ALLOW)", "10.0.0.0/8", '"receiver:80"'],
      ["log.areas", "", "htpp"],
      ["behindProxy (TODOKU_BEHIND_PROXY)", "true or false", '"yes"'],
      [`log.level (${file})`, '"debug"', '"loud"'],
    ] as const) {
      const problem = problems.find((one) => one.startsWith(place)) ?? "";
      expect(problem, place).toContain(bound);
      expect(problem, place).toContain(value);
    }
    expect(problems).toHaveLength(7);
  });

  it("shows nothing of a file that it cannot read", () => {
    const secret = "hunter2hunter2";
    for (const text of [
      `masterKeyCommand: "${secret}`,
      `{"a": ${secret}}}`,
      `- ${secret}`,
      `a: *${secret}`,
      `${secret}`,
    ]) {
      const problems = problemsOf({ file: aFile(text) });
      expect(problems.length, text).toBeGreaterThan(0);
      expect(problems.join(), text).not.toContain(secret);
    }
    expect(problemsOf({ file: aFile("port: 1\nport: 2\n") })).toEqual([
      expect.stringContaining("line 2, column 1: a key is there twice"),
    ]);
    expect(problemsOf({ file: join(directory, "nowhere") })).toEqual([expect.stringContaining("ENOENT")]);
  });

  it("shows no value of a secret field, right or wrong", () => {
    const problems = problemsOf({ flags: { masterKeyCommand: " " }, file: aFile("masterKeyCommand: [hunter2]\n") });
    expect(problems).toEqual([
      expect.stringMatching(/^masterKeyCommand \(--master-key-command\): .*; its value is not shown$/),
    ]);
    expect(problemsOf({ file: aFile("masterKeyCommand: [hunter2]\n") }).join()).not.toContain("hunter2");
  });

  it("warns about TODOKU_ variables that nobody reads, and refuses none", () => {
    const env = {
      TODOKU_PROT: "1",
      TODOKU_URL: "u",
      TODOKU_API_KEY: "k",
      TODOKU_MASTER_KEY: "m",
      TODOKU_SOMETHING_ELSE: "x",
    };
    expect(load({ env }).warnings).toEqual([
      "the environment variable TODOKU_PROT is none that Todoku reads: is TODOKU_PORT meant?",
      "the environment variable TODOKU_SOMETHING_ELSE is none that Todoku reads; `todoku config docs` lists them",
    ]);
  });

  it("never throws anything but what is wrong with it, and never shows a secret", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ minLength: 12 }), (value, secret) => {
        fc.pre(!JSON.stringify(value).includes(secret));
        const text = JSON.stringify({ port: value, masterKeyCommand: [secret] });
        const problems = problemsOf({ file: aFile(text, "random.json") });
        expect(problems.length).toBeGreaterThan(0);
        expect(problems.join("\n").includes(secret)).toBe(false);
      }),
    );
  });
});

describe("the areas of the log", () => {
  it("are all that lines of the code have", () => {
    const root = new URL("..", import.meta.url).pathname;
    const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) =>
      /(?<!\.test)\.ts$/.test(path),
    );
    const used = files.flatMap((path) =>
      [...readFileSync(join(root, path), "utf8").matchAll(/\barea(?:: | = )"(\w+)"/g)].map(([, area]) => area),
    );
    expect(used.length).toBeGreaterThan(10);
    expect(used.filter((area) => !logAreas.some((known) => known === area))).toEqual([]);
  });
});

describe("a change", () => {
  it("is told apart: what a running server can take, and what needs a restart", () => {
    const [was, now] = [configSchema.parse({}), configSchema.parse({ port: 1, log: { areas: { http: "debug" } } })];
    expect(changesBetween(was, was)).toEqual({ changed: [], needRestart: [] });
    expect(changesBetween(was, now)).toEqual({ changed: ["log.areas"], needRestart: ["port"] });
  });
});
