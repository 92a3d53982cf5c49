import type { ReactNode } from "react";
import classes from "./Code.module.css";

const token = /(\/\*[\s\S]*?\*\/|\/\/.*)|("[^"\n]*")|\b(import|type|from|export|function|return|const|async|await)\b/g;

/** TypeScript with a little colour. */
export function Code({ source, label }: { source: string; label: string }) {
  return (
    <section className={classes.code} aria-label={label}>
      <pre>
        <code>{coloured(source.trimEnd())}</code>
      </pre>
    </section>
  );
}

function coloured(source: string) {
  const parts: ReactNode[] = [];
  let end = 0;
  for (const match of source.matchAll(token)) {
    const [text, comment, string] = match;
    const kind = comment !== undefined ? classes.comment : string !== undefined ? classes.string : classes.keyword;
    parts.push(source.slice(end, match.index));
    parts.push(
      <span key={match.index} className={kind}>
        {text}
      </span>,
    );
    end = match.index + text.length;
  }
  return [...parts, source.slice(end)];
}
