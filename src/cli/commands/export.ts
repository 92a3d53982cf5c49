import { isDeepStrictEqual } from "node:util";
import type { Command } from "commander";
import { firstSettings, isBuiltInCache, isBuiltInQueue } from "../../domain/environments/built-ins.ts";
import { type CurrentKey, type CurrentQueue, readCurrent } from "../resources/current.ts";
import { printResourceFile, type ResourceFile } from "../resources/resource-file.ts";
import type { CurrentWebhook } from "../resources/webhooks.ts";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { type CommandIo, processIo } from "./io.ts";

/** `todoku export`: what `apply` would take. Keys without a name are not in it: nothing could tell them apart. */
export function registerExport(program: Command, io: CommandIo = processIo): void {
  withConnection(program.command("export"))
    .description(
      "print what an environment has, as a file for apply: caches, queues, webhooks, named keys and settings; no data, no secrets",
    )
    .action(async (options: ConnectionOptions, command: Command) => {
      const client = createClient(command, options, io);
      const everything = { caches: [], queues: [], webhooks: [], keys: [] };
      const { settings, caches, queues, webhooks, keys } = await readCurrent(client, everything);
      const file: ResourceFile = {
        ...(Object.keys(settings).length === 0 ? {} : { settings }),
        caches: caches.flatMap(({ name, durability }) => (isBuiltInCache(name) ? [] : [{ name, durability }])),
        // Every environment has those that are built in; what was changed of them is all that there is to say.
        queues: queues.map(toQueue).filter((queue) => !isBuiltInQueue(queue.name) || Object.keys(queue).length > 1),
        webhooks: webhooks.map(toWebhook),
        keys: keys.flatMap(toKey),
      };
      io.stdout.write(options.json ? `${JSON.stringify(file)}\n` : printResourceFile(file));
    });
}

/** What differs from a queue that was made without a word. */
function toQueue(queue: CurrentQueue) {
  const { name, visibilitySeconds, delaySeconds, retentionSeconds, deadLetter, waitSeconds, messageMaxBytes } = queue;
  const { deadLetterSources, tags } = queue;
  const { visibilityMs, delayMs, retentionMs, deadLetter: firstRule, ...first } = firstSettings(name);
  return {
    name,
    ...(visibilitySeconds * 1000 === visibilityMs ? {} : { visibilitySeconds }),
    ...(delaySeconds * 1000 === delayMs ? {} : { delaySeconds }),
    ...(retentionSeconds * 1000 === retentionMs ? {} : { retentionSeconds }),
    ...(waitSeconds * 1000 === first.waitMs ? {} : { waitSeconds }),
    ...(messageMaxBytes === first.messageMaxBytes ? {} : { messageMaxBytes }),
    ...(deadLetterSources === undefined ? {} : { deadLetterSources: [...deadLetterSources] }),
    ...(tags === undefined ? {} : { tags }),
    ...(deadLetter === undefined || isDeepStrictEqual(deadLetter, firstRule) ? {} : { deadLetter }),
  };
}

function toWebhook({ cache, name, topic, url, ordered }: CurrentWebhook) {
  return { cache, name, topic, url, ...(ordered ? {} : { ordered }) };
}

function toKey({ name, description, superUser, operator, grants }: CurrentKey): NonNullable<ResourceFile["keys"]> {
  if (name === undefined || operator === true) return [];
  const rights = superUser ? { superUser: true as const } : { grants: grants as never };
  return [{ name, ...(description === "" ? {} : { description }), ...rights }];
}
