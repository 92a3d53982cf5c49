// Writes src/protocols/momento/gen from proto/*.proto: `npm run generate`. With --check it writes nothing and fails when
// the committed files are not what the generator gives. Needs no network and about half a second.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { exit, stderr } from "node:process";
import { parseArgs } from "node:util";

const root = resolve(import.meta.dirname, "..");
const generated = "src/protocols/momento/gen";

/** Runs buf with what buf.gen.yaml says, its output paths below `target`. */
function generateInto(target: string): void {
  const binaries = join(root, "node_modules/.bin");
  execFileSync(join(binaries, "buf"), ["generate", "--output", target], {
    cwd: root,
    // buf looks for protoc-gen-es on the path.
    env: { ...process.env, PATH: `${binaries}${delimiter}${process.env.PATH}` },
    stdio: ["ignore", "inherit", "inherit"],
  });
}

function readFolder(path: string): Map<string, string> {
  const names = existsSync(path) ? readdirSync(path).sort() : [];
  return new Map(names.map((name) => [name, readFileSync(join(path, name), "utf8")]));
}

/** Names of the files that are missing, stale or not generated at all. */
function differences(): readonly string[] {
  const target = mkdtempSync(join(tmpdir(), "todoku-generate-"));
  try {
    generateInto(target);
    const fresh = readFolder(join(target, generated));
    const committed = readFolder(join(root, generated));
    return [...new Set([...fresh.keys(), ...committed.keys()])].filter(
      (name) => fresh.get(name) !== committed.get(name),
    );
  } finally {
    rmSync(target, { recursive: true });
  }
}

const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
if (values.check) {
  const stale = differences();
  if (stale.length > 0) {
    stderr.write(
      `${generated} is not what proto/ gives (${stale.join(", ")}): run \`npm run generate\` and commit it.\n`,
    );
    exit(1);
  }
} else {
  generateInto(root);
}
