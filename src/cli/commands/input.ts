import { type Command, InvalidArgumentError } from "commander";
import type { CommandIo } from "./io.ts";

/** A text argument; `-` stands for standard input without its last line break. Input that is no UTF-8 ends the command. */
export async function readText(command: Command, text: string, io: CommandIo): Promise<string> {
  if (text !== "-") return text;
  try {
    const input = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await readAll(io.stdin));
    return input.replace(/\r?\n$/, "");
  } catch {
    return command.error("error: stdin is not UTF-8 text");
  }
}

/** All bytes of a stream. */
export async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The value of an option that counts. */
export function toCount(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number from 1 on.");
}

/** The value of an option in seconds. */
export function toSeconds(text: string): number {
  if (/^\d+(\.\d{1,3})?$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be seconds, with at most three decimals.");
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, "": 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The value of an option that is a time span, as milliseconds: `90s`, `10m`, `25h`, `30d`, `500ms`, or plain seconds. */
export function toDurationMs(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d{1,3})?)(ms|s|m|h|d)?$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * (unitMs[unit] ?? Number.NaN));
  if (Number.isSafeInteger(ms)) return ms;
  throw new InvalidArgumentError("It must be a time span: 90s, 10m, 25h, 30d, or plain seconds.");
}
