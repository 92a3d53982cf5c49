import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";

const file = fileURLToPath(new URL("../todoku.yaml", import.meta.url));
/** `todoku`, where it is installed. */
const todokuCommand = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));

const appliedSchema = z.object({
  changes: z.array(z.object({ action: z.string(), kind: z.string(), name: z.string() })),
  outputs: z.object({ keys: z.record(z.string(), z.object({ keyId: z.string(), apiKey: z.string().optional() })) }),
});
/** What it did, and what there is. */
export type Applied = z.output<typeof appliedSchema>;

/** `todoku apply -f todoku.yaml --json`. The key goes by the environment: arguments are seen by others. @throws Error with its own words. */
export async function apply(todokuUrl: string, apiKey = ""): Promise<Applied> {
  const env = { ...process.env, TODOKU_URL: todokuUrl, TODOKU_API_KEY: apiKey };
  const args = [todokuCommand, "apply", "-f", file, "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env }).catch((error: unknown) => {
    // Its own words; the rest would be the command line.
    const { stderr } = error as { stderr?: string };
    throw stderr ? new Error(`todoku apply: ${stderr.replace(/^error: /, "").trimEnd()}`) : error;
  });
  return appliedSchema.parse(JSON.parse(stdout));
}
