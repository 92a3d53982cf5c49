import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const guard = fileURLToPath(new URL("guard.ts", import.meta.url));

/** Processes of a busy machine take their time. */
const patience = { timeout: 10_000 };

/** Starts three processes, each with one of its own; says which are guarded, and then waits to be killed. */
const script = `
import { spawn } from "node:child_process";
import { ProcessGuard } from ${JSON.stringify(guard)};
const guard = new ProcessGuard();
const start = () => spawn("sh", ["-c", "sleep 600 & sleep 600"], { detached: true, stdio: "ignore" }).pid;
const [a, b, c] = [start(), start(), start()];
guard.add(a);
guard.add(b);
guard.add(c);
guard.remove(b);
console.log(JSON.stringify([a, b, c]));
setInterval(() => {}, 1000);
`;

/** How many processes of the group run. */
function sizeOf(group: number): number {
  const rows = execFileSync("ps", ["-e", "-o", "pgid=,stat="], { encoding: "utf8" }).split("\n");
  return rows.filter((row) => row.trim().split(/\s+/)[0] === String(group) && !row.includes("Z")).length;
}

it("a process that is killed takes the groups with it that it guards, and no others", async () => {
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output] = (await once(child.stdout, "data")) as [Buffer];
  const [a = 0, b = 0, c = 0] = JSON.parse(String(output)) as number[];
  try {
    await expect.poll(() => [a, b, c].map(sizeOf), patience).toEqual([3, 3, 3]);
    child.kill("SIGKILL");
    await expect.poll(() => [a, b, c].map(sizeOf), patience).toEqual([0, 3, 0]);
  } finally {
    process.kill(-b, "SIGKILL");
  }
});

it("a guard that was killed is made anew while there is something to guard", async () => {
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output] = (await once(child.stdout, "data")) as [Buffer];
  const [a = 0, b = 0, c = 0] = JSON.parse(String(output)) as number[];
  /** Children of it that are none of the three. */
  const guards = () => {
    const rows = execFileSync("ps", ["--ppid", String(child.pid), "-o", "pid="], { encoding: "utf8" }).split("\n");
    return rows.map(Number).filter((pid) => pid > 0 && ![a, b, c].includes(pid));
  };
  try {
    const [first = 0] = guards();
    process.kill(first, "SIGKILL");
    await expect.poll(() => guards().some((pid) => pid !== first), patience).toBe(true);
    child.kill("SIGKILL");
    await expect.poll(() => [a, b, c].map(sizeOf), patience).toEqual([0, 3, 0]);
  } finally {
    process.kill(-b, "SIGKILL");
  }
});
