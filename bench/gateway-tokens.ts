import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** As many as the idle question opens connections: each has a user of its own. */
const users = 10_000;
const lifeSeconds = 3600;
const issuer = "https://bench.invalid";

interface UserTokens {
  readonly issuer: string;
  /** Their public key. */
  readonly jwksFile: string;
  /** One token a line. */
  readonly tokenFile: string;
}

let made: UserTokens | undefined;

/** Signs them once, which takes some seconds; the files are gone when this process ends. */
export function userTokens(): UserTokens {
  made ??= makeTokens();
  return made;
}

function makeTokens(): UserTokens {
  const directory = mkdtempSync(join(tmpdir(), "todoku-bench-tokens-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwksFile = join(directory, "jwks.json");
  const key = { ...publicKey.export({ format: "jwk" }), kid: "bench", alg: "RS256", use: "sig" };
  writeFileSync(jwksFile, JSON.stringify({ keys: [key] }));
  const tokenFile = join(directory, "tokens");
  const tokens = Array.from({ length: users }, (_, number) => tokenOf(`user-${number}`, privateKey));
  writeFileSync(tokenFile, `${tokens.join("\n")}\n`, { mode: 0o600 });
  return { issuer, jwksFile, tokenFile };
}

function tokenOf(sub: string, key: KeyObject): string {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { iss: issuer, sub, iat: nowSeconds, exp: nowSeconds + lifeSeconds };
  const signed = `${part({ alg: "RS256", kid: "bench", typ: "JWT" })}.${part(claims)}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
}
