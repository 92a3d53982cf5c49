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
