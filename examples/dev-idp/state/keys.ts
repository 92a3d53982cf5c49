import { generateKeyPair, randomBytes, randomUUID } from "node:crypto";
import { promisify } from "node:util";
import type { JWK } from "oidc-provider";
import { readPrivateFile, writePrivateFile } from "./private-file.ts";

/** What the provider signs with: id tokens (RS256) and cookies. */
export interface Keys {
  readonly signingKey: JWK;
  readonly cookieKey: string;
}

/** Reads the keys, or makes them on the first start. They never change: a restart logs nobody out. */
export async function openKeys(path: string): Promise<Keys> {
  const text = readPrivateFile(path);
  if (text !== undefined) return parseKeys(path, text);
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  const keys: Keys = {
    signingKey: { ...(privateKey.export({ format: "jwk" }) as JWK), kid: randomUUID(), alg: "RS256", use: "sig" },
    cookieKey: randomBytes(32).toString("base64url"),
  };
  writePrivateFile(path, `${JSON.stringify(keys, undefined, 2)}\n`);
  return keys;
}

function parseKeys(path: string, text: string): Keys {
  try {
    const { signingKey, cookieKey } = JSON.parse(text) as Partial<Keys>;
    if (signingKey?.kty === "RSA" && typeof cookieKey === "string" && cookieKey.length >= 32) {
      return { signingKey, cookieKey };
    }
  } catch {
    // The parser's message would quote the file.
  }
  throw new Error(`${path} does not hold the keys of an identity provider: delete it to have new ones made`);
}
