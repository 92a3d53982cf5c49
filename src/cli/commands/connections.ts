import { type Command, Option } from "commander";
import { type Client, type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { toCount } from "./input.ts";
import { type CommandIo, printable, processIo, table } from "./io.ts";

interface ConnectionJson {
  readonly connectionId: string;
  readonly userId?: string;
  readonly tokenId?: string;
  readonly connectedAtMs: number;
  readonly lastActiveAtMs: number;
  readonly address: string;
  readonly path: string;
}

interface ListOptions extends ConnectionOptions {
  readonly user?: string;
}

interface KickOptions extends ConnectionOptions {
  readonly user?: string;
  readonly tokenId?: string;
  readonly everyone?: true;
  readonly reconnect: boolean;
  readonly afterMs?: number;
  readonly reason?: string;
}

/** The most that one call answers. */
const pageSize = 1000;

/** `todoku connections list|kick`. */
export function registerConnections(program: Command, io: CommandIo = processIo): void {
  const connections = program.command("connections").description("see open WebSockets, and end them");

  withConnection(connections.command("list"))
    .description("list the open WebSockets that the credential may see, first come first")
    .option("--user <id>", "those of this user")
    .action(async (options: ListOptions, command: Command) => {
      const client = createClient(command, options, io);
      const found = options.user === undefined ? await readAll(client) : await readOf(client, options.user);
      const lines = options.json ? [JSON.stringify({ connections: found })] : tableOf(found);
      for (const line of lines) io.stdout.write(`${line}\n`);
    });

  withConnection(connections.command("kick"))
    .description("end WebSockets, and tell their clients whether to come back")
    .argument("[connection-id]", "one of them, as list shows it")
    .option("--user <id>", "all of a user")
    .option("--token-id <id>", "all that came with a token with this token id")
    .option("--everyone", "all of the environment")
    .option("--no-reconnect", "tell them not to come back; who may connect is decided by tokens alone")
    .addOption(new Option("--after-ms <n>", "tell them to come back after so long").argParser(toCount))
    .option("--reason <text>", "tell them why (default: kicked)")
    .action(async (connectionId: string | undefined, options: KickOptions, command: Command) => {
      const body = toKick(command, connectionId, options);
      const answer = await createClient(command, options, io).call("POST", "/v1/connections/kick", body);
      const { kicked } = answer as { kicked: number };
      io.stdout.write(`${options.json ? JSON.stringify(answer) : `ended ${kicked}`}\n`);
    });
}

/** The body of the call. Anything but one target ends the command. */
function toKick(command: Command, connectionId: string | undefined, options: KickOptions): object {
  const { user: userId, tokenId, everyone, reconnect, afterMs, reason } = options;
  const given = Object.entries({ connectionId, userId, tokenId, everyone }).filter(([, value]) => value !== undefined);
  if (given.length !== 1) command.error("error: give one of a connection's id, --user, --token-id, and --everyone");
  return { ...Object.fromEntries(given), reconnect, afterMs, reason };
}

async function readOf(client: Client, user: string): Promise<readonly ConnectionJson[]> {
  const answer = await client.call("GET", `/v1/users/${encodeURIComponent(user)}/connections`);
  return (answer as { connections: readonly ConnectionJson[] }).connections;
}

async function readAll(client: Client): Promise<readonly ConnectionJson[]> {
  const found: ConnectionJson[] = [];
  let query = "";
  for (;;) {
    const answer = await client.call("GET", `/v1/connections?limit=${pageSize}${query}`);
    const { connections, cursor } = answer as { connections: readonly ConnectionJson[]; cursor?: string };
    found.push(...connections);
    if (cursor === undefined) return found;
    query = `&cursor=${encodeURIComponent(cursor)}`;
  }
}

function tableOf(connections: readonly ConnectionJson[]): string[] {
  const rows = connections.map(({ connectionId, userId = "", connectedAtMs, lastActiveAtMs, address, path }) => [
    ...[connectionId, printable(userId)],
    ...[connectedAtMs, lastActiveAtMs].map((ms) => new Date(ms).toISOString()),
    ...[address, printable(path)],
  ]);
  return table(["ID", "USER", "CONNECTED", "LAST ACTIVE", "ADDRESS", "PATH"], rows);
}
