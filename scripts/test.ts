// `npm test`: the checks, then each test project by itself, one after the other, so that browsers and load never share the
// machine with anything. Names what was skipped; with CI set a skip is a failure. `--long` runs the many-round versions.
// What servers and commands print is captured, and searched at the end for every secret that the run has used.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findSecrets, makeRunDirectory } from "./secret-search.ts";

interface Assertion {
  readonly status: "passed" | "failed" | "skipped" | "pending" | "todo";
  readonly fullName: string;
}

const isLong = process.argv.includes("--long");
const isCi = Boolean(process.env.CI);
const projects = ["unit", "system", "load", "alone", "browser"];
const counts = { passed: 0, failed: 0 };
const skipped: string[] = [];

function run(command: string, args: readonly string[], env: Record<string, string> = {}): boolean {
  return spawnSync(command, args, { stdio: "inherit", env: { ...process.env, ...env } }).status === 0;
}

function runProject(project: string, directory: string): boolean {
  const report = join(directory, `${project}.json`);
  const args = ["node_modules/vitest/vitest.mjs", "run", "--project", project, "--reporter=default", "--reporter=json"];
  const ok = run(process.execPath, [...args, `--outputFile.json=${report}`], {
    ...(isLong ? { TEST_LONG: "1" } : {}),
    TEST_RUN_DIRECTORY: directory,
    // Tests start some two hundred processes: with their code compiled before, each costs half.
    NODE_COMPILE_CACHE: join(tmpdir(), "todoku-test-compile-cache"),
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --import=${new URL("remember-secrets.ts", import.meta.url)}`,
  });
  try {
    const { testResults } = JSON.parse(readFileSync(report, "utf8")) as {
      testResults: { assertionResults: Assertion[] }[];
    };
    for (const { status, fullName } of testResults.flatMap((file) => file.assertionResults)) {
      if (status === "passed" || status === "failed") counts[status]++;
      else skipped.push(fullName.trim());
    }
  } catch {
    return false; // no report: the runner itself did not start
  }
  return ok;
}

function reportSecrets(): boolean {
  const found = findSecrets(directory);
  for (const { file, line, kind } of found) console.log(`secret in a log: ${file}, line ${line}: ${kind}`);
  if (found.length > 0) console.log(`the logs are in ${join(directory, "logs")}`);
  return found.length === 0;
}

const startMs = performance.now();
const directory = mkdtempSync(join(tmpdir(), "todoku-report-"));
makeRunDirectory(directory);
let ok = run("npm", ["run", "--silent", "check"]);
for (const project of ok ? projects : []) ok = runProject(project, directory) && ok;
const isClean = reportSecrets();
// Whoever mends it needs the line; the secrets in it are of this run only.
if (isClean) rmSync(directory, { recursive: true, force: true });
ok &&= isClean;

for (const name of skipped) console.log(`skipped: ${name}`);
if (isCi && skipped.length > 0) {
  console.log("with CI set, a skipped test is a failure");
  ok = false;
}
console.log(`${isLong ? "test:long" : "test"} took ${Math.round((performance.now() - startMs) / 1000)} s`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${skipped.length} skipped`);
process.exit(ok && counts.passed > 0 ? 0 : 1);
