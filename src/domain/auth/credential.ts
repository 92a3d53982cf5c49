import { Buffer } from "node:buffer";
import { z } from "zod";
import { limits } from "../limits.ts";

const v1Key = z.object({ endpoint: z.string().min(1), api_key: z.string().min(1) });
const v2Header = toBase64url({ alg: "HS256", typ: "JWT" });
const v2Payload = z.object({ sub: z.string() });

/** Momento's v1 form of a credential: what its SDKs take as one string. */
export function wrapCredential(endpoint: string, apiKey: string): string {
  return Buffer.from(JSON.stringify({ endpoint, api_key: apiKey })).toString("base64");
}

/**
 * Momento's v2 form of an API key, which its SDKs take beside an endpoint: it looks like a JWT, and its third part is the key's secret,
 * which has the length of a signature. `secret` is the whole bare key.
 */
export function toV2(secret: string): string {
  // Counted, not looked for: what was drawn may begin with "_" itself.
  const at = secret.length - secretLength - 1;
  return `${v2Header}.${toBase64url({ t: "g", iss: "todoku", sub: secret.slice("tdk_".length, at) })}.${secret.slice(at + 1)}`;
}

/** The bare key of a v1 or v2 string; any other text as it is. SDKs unwrap v1 by themselves, `curl` users paste the whole. */
export function unwrapCredential(text: string): string {
  // A v1 string is a third longer than what is in it. One of ten megabytes would keep the JSON parser busy for a second.
  if (!text.startsWith("ey") || text.length > 2 * limits.credentialMaxBytes) return text;
  try {
    return text.includes(".") ? fromV2(text) : v1Key.parse(decode(text, "base64")).api_key;
  } catch {
    return text;
  }
}

const secretLength = 43;

/** A text that is not letter for letter what we would write is none: it goes on as a token, and is refused as one. */
function fromV2(text: string): string {
  const [header, payload = "", secret] = text.split(".");
  if (header !== v2Header) return text;
  const key = `tdk_${v2Payload.parse(decode(payload, "base64url")).sub}_${secret}`;
  return toV2(key) === text ? key : text;
}

function toBase64url(document: object): string {
  return Buffer.from(JSON.stringify(document)).toString("base64url");
}

function decode(text: string, encoding: "base64" | "base64url"): unknown {
  return JSON.parse(Buffer.from(text, encoding).toString("utf8"));
}
