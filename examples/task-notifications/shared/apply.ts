import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const file = new URL("../todoku.yaml", import.meta.url);
/** `todoku`, where it is installed. */
const todokuCommand = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));

const appliedSchema = z.object({
  changes: z.array(z.object({ action: z.string(), kind: z.string(), name: z.string() })),
  outputs: z.object({ keys: z.record(z.string(), z.object({ keyId: z.string(), apiKey: z.string().optional() })) }),
});
/** What it did, and what there is. */
export type Applied = z.output<typeof appliedSchema>;

/** `todoku.yaml`. @throws as {@link applyResources}. */
export async function apply(todokuUrl: string, apiKey: string | undefined): Promise<Applied> {
  return applyResources(todokuUrl, apiKey, await readFile(file, "utf8"));
}

/** `todoku apply -f - --json` with these resources. The key goes by the environment: arguments are seen by others. @throws Error with its own words. */
export async function applyResources(
  todokuUrl: string,
  apiKey: string | undefined,
  resources: string,
): Promise<Applied> {
  const child = spawn(process.execPath, [todokuCommand, "apply", "-f", "-", "--json"], {
    env: { ...process.env, TODOKU_URL: todokuUrl, TODOKU_API_KEY: apiKey ?? "" },
    stdio: "pipe",
  });
  child.stdin.end(resources);
  const [[code], stdout, stderr] = await Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]);
  if (code !== 0) throw new Error(`todoku apply: ${stderr.replace(/^error: /, "").trimEnd()}`);
  return appliedSchema.parse(JSON.parse(stdout));
}
