import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { TodokuError } from "../domain/errors.ts";

/** Where certificate and key lie, as PEM. */
export interface CertificatePaths {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate whose key belongs to it. */
export interface Certificate {
  /** PEM: the server's own certificate first, then those between it and its CA. */
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Wall time after which clients refuse it. */
  readonly expiresAtMs: number;
  /** Its subject alternative names, for the log. */
  readonly names: string;
}

/**
 * Reads both files and checks that they belong together.
 * @throws TodokuError `failed_precondition` that names the file that is wrong, never what is in it.
 */
export async function readCertificate({ certFile, keyFile }: CertificatePaths): Promise<Certificate> {
  const [cert, key] = await Promise.all([read("tls.certFile", certFile), read("tls.keyFile", keyFile)]);
  const leaf = parse("tls.certFile", certFile, "certificate", () => new X509Certificate(cert));
  const privateKey = parse("tls.keyFile", keyFile, "private key without a passphrase", () => createPrivateKey(key));
  checkPair(leaf, privateKey, { certFile, keyFile });
  // OpenSSL refuses more than we can name, such as a key that is too short or a damaged one of the other certificates.
  parse("tls.certFile", certFile, "certificate chain that a server can use", () => createSecureContext({ cert, key }));
  return { cert, key, expiresAtMs: Date.parse(leaf.validTo), names: leaf.subjectAltName ?? leaf.subject };
}

async function read(field: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new TodokuError("failed_precondition", `${field} ${path} cannot be read: ${code}`);
  }
}

function parse<T>(field: string, path: string, what: string, make: () => T): T {
  try {
    return make();
  } catch {
    // OpenSSL's own text is left out: it may quote what is in the file.
    throw new TodokuError("failed_precondition", `${field} ${path} holds no ${what} as PEM`);
  }
}

function checkPair(leaf: X509Certificate, key: KeyObject, { certFile, keyFile }: CertificatePaths): void {
  if (leaf.checkPrivateKey(key)) return;
  throw new TodokuError(
    "failed_precondition",
    `tls.keyFile ${keyFile} is not the key of the first certificate in tls.certFile ${certFile}`,
  );
}
