/** Where a request goes. */
export interface Address {
  /** As it was sent, without the query. */
  readonly rawPath: string;
  /** Without the question mark; "" for none. */
  readonly rawQuery: string;
  readonly query: URLSearchParams;
}

export function addressOf(url = ""): Address {
  const at = url.indexOf("?");
  if (at === -1) return { rawPath: url, rawQuery: "", query: new URLSearchParams() };
  const rawQuery = url.slice(at + 1);
  return { rawPath: url.slice(0, at), rawQuery, query: new URLSearchParams(rawQuery) };
}

/** Is it signed, or meant to be, in the query? */
export function isPresigned({ query }: Address): boolean {
  return ["X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential"].some((name) => query.has(name));
}
