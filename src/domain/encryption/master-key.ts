import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { TodokuError } from "../errors.ts";
import { decrypt, encrypt, keyBytes } from "./cipher.ts";

// 32 random bytes have 30 different values on average, and fewer than 16 practically never; zeros, a typed pattern and text in hex do.
const minDistinctBytes = 16;

/** Wraps the data keys of all environments. Its bytes cannot be read back, so that no log and no error can show them. */
export class MasterKey {
  /** The first 8 hex digits of SHA-256 of "todoku master key id" and the key: tells keys apart and says nothing of them. */
  readonly id: string;
  readonly #bytes: Buffer;

  /** @param bytes 32 of them, copied. */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== keyBytes)
      throw new RangeError(`the master key has ${bytes.length} bytes; must be ${keyBytes}`);
    this.#bytes = Buffer.from(bytes);
    this.id = createHash("sha256").update("todoku master key id").update(bytes).digest("hex").slice(0, 8);
  }

  /** The data key of an environment, encrypted. */
  wrap(environment: string, dataKey: Uint8Array): string {
    return encrypt(this.#bytes, ["data-key", environment], dataKey);
  }

  /** undefined: it was wrapped with another master key or for another environment, or was changed. */
  unwrap(environment: string, wrapped: string): Buffer | undefined {
    return decrypt(this.#bytes, ["data-key", environment], wrapped);
  }
}

/** The text of a new master key: 43 characters of base64url. */
export function newMasterKeyText(): string {
  return randomBytes(keyBytes).toString("base64url");
}

/**
 * Reads 32 bytes as 64 hex digits, or as base64 or base64url with or without padding; white space around them is passed over.
 * @param source where it was found, for the message, which never repeats the text.
 * @throws TodokuError `failed_precondition`: none of these, another length, or bytes that nobody has drawn at random.
 */
export function parseMasterKey(text: string, source: string): MasterKey {
  const bytes = decode(text.trim());
  if (!bytes) {
    throw new TodokuError(
      "failed_precondition",
      `the master key in ${source} is neither hex nor base64: ${howToMakeOne}`,
    );
  }
  if (bytes.length !== keyBytes) {
    throw new TodokuError(
      "failed_precondition",
      `the master key in ${source} has ${bytes.length} bytes; must be ${keyBytes}: ${howToMakeOne}`,
    );
  }
  if (new Set(bytes).size < minDistinctBytes) {
    throw new TodokuError("failed_precondition", `the master key in ${source} is not random: ${howToMakeOne}`);
  }
  return new MasterKey(bytes);
}

/** How an operator gets a master key; ends an error message. */
const howToMakeOne = "openssl rand -hex 32 makes one";

function decode(text: string): Buffer | undefined {
  if (/^([0-9a-f]{2})*$/i.test(text)) return Buffer.from(text, "hex");
  const bytes = Buffer.from(text, "base64url");
  // Not equal: it has characters, or bits at its end, that decoders pass over.
  const canonical = text
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/={1,2}$/, "");
  return bytes.toString("base64url") === canonical ? bytes : undefined;
}
