#!/usr/bin/env node
import { Command } from "commander";
import { version } from "../server/version.ts";
import { callersFolder } from "./callers-folder.ts";
import { registerApply } from "./commands/apply.ts";
import { registerBackup } from "./commands/backup.ts";
import { registerCache } from "./commands/cache.ts";
import { registerConfig } from "./commands/config.ts";
import { registerConnections } from "./commands/connections.ts";
import { registerDev } from "./commands/dev.ts";
import { registerEnv } from "./commands/env.ts";
import { endClients } from "./commands/environment-key.ts";
import { registerExport } from "./commands/export.ts";
import { registerHandler } from "./commands/handler.ts";
import { registerInit } from "./commands/init.ts";
import { processIo } from "./commands/io.ts";
import { registerKey } from "./commands/key.ts";
import { registerNotify } from "./commands/notify.ts";
import { registerPresence } from "./commands/presence.ts";
import { registerQueue } from "./commands/queue.ts";
import { registerSecret } from "./commands/secret.ts";
import { registerStart } from "./commands/start.ts";
import { registerTls } from "./commands/tls.ts";
import { registerToken } from "./commands/token.ts";
import { registerTopic } from "./commands/topic.ts";
import { registerWebhook } from "./commands/webhook.ts";
import { exitCodeOf, explain } from "./failure.ts";

process.chdir(callersFolder(process.env) ?? ".");

const program = new Command("todoku")
  .description(
    "Self-hosted real-time notifications: topics, caches, queues, webhooks and short-lived tokens in one process on one port",
  )
  .version(version)
  .showHelpAfterError("(--help lists the options)")
  .enablePositionalOptions() // else `secret get --version 3` would print the version of Todoku
  .exitOverride();

registerDev(program);
registerStart(program);
registerConfig(program);
registerInit(program);
registerEnv(program);
registerTopic(program);
registerCache(program);
registerQueue(program);
registerWebhook(program);
registerHandler(program);
registerNotify(program);
registerPresence(program);
registerConnections(program);
registerKey(program);
registerToken(program);
registerSecret(program);
registerApply(program);
registerExport(program);
registerBackup(program);
registerTls(program);

// `todoku key list | head -1`: the pipe closes, which is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  const text = explain(error);
  if (text) process.stderr.write(`${text}\n`);
  process.exitCode = exitCodeOf(error);
} finally {
  await endClients(processIo);
}
