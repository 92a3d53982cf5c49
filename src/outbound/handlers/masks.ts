/** Shorter values stand in every text by chance. */
const minLength = 6;
const mask = "***";

/** Takes secrets out of what a handler prints, and out of the errors that it gives, which are logged too. */
export class Masks {
  /** The longest first: one may hold another. */
  readonly #values: readonly string[];

  /** Each as it is, line by line, and as it stands within JSON. */
  constructor(secrets: Iterable<string>) {
    const forms = new Set<string>();
    for (const secret of secrets) {
      const json = JSON.stringify(secret).slice(1, -1);
      for (const form of [secret, json, ...secret.split(/\r?\n/)]) if (form.length >= minLength) forms.add(form);
    }
    this.#values = [...forms].sort((a, b) => b.length - a.length);
  }

  /** `text` without them. `isCut`: it goes on where nobody looks, so what one of them may begin with at its end goes too. */
  apply(text: string, isCut = false): string {
    let clean = text;
    for (const value of this.#values) clean = clean.replaceAll(value, mask);
    return isCut ? this.#withoutBegun(clean) : clean;
  }

  /** `json` without them; undefined when it would be none any more: one of them looks like a number in it, or like a part of its form. */
  applyToJson(json: string): string | undefined {
    const clean = this.apply(json);
    if (clean === json) return json;
    try {
      JSON.parse(clean);
      return clean;
    } catch {
      return undefined;
    }
  }

  #withoutBegun(text: string): string {
    let begun = 0;
    for (const value of this.#values) {
      for (let length = Math.min(value.length, text.length); length > begun; length--) {
        if (text.endsWith(value.slice(0, length))) begun = length;
      }
    }
    return begun === 0 ? text : `${text.slice(0, -begun)}${mask}`;
  }
}
