#!/usr/bin/env node
import { Command } from "commander";
import { version } from "../server/version.ts";
import { registerBackup } from "./commands/backup.ts";
import { registerCache } from "./commands/cache.ts";
import { registerDev } from "./commands/dev.ts";
import { registerKey } from "./commands/key.ts";
import { registerQueue } from "./commands/queue.ts";
import { registerTopic } from "./commands/topic.ts";
import { exitCodeOf, explain } from "./failure.ts";

const program = new Command("todoku")
  .description("Self-hosted real-time notifications: topics, cache and short-lived tokens in one process on one port")
  .version(version)
  .showHelpAfterError()
  .exitOverride();

registerDev(program);
registerTopic(program);
registerCache(program);
registerQueue(program);
registerKey(program);
registerBackup(program);

try {
  await program.parseAsync();
} catch (error) {
  const text = explain(error);
  if (text) process.stderr.write(`${text}\n`);
  process.exitCode = exitCodeOf(error);
}
