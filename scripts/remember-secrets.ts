// Loaded into every process of `npm test` (scripts/test.ts sets NODE_OPTIONS): writes down what is a secret by how it is made, for the
// search of the logs. Random bytes of the length of a key are keys, tickets, refresh tokens; what is encrypted is worth it.
import crypto, { type CipherGCM } from "node:crypto";
import { appendFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { threadId } from "node:worker_threads";

const keyBytes = 32;
/** Tests of sizes encrypt megabytes. */
const encryptedMaxBytes = 4096;
/** Shorter texts are found in any log by chance. */
const encryptedMinBytes = 12;

const directory = process.env.TEST_RUN_DIRECTORY;

function remember(kind: "random" | "encrypted", bytes: Uint8Array): void {
  if (directory === undefined) return;
  const path = join(directory, "secrets", `${process.pid}-${threadId}.txt`);
  appendFileSync(path, `${kind}\t${Buffer.from(bytes).toString("base64")}\n`, { mode: 0o600 });
}

function rememberRandomBytes(): void {
  const { randomBytes } = crypto;
  crypto.randomBytes = ((size: number, callback?: Parameters<typeof randomBytes>[1]) => {
    if (callback !== undefined) return randomBytes(size, callback);
    const bytes = randomBytes(size);
    if (size === keyBytes) remember("random", bytes);
    return bytes;
  }) as typeof randomBytes;
}

function rememberEncrypted(): void {
  const { createCipheriv } = crypto;
  crypto.createCipheriv = ((...args: Parameters<typeof createCipheriv>) => {
    const cipher = createCipheriv(...args) as CipherGCM;
    const update = cipher.update.bind(cipher) as (plain: Uint8Array) => Buffer;
    cipher.update = ((plain: Uint8Array) => {
      const isOfInterest = plain.length >= encryptedMinBytes && plain.length <= encryptedMaxBytes;
      if (isOfInterest) remember("encrypted", plain);
      return update(plain);
    }) as typeof cipher.update;
    return cipher;
  }) as typeof createCipheriv;
}

if (directory !== undefined) {
  rememberRandomBytes();
  rememberEncrypted();
  syncBuiltinESMExports();
}
