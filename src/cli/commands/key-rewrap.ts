import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { rewrapDataKeys } from "../../domain/encryption/data-keys.ts";
import { TodokuError } from "../../domain/errors.ts";
import { systemClock } from "../../lib/clock.ts";
import { makeMasterKeyFile, readMasterKeyFile } from "../../server/master-key.ts";
import type { CommandIo } from "./io.ts";

interface RewrapOptions {
  readonly dataDir: string;
  readonly masterKeyFile?: string;
  readonly newMasterKeyFile: string;
  readonly json?: boolean;
}

/** `todoku key rewrap`: another master key, while no server runs on the data directory. */
export function registerKeyRewrap(key: Command, io: CommandIo): void {
  key
    .command("rewrap")
    .description("change the master key of a data directory that no server uses; no secret is changed")
    .option("--data-dir <dir>", "the data directory", ".todoku")
    .option("--master-key-file <file>", "file with the master key so far (default: master.key of the data directory)")
    .requiredOption("--new-master-key-file <file>", "file with the new one; made when it is missing")
    .option("--json", "print JSON")
    .action(async (options: RewrapOptions) => {
      const dataDir = resolve(options.dataDir);
      if (!existsSync(join(dataDir, "todoku.db"))) {
        throw new TodokuError("failed_precondition", `${dataDir} is no data directory: there is no todoku.db in it`);
      }
      const from = await readMasterKeyFile(resolve(options.masterKeyFile ?? join(dataDir, "master.key")));
      const { openEmbeddedEngine } = await import("../../engines/embedded/index.ts");
      const engine = await openEmbeddedEngine({ dataDir, wallMs: systemClock.wallMs });
      try {
        const file = resolve(options.newMasterKeyFile);
        const isMade = !existsSync(file);
        const to = isMade ? await makeMasterKeyFile(file) : await readMasterKeyFile(file);
        const rewrapped = await rewrapDataKeys(engine.records, from, to);
        const text = `rewrapped ${rewrapped} data key${rewrapped === 1 ? "" : "s"} with the master key in ${file}`;
        io.stdout.write(`${options.json ? JSON.stringify({ rewrapped, masterKeyId: to.id, isMade }) : text}\n`);
        io.stderr.write(
          `${isMade ? `made ${file}: keep a copy of it; ` : ""}backups made before need the old master key\n`,
        );
      } finally {
        await engine.close();
      }
    });
}
