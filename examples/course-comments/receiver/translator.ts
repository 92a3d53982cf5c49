import type { Language } from "../shared/catalog.ts";
import { phrases } from "./phrases.ts";

/** Whatever translates. A service takes the place of the table by implementing this. */
export interface Translator {
  /** Must answer within a second or two: Todoku waits five for the receiver. What it throws makes the delivery come again. */
  translate(text: string, from: Language, to: Language): string | Promise<string>;
}

/** Words that are kept together, or one character. */
const isWordCharacter = (text: string) => /[\p{L}\p{N}'’]/u.test(text);
/** Japanese has no spaces between its words. */
const hasSpaces = (language: Language) => language !== "ja";

/** A table of phrases, without a network. The longest phrase that fits goes first; what is not in the table stays as it is. */
export class PhraseTranslator implements Translator {
  /** By language: phrases by their folded text. */
  readonly #byText = new Map<Language, Map<string, (typeof phrases)[number]>>();
  readonly #longest = new Map<Language, number>();

  translate(text: string, from: Language, to: Language): string {
    let translated = "";
    let isAfterPhrase = false;
    for (let at = 0; at < text.length; ) {
      const found = this.#phraseAt(text, at, from);
      if (found) {
        const words = matchCase(found.phrase[to], text.slice(at, at + found.length), at === 0);
        translated += isAfterPhrase && hasSpaces(to) && isWordCharacter(translated.at(-1) ?? "") ? ` ${words}` : words;
        at += found.length;
      } else {
        const rest = hasSpaces(from) ? (/^[\p{L}\p{N}'’]+/u.exec(text.slice(at))?.[0] ?? "") : "";
        const kept = rest || String.fromCodePoint(text.codePointAt(at) ?? 0);
        translated += kept;
        at += kept.length;
      }
      isAfterPhrase = found !== undefined;
    }
    return translated;
  }

  /** The longest that begins here and ends where a word ends. */
  #phraseAt(text: string, at: number, from: Language) {
    const table = this.#table(from);
    for (let length = Math.min(this.#longest.get(from) ?? 0, text.length - at); length > 0; length--) {
      const phrase = table.get(fold(text.slice(at, at + length)));
      if (!phrase) continue;
      const isWhole = !hasSpaces(from) || !isWordCharacter(text.slice(at + length, at + length + 1));
      if (isWhole) return { phrase, length };
    }
    return undefined;
  }

  #table(language: Language): Map<string, (typeof phrases)[number]> {
    const known = this.#byText.get(language);
    if (known) return known;
    const table = new Map(phrases.toReversed().map((phrase) => [fold(phrase[language]), phrase]));
    this.#byText.set(language, table);
    this.#longest.set(language, Math.max(...[...table.keys()].map((text) => text.length)));
    return table;
  }
}

/** The same length as before, so that a place in the one is the place in the other. */
function fold(text: string): string {
  const folded = text.toLowerCase().replaceAll("’", "'");
  return folded.length === text.length ? folded : text;
}

/** A sentence begins with a capital; German nouns have theirs from the table. */
function matchCase(phrase: string, original: string, isFirst: boolean): string {
  const first = original.charAt(0);
  const isCapital = first !== first.toLowerCase();
  return isFirst && isCapital ? phrase.charAt(0).toUpperCase() + phrase.slice(1) : phrase;
}
