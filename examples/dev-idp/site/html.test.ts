import fc from "fast-check";
import { expect, it } from "vitest";
import { html } from "./html.ts";

it("lets no text out of its place, in an element or in an attribute", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("<", ">", "&", '"', "'", "a", "amp;", "script") }), (text) => {
      const page = html`<p title="${text}" lang='${text}'>${text}</p>`.text;
      const [, title, lang, body] = /^<p title="([^"<>]*)" lang='([^'<>]*)'>([^<>]*)<\/p>$/.exec(page) ?? [];
      for (const escaped of [title, lang, body]) expect(unescaped(escaped)).toBe(text);
    }),
  );
});

it("takes HTML as it is, joins lists, and leaves out what is undefined", () => {
  const items = ["a", "<b>"].map((text) => html`<li>${text}</li>`);
  expect(html`<ul>${items}</ul>${undefined}${3}`.text).toBe("<ul><li>a</li><li>&lt;b&gt;</li></ul>3");
});

function unescaped(text = ""): string {
  const characters: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
  return text.replace(/&(.*?);/g, (_, name: string) => characters[name] ?? "not an entity of ours");
}
