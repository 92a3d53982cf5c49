import type { Command } from "commander";
import { toV2, wrapCredential } from "../../domain/auth/credential.ts";
import { type CommandIo, processIo } from "./io.ts";

interface InitOptions {
  readonly dataDir: string;
  readonly env: string;
  readonly masterKeyFile?: string;
  readonly endpoint: string;
  readonly json?: boolean;
}

/** `todoku init`: what a server for production begins with. */
export function registerInit(program: Command, io: CommandIo = processIo): void {
  program
    .command("init")
    .description(
      "prepare a data directory that no server holds: an environment and an operator's key, printed this once",
    )
    .option("--data-dir <dir>", "data directory; made with mode 0700", ".todoku")
    .option("--env <environment>", "the operator's environment, made when it is missing", "prod")
    .option("--master-key-file <file>", "made with mode 0600 when it is missing; keep a copy of it elsewhere")
    .option("--endpoint <host:port>", "what the key tells the Momento SDKs to dial", "127.0.0.1:8080")
    .option("--json", "print JSON")
    .action(async ({ dataDir, env: environment, masterKeyFile, endpoint, json }: InitOptions) => {
      const { initDataDirectory } = await import("../../server/init.ts");
      const made = await initDataDirectory({ dataDir, environment, masterKeyFile });
      const { keyId } = made.operator.key;
      const apiKey = wrapCredential(endpoint, made.operator.secret);
      const answer = { dataDir: made.dataDir, environment, keyId, apiKey, apiKeyV2: toV2(made.operator.secret) };
      io.stdout.write(`${json ? JSON.stringify({ ...answer, ...(masterKeyFile && { masterKeyFile }) }) : apiKey}\n`);
      const lines = [
        ...(made.isNewMasterKey
          ? [`made the master key file ${masterKeyFile}: without it no secret can be read; keep a copy elsewhere`]
          : []),
        ...(made.isNewEnvironment ? [`made environment ${environment}`] : []),
        `made the operator's key ${keyId} of environment ${environment}; keep what was printed, it is not shown again`,
      ];
      for (const line of lines) io.stderr.write(`${line}\n`);
    });
}
