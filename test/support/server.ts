import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConfigInput, configSchema } from "../../src/config/schema.ts";
import { type RunningServer, startServer } from "../../src/server/server.ts";
import { capturedLog } from "./captured-logs.ts";

/** An empty directory that is gone when the test file ends its `using`. */
export async function aDirectory(): Promise<{ path: string; [Symbol.asyncDispose](): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "todoku-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A server of this process on a free port, with a data directory of its own. */
export async function aServer(
  overrides: ConfigInput = {},
  traits: Parameters<typeof startServer>[2] = {},
): Promise<RunningServer & AsyncDisposable> {
  const directory = overrides.dataDir === undefined ? await aDirectory() : undefined;
  const config = configSchema.parse({
    port: 0,
    dataDir: directory?.path,
    log: { level: "silent" },
    drain: { delaySeconds: 0, seconds: 0 },
    ...overrides,
  });
  const server = await startServer(config, capturedLog, traits);
  return {
    ...server,
    async [Symbol.asyncDispose]() {
      await server.close();
      await directory?.[Symbol.asyncDispose]();
    },
  };
}
