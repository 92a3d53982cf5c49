import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../domain/limits.ts";
import { LogLines } from "./log-lines.ts";

function linesOf(chunks: readonly Uint8Array[]): { text: string; isCut: boolean }[] {
  const found: { text: string; isCut: boolean }[] = [];
  const lines = new LogLines((text, isCut) => found.push({ text, isCut }));
  for (const chunk of chunks) lines.write(chunk);
  lines.end();
  return found;
}

describe("log lines", () => {
  it("are the same however the bytes come, characters of several bytes included", () => {
    const line = fc.string({ unit: fc.constantFrom("a", "ü", "€", "𝄞", " "), maxLength: 20 });
    fc.assert(
      fc.property(fc.array(line, { minLength: 1 }), fc.array(fc.nat(200)), (texts, cuts) => {
        const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(""));
        const places = [0, ...cuts.filter((at) => at < bytes.length).sort((a, b) => a - b), bytes.length];
        const chunks = places.slice(1).map((end, n) => bytes.subarray(places[n], end));
        expect(linesOf(chunks).map(({ text }) => text)).toEqual(texts);
      }),
    );
  });

  it("end where the output ends, and lose a carriage return", () => {
    const found = linesOf([Buffer.from("one\r\n\ntw"), Buffer.from("o")]).map(({ text }) => text);
    expect(found).toEqual(["one", "", "two"]);
  });

  it("that are too long lose their rest, and the next line is whole", () => {
    const { logLineMaxBytes } = limits.handler;
    const found = linesOf([Buffer.from("x".repeat(logLineMaxBytes)), Buffer.from("yy\nnext\n")]);
    expect(found).toEqual([
      { text: "x".repeat(logLineMaxBytes), isCut: true },
      { text: "next", isCut: false },
    ]);
  });
});
