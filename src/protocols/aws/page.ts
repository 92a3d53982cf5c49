import { Buffer } from "node:buffer";
import { TodokuError } from "../../domain/errors.ts";

/** What a client asks of a list: its token is that of the page before. */
export interface PageInput {
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
}

/**
 * A page of `all`, which is sorted by name. The token is the name of the page's last: it stays right while others come and go.
 * @throws TodokuError `invalid_argument`.
 */
export function pageOf<T extends { readonly name: string }>(
  all: readonly T[],
  { MaxResults: most, NextToken: token }: PageInput,
  defaultMost: number,
): { readonly page: readonly T[]; readonly more: { readonly NextToken?: string } } {
  const after = token === undefined ? "" : readToken(token);
  const rest = all.filter(({ name }) => name > after);
  const page = rest.slice(0, most ?? defaultMost);
  const last = page.at(-1);
  const isEnd = last === undefined || page.length === rest.length;
  return { page, more: isEnd ? {} : { NextToken: toToken(last.name) } };
}

function toToken(name: string): string {
  return Buffer.from(name).toString("base64url");
}

function readToken(token: string): string {
  const name = Buffer.from(token.slice(0, 1000), "base64url").toString("utf8");
  if (name !== "" && toToken(name) === token) return name;
  throw new TodokuError("invalid_argument", '"NextToken": is not one that a page of this list gave');
}
