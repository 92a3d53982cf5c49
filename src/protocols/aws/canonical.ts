/** Signed headers by name, their values as they are signed. */
export type SignedHeaders = ReadonlyMap<string, string>;

/**
 * The path as it is signed: each segment of what was sent, escaped once more. It is never unescaped first: `%2F` within a segment would
 * become another path, and so the signature of one path would be good for the other.
 */
export function canonicalPath(rawPath: string): string {
  return rawPath === "/" ? rawPath : rawPath.split("/").map(escapeText).join("/");
}

/**
 * The query as it is signed: names and values escaped, in the order of names, then of values. `+` is a space, as those who read the form
 * take it: were it a plus, one signature would be good for two meanings.
 * @throws URIError: an escape in it is none.
 */
export function canonicalQuery(rawQuery: string): string {
  if (rawQuery === "") return "";
  const fields = rawQuery.split("&").map((field) => {
    const at = field.indexOf("=");
    const [name, value] = at === -1 ? [field, ""] : [field.slice(0, at), field.slice(at + 1)];
    return [escapeText(unescapeText(name)), escapeText(unescapeText(value))] as const;
  });
  fields.sort(([name, value], [otherName, otherValue]) => compare(name, otherName) || compare(value, otherValue));
  return fields.map(([name, value]) => `${name}=${value}`).join("&");
}

/**
 * A header's value as it is signed: without spaces around it, and each run of them one. Spaces and tabs alone are meant: `\s` would also take
 * the byte A0, which is the end of letters like à in UTF-8.
 */
export function canonicalValue(value: string): string {
  return value.replace(/[ \t]+/g, " ").replace(/^ | $/g, "");
}

function unescapeText(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}

/** RFC 3986: all but letters, digits and `-._~`. */
function escapeText(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
