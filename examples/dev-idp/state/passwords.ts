import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";

// One of OWASP's equal settings; 16 MiB for each hash, which fits Node's default bound.
const cost = { N: 2 ** 14, r: 8, p: 5 } satisfies ScryptOptions;
const keyBytes = 32;

/** What a password is compared with when there is no such user, so that the answer takes as long. */
export const dummyHash = format(randomBytes(16), randomBytes(keyBytes));

/** A salted hash of the password, as one word: `scrypt$<salt>$<key>`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  return format(salt, await derive(password, salt));
}

/** Is it the password of this hash? */
export async function isPassword(password: string, hash: string): Promise<boolean> {
  const [, salt = "", key = ""] = hash.split("$");
  const expected = Buffer.from(key, "base64url");
  const actual = await derive(password, Buffer.from(salt, "base64url"));
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

function format(salt: Buffer, key: Buffer): string {
  return `scrypt$${salt.toString("base64url")}$${key.toString("base64url")}`;
}

// NFKC: the same password typed on another keyboard may arrive in other code points.
function derive(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize("NFKC"), salt, keyBytes, cost, (error, key) => (error ? reject(error) : resolve(key)));
  });
}
