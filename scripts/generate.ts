// Writes what is made from other files: `npm run generate`. With --check it writes nothing and fails when the committed files
// are not what the generators give. Needs no network and about a second.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { exit, stderr } from "node:process";
import { parseArgs } from "node:util";
import { configPage } from "../src/config/page.ts";
import { routes } from "../src/protocols/http/api.ts";
import { buildOpenApi } from "../src/protocols/http/openapi.ts";
import { version } from "../src/server/version.ts";

const root = resolve(import.meta.dirname, "..");

/** What is generated, and from what. A path is a file, or a folder without folders. */
const outputs = [
  { path: "src/protocols/momento/gen", source: "proto/", writeInto: writeCodecs },
  { path: "docs/reference/openapi.json", source: "src/protocols/http", writeInto: writeOpenApi },
  { path: "docs/reference/config.md", source: "src/config", writeInto: writeConfigPage },
];

/** Runs buf with what buf.gen.yaml says, its output paths below `target`. */
function writeCodecs(target: string): void {
  const binaries = join(root, "node_modules/.bin");
  execFileSync(join(binaries, "buf"), ["generate", "--output", target], {
    cwd: root,
    // buf looks for protoc-gen-es on the path.
    env: { ...process.env, PATH: `${binaries}${delimiter}${process.env.PATH}` },
    stdio: ["ignore", "inherit", "inherit"],
  });
}

function writeOpenApi(target: string, path: string): void {
  mkdirSync(dirname(join(target, path)), { recursive: true });
  writeFileSync(join(target, path), `${JSON.stringify(buildOpenApi(routes, version), null, 2)}\n`);
}

function writeConfigPage(target: string, path: string): void {
  mkdirSync(dirname(join(target, path)), { recursive: true });
  writeFileSync(join(target, path), configPage());
}

/** Texts by path: of a folder's files, or of the one file. */
function read(path: string): Map<string, string> {
  if (!existsSync(path)) return new Map();
  if (!statSync(path).isDirectory()) return new Map([["", readFileSync(path, "utf8")]]);
  return new Map(readdirSync(path).map((name) => [name, readFileSync(join(path, name), "utf8")]));
}

/** Paths below `path` that are missing, stale or not generated at all. */
function differences(target: string, path: string): readonly string[] {
  const [fresh, committed] = [read(join(target, path)), read(join(root, path))];
  return [...new Set([...fresh.keys(), ...committed.keys()])]
    .filter((name) => fresh.get(name) !== committed.get(name))
    .map((name) => join(path, name));
}

/** Generates everything elsewhere. False: a committed file is not what came out, and stderr says which. */
function check(): boolean {
  const target = mkdtempSync(join(tmpdir(), "todoku-generate-"));
  try {
    return outputs.every(({ path, source, writeInto }) => {
      writeInto(target, path);
      const stale = differences(target, path);
      if (stale.length === 0) return true;
      stderr.write(`${stale.join(", ")}: not what ${source} gives; run \`npm run generate\` and commit it.\n`);
      return false;
    });
  } finally {
    rmSync(target, { recursive: true });
  }
}

const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
if (!values.check) for (const { path, writeInto } of outputs) writeInto(root, path);
else if (!check()) exit(1);
