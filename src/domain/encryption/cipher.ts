import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/** Bytes of a key: AES-256. */
export const keyBytes = 32;

const algorithm = "aes-256-gcm";
// Random nonces of 96 bits: with 2^32 texts under one key, two are equal with a probability of 2^-33 (NIST SP 800-38D, 8.3).
const nonceBytes = 12;
const tagBytes = 16;
/** Says how to read what follows: base64url of nonce, encrypted bytes and tag. */
const prefix = "v1.";

/** `bindings` must be given again to decrypt: as JSON, in which no two lists of texts look the same. */
export function encrypt(key: Uint8Array, bindings: readonly string[], plain: Uint8Array): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(JSON.stringify(bindings)));
  return (
    prefix + Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString("base64url")
  );
}

/** undefined: another key or other bindings, or any bit of the text was changed. */
export function decrypt(key: Uint8Array, bindings: readonly string[], text: string): Buffer | undefined {
  if (!text.startsWith(prefix)) return undefined;
  const bytes = Buffer.from(text.slice(prefix.length), "base64url");
  // Decoders pass over characters and bits that say nothing: without this, one text had several spellings.
  if (bytes.length < nonceBytes + tagBytes || prefix + bytes.toString("base64url") !== text) return undefined;
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(JSON.stringify(bindings)));
  decipher.setAuthTag(bytes.subarray(-tagBytes));
  const plain = decipher.update(bytes.subarray(nonceBytes, -tagBytes));
  try {
    decipher.final();
    return plain;
  } catch {
    return undefined;
  }
}
