import { StringDecoder } from "node:string_decoder";
import { limits } from "../../domain/limits.ts";

/** Cuts what a process prints into lines. What goes on past `limits.handler.logLineMaxBytes` characters is left out up to the line's end. */
export class LogLines {
  readonly #decoder = new StringDecoder("utf8");
  readonly #onLine: (text: string, isCut: boolean) => void;
  #rest = "";
  #isCut = false;

  constructor(onLine: (text: string, isCut: boolean) => void) {
    this.#onLine = onLine;
  }

  write(chunk: Uint8Array): void {
    const [first = "", ...others] = this.#decoder.write(chunk).split("\n");
    this.#add(first);
    for (const part of others) {
      this.#endLine();
      this.#add(part);
    }
  }

  /** Nothing more comes: a last line without a break is one too. */
  end(): void {
    if (this.#rest !== "") this.#endLine();
  }

  #add(text: string): void {
    const room = limits.handler.logLineMaxBytes - this.#rest.length;
    if (text.length > room) this.#isCut = true;
    this.#rest += text.slice(0, room);
  }

  #endLine(): void {
    const text = this.#rest.endsWith("\r") ? this.#rest.slice(0, -1) : this.#rest;
    const isCut = this.#isCut;
    this.#rest = "";
    this.#isCut = false;
    this.#onLine(text, isCut);
  }
}
