import { Html, html } from "./html.ts";

interface Page {
  /** The h1, and the title of the tab. */
  readonly heading: string;
  readonly body: Html;
  /** A script of `assets/`. */
  readonly script?: string;
  readonly isWide?: boolean;
}

/** The frame of every page. */
export function layout({ heading, body, script, isWide }: Page): string {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${heading} - Todoku demo sign-in</title>
    <link rel="icon" href="/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/style.css" />
    ${script === undefined ? undefined : html`<script src="/${script}" defer></script>`}
  </head>
  <body>
    <header class="brand">
      <span class="mark" lang="ja" aria-hidden="true">届く</span>
      <span>Todoku demo sign-in</span>
    </header>
    <main class="${isWide ? "card wide" : "card"}">
      <h1>${heading}</h1>
      ${body}
    </main>
    <footer>
      <p>This is a development server: mails land in the <a href="/outbox" target="_blank">outbox</a>.</p>
    </footer>
  </body>
</html>
`.text;
}

interface Field {
  readonly name: string;
  readonly label: string;
  readonly type: "email" | "password" | "text";
  readonly autocomplete: string;
  readonly value?: string | undefined;
  readonly hint?: string;
  readonly problem?: string | undefined;
  readonly isFocused?: boolean;
}

/** An input with its label, and what is to be known or wrong about it. */
export function field({ name, label, type, autocomplete, value, hint, problem, isFocused }: Field): Html {
  const describedBy = [hint && `${name}-hint`, problem && `${name}-problem`].filter(Boolean).join(" ");
  const attributes = [
    describedBy && html` aria-describedby="${describedBy}"`,
    problem && html` aria-invalid="true"`,
    isFocused && html` autofocus`,
  ].filter((attribute) => attribute instanceof Html);
  return html`<div class="field">
    <label for="${name}">${label}</label>
    <input id="${name}" name="${name}" type="${type}" value="${value}" autocomplete="${autocomplete}" required${attributes} />
    ${hint === undefined ? undefined : html`<p class="hint" id="${name}-hint">${hint}</p>`}
    ${problem === undefined ? undefined : html`<p class="problem" id="${name}-problem">${problem}</p>`}
  </div>`;
}
