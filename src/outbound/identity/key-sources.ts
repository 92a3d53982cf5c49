import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import { limits } from "../../domain/limits.ts";
import type { GuardedClient } from "../../lib/guarded-client/guarded-client.ts";
import { type PublicKey, readPublicKeys } from "./public-keys.ts";

/** What a source had. */
interface ReadKeys {
  readonly keys: readonly PublicKey[];
  /** How long they may be used before they are read again. */
  readonly freshMs: number;
}

/** Where the keys of a provider are. */
export interface KeySource {
  /** Of the source, for a line of the log. */
  readonly name: string;
  /** @throws Error with a sentence: they cannot be had. */
  read(): Promise<ReadKeys>;
}

const { identity } = limits;
const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.string() });

/** Keys at an address. */
export function uriSource(client: Pick<GuardedClient, "call">, uri: string): KeySource {
  return {
    name: uri,
    async read() {
      const { text, headers } = await fetchText(client, uri);
      return { keys: readPublicKeys(text), freshMs: freshMsOf(headers["cache-control"], headers.age) };
    },
  };
}

/**
 * Keys at the address that the issuer's OpenID document names; it may name another one when they are read again. `client` may call the issuer's host;
 * for what the document says of others `outside` is asked: that the operator has named some private host does not mean that an issuer may send us there.
 */
export function discoverySource(
  client: Pick<GuardedClient, "call">,
  outside: Pick<GuardedClient, "call">,
  issuer: string,
): KeySource {
  const uri = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  return {
    name: uri,
    async read() {
      const { text } = await fetchText(client, uri);
      const { success, data } = discoverySchema.safeParse(parseJson(text));
      if (!success) throw new Error("it is no OpenID configuration: issuer or jwks_uri is missing");
      if (data.issuer !== issuer)
        throw new Error("its issuer is another one: write it in gateway.authorizers to the letter");
      // Who can change what is read without TLS can sign everybody in.
      if (issuer.startsWith("https:") && !data.jwks_uri.startsWith("https:"))
        throw new Error("its jwks_uri is not https:");
      return uriSource(isSameHost(issuer, data.jwks_uri) ? client : outside, data.jwks_uri).read();
    },
  };
}

/** Keys in a file. It is looked at after each `limits.identity.coolDownMs`, and read when it has changed. */
export function fileSource(path: string): KeySource {
  let known: { readonly mtimeMs: number; readonly keys: readonly PublicKey[] } | undefined;
  return {
    name: path,
    async read() {
      const { mtimeMs } = await stat(path).catch(unreadable);
      if (known?.mtimeMs !== mtimeMs) {
        const text = await readFile(path, "utf8").catch(unreadable);
        known = { mtimeMs, keys: readPublicKeys(text) };
      }
      return { keys: known.keys, freshMs: identity.coolDownMs };
    },
  };
}

function unreadable(error: NodeJS.ErrnoException): never {
  throw new Error(`it cannot be read (${error.code})`);
}

async function fetchText(client: Pick<GuardedClient, "call">, url: string) {
  const result = await client.call({
    ...{ method: "GET", url, headers: { accept: "application/json" } },
    ...{ timeoutMs: identity.fetchMs, answerMaxBytes: identity.keysMaxBytes + 1 },
  });
  if (result.kind !== "answer") throw new Error(result.error);
  if (result.status !== 200)
    throw new Error(`it answered ${result.status}${result.status < 400 ? ": redirects are not followed" : ""}`);
  if (result.body.byteLength > identity.keysMaxBytes)
    throw new Error(`it has more than ${identity.keysMaxBytes} bytes`);
  return { text: new TextDecoder().decode(result.body), headers: result.headers };
}

function isSameHost(one: string, other: string): boolean {
  return URL.canParse(other) && new URL(one).hostname === new URL(other).hostname;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * RFC 9111 4.2 and 5.2.2.1, within our bounds: a provider that says "not at all" would be asked for every user who signs in. `age` is how many seconds
 * caches on the way have had it, of Google's keys mostly an hour or more.
 */
export function freshMsOf(cacheControl: string | undefined, age?: string): number {
  const { default: defaultMs, min, max } = identity.keysMs;
  if (cacheControl === undefined) return defaultMs;
  if (/(^|[\s,])(no-store|no-cache)($|[\s,=])/i.test(cacheControl)) return min;
  const [, seconds] = /(?:^|[\s,])max-age="?(\d+)/i.exec(cacheControl) ?? [];
  if (seconds === undefined) return defaultMs;
  const leftMs = (Number(seconds) - (/^\d+$/.test(age ?? "") ? Number(age) : 0)) * 1000;
  return Math.min(Math.max(leftMs, min), max);
}
