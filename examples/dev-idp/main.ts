import { parseOptions, usage } from "./options.ts";
import { startIdp } from "./start-idp.ts";

const signals = ["SIGINT", "SIGTERM"] as const;
const log = (line: string) => process.stderr.write(`${line}\n`);

try {
  const options = parseOptions(process.argv.slice(2), process.env, log);
  if (options === undefined) process.stdout.write(usage);
  else await run(options);
} catch (error) {
  log(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function run(options: Parameters<typeof startIdp>[0]): Promise<void> {
  const idp = await startIdp(options);
  process.stdout.write(`Identity provider listens on ${idp.issuer}\n`);
  // A second signal, while the first one is being obeyed, ends it at once.
  const stop = () => {
    for (const signal of signals) process.removeListener(signal, stop);
    void idp.close().then(() => process.exit());
  };
  for (const signal of signals) process.on(signal, stop);
}
