// `npm test`: the checks, then each test project by itself, one after the other, so that browsers and load never share the
// machine with anything. Names what was skipped; with CI set a skip is a failure. `--long` runs the many-round versions.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Assertion {
  readonly status: "passed" | "failed" | "skipped" | "pending" | "todo";
  readonly fullName: string;
}

const isLong = process.argv.includes("--long");
const isCi = Boolean(process.env.CI);
const projects = ["unit", "system", "browser"];
const counts = { passed: 0, failed: 0 };
const skipped: string[] = [];

function run(command: string, args: readonly string[], env: Record<string, string> = {}): boolean {
  return spawnSync(command, args, { stdio: "inherit", env: { ...process.env, ...env } }).status === 0;
}

function runProject(project: string, directory: string): boolean {
  const report = join(directory, `${project}.json`);
  const args = ["node_modules/vitest/vitest.mjs", "run", "--project", project, "--reporter=default", "--reporter=json"];
  const ok = run(process.execPath, [...args, `--outputFile.json=${report}`], isLong ? { TODOKU_LONG: "1" } : {});
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

const startMs = performance.now();
const directory = mkdtempSync(join(tmpdir(), "todoku-report-"));
let ok = run("npm", ["run", "--silent", "check"]);
for (const project of ok ? projects : []) ok = runProject(project, directory) && ok;
rmSync(directory, { recursive: true, force: true });

for (const name of skipped) console.log(`skipped: ${name}`);
if (isCi && skipped.length > 0) {
  console.log("with CI set, a skipped test is a failure");
  ok = false;
}
console.log(`${isLong ? "test:long" : "test"} took ${Math.round((performance.now() - startMs) / 1000)} s`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${skipped.length} skipped`);
process.exit(ok && counts.passed > 0 ? 0 : 1);
