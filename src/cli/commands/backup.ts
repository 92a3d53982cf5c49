import { resolve } from "node:path";
import type { Command } from "commander";

/** `todoku backup FILE`: a consistent copy, while the server runs or when it does not. */
export function registerBackup(program: Command): void {
  program
    .command("backup")
    .description("copy the database to a new file, while a server runs on it or when none does")
    .argument("<file>", "must not exist; to restore, put it as todoku.db into an empty data directory")
    .option("--data-dir <dir>", "data directory to copy", ".todoku")
    .action(async (file: string, { dataDir }: { dataDir: string }) => {
      const { backupDataDirectory } = await import("../../engines/embedded/index.ts");
      await backupDataDirectory(resolve(dataDir), resolve(file));
      process.stdout.write(`${resolve(file)}\n`);
    });
}
