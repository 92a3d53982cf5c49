import type { Command } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { type CommandIo, printable, processIo } from "./io.ts";
import { type ItemJson, tail } from "./tail.ts";

/** The last that a Date holds. */
const dateMaxSeconds = 8.64e12;

interface WatchOptions extends ConnectionOptions {
  readonly user?: string;
}

interface PresenceJson {
  readonly user_id: string;
  readonly status: string;
  /** Seconds. */
  readonly timestamp: number;
  readonly seq: number;
}

/** `todoku presence watch`. */
export function registerPresence(program: Command, io: CommandIo = processIo): void {
  const presence = program.command("presence").description("see users come and go");

  withConnection(presence.command("watch"))
    .description("print who comes and goes from now on: time, ONLINE or OFFLINE, user, number of the change")
    .option("--user <id>", "only this user")
    .action(async (options: WatchOptions, command: Command) => {
      const { user, json = false } = options;
      const toLine = (item: ItemJson) => lineOf(item, user, json);
      const request = { cache: "events", path: "/v1/topics/events/presence", after: undefined, count: undefined };
      await tail(createClient(command, options, io), { ...request, json, toLine }, io);
    });
}

/** Undefined for what is of another user, or was published there by somebody who announces something else. */
function lineOf({ text = "" }: ItemJson, user: string | undefined, json: boolean): string | undefined {
  const message = readPresence(text);
  if (!message || (user !== undefined && message.user_id !== user)) return undefined;
  if (json) return JSON.stringify(message);
  const { user_id, status, timestamp, seq } = message;
  return [new Date(timestamp * 1000).toISOString(), status, printable(user_id), `(${seq})`].join("  ");
}

function readPresence(text: string): PresenceJson | undefined {
  try {
    const { type, message } = JSON.parse(text) as { type?: unknown; message?: Partial<PresenceJson> };
    const { user_id, status, timestamp, seq } = message ?? {};
    const isRight = typeof user_id === "string" && (status === "ONLINE" || status === "OFFLINE");
    const isDated = typeof timestamp === "number" && Math.abs(timestamp) <= dateMaxSeconds;
    if (type !== "presence" || !isRight || !isDated || typeof seq !== "number") return undefined;
    return { user_id, status, timestamp, seq };
  } catch {
    return undefined;
  }
}
