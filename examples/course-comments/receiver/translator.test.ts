import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { languageCodes } from "../shared/catalog.ts";
import { phrases } from "./phrases.ts";
import { PhraseTranslator } from "./translator.ts";

const translator = new PhraseTranslator();

describe("the table of phrases", () => {
  it.each([
    ["Thank you, teacher!", "en", "de", "Danke, Lehrerin!"],
    ["thank you very much", "en", "fr", "merci beaucoup"],
    ["Guten Morgen, Welt", "de", "en", "Good morning, world"],
    ["bis morgen", "de", "ja", "また明日"],
    ["ありがとうございます。質問があります", "ja", "en", "thank you very much。I have a question"],
    ["先生ありがとう", "ja", "de", "Lehrerin danke"],
    ["J’ai une question", "fr", "en", "I have a question"],
    ["the quark says hello", "en", "ja", "the quark says こんにちは"],
    ["catalogue", "en", "de", "catalogue"],
    ["HELLO", "en", "fr", "Bonjour"],
    ["", "en", "de", ""],
    ["👩‍🚀 tea?", "en", "ja", "👩‍🚀 お茶?"],
  ] as const)("makes of %j from %s to %s %j", (text, from, to, expected) => {
    expect(translator.translate(text, from, to)).toBe(expected);
  });

  it("has something to say in every language, each row", () => {
    for (const phrase of phrases) for (const code of languageCodes) expect(phrase[code], phrase.en).toMatch(/\S/);
  });

  it("keeps every text that has no word of the table, whatever it is made of", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("q", "x", " ", ".", "\n", "😀", "İ", "'") }), (text) => {
        expect(translator.translate(text, "en", "ja")).toBe(text);
      }),
    );
  });
});
