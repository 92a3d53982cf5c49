import { type Command, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { type CommandIo, printable, processIo, table } from "./io.ts";

interface CacheJson {
  readonly name: string;
  readonly durability: string;
  readonly createdAtMs: number;
}

const listHint = { not_found: "todoku cache list shows the caches there are" };

/** `todoku cache create|list|delete`. */
export function registerCache(program: Command, io: CommandIo = processIo): void {
  const cache = program.command("cache").description("create, list and delete caches");
  const print = ({ json }: ConnectionOptions, text: string, answer: unknown) =>
    io.stdout.write(`${json ? JSON.stringify(answer) : text}\n`);

  withConnection(cache.command("create"))
    .description("create a cache, which holds topics and items")
    .argument("<name>", "name of the cache")
    .addOption(
      new Option(
        "--durability <durability>",
        "disk: kept over restarts; memory: faster, gone with the process, and past its limits the least recently used keys are evicted",
      ).choices(["disk", "memory"]),
    )
    .action(async (name: string, options: ConnectionOptions & { durability?: string }, command: Command) => {
      const body = { name, durability: options.durability };
      const created = (await createClient(command, options, io).call("POST", "/v1/caches", body)) as CacheJson;
      print(options, `created cache ${printable(name)} (${created.durability})`, created);
    });

  withConnection(cache.command("list"))
    .description("list the caches that the credential may see")
    .action(async (options: ConnectionOptions, command: Command) => {
      const answer = await createClient(command, options, io).call("GET", "/v1/caches");
      const { caches } = answer as { caches: readonly CacheJson[] };
      if (options.json) print(options, "", answer);
      else for (const line of tableOf(caches)) io.stdout.write(`${line}\n`);
    });

  withConnection(cache.command("delete"))
    .description("delete a cache with all its topics and items")
    .argument("<name>", "name of the cache")
    .action(async (name: string, options: ConnectionOptions, command: Command) => {
      const path = `/v1/caches/${encodeURIComponent(name)}`;
      await createClient(command, options, io).call("DELETE", path, undefined, listHint);
      print(options, `deleted cache ${printable(name)}`, { deleted: name });
    });
}

function tableOf(caches: readonly CacheJson[]): string[] {
  const rows = caches.map(({ name, durability, createdAtMs }) => {
    return [printable(name), durability, new Date(createdAtMs).toISOString()];
  });
  return table(["NAME", "DURABILITY", "CREATED"], rows);
}
