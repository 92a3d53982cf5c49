import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { isIP } from "node:net";
import { dirname, join, resolve } from "node:path";
import { TodokuError } from "../../domain/errors.ts";
import { makeCertificate, maySignFor } from "../../lib/x509.ts";

const hourMs = 3600 * 1000;
const dayMs = 24 * hourMs;
/** A year: browsers refuse certificates of more than 398 days. */
const validMs = 365 * dayMs;
/** A CA that ends within a month is replaced: its certificates would end with it. */
const caLeftMinMs = 30 * dayMs;
/** This machine under its own names, for health checks and `curl`. */
const ownNames = ["localhost", "127.0.0.1", "::1"];
const label = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
const namePattern = new RegExp(`^(?=.{1,230}$)${label}(\\.${label})*$`);

export interface DevTlsRequest {
  /** host or host:port that keys and tokens name; Momento's SDKs put `cache.`, `web.cache.` and so on in front. */
  readonly endpoint: string;
  /** Directory; made with mode 0700. */
  readonly out: string;
  /** More names and addresses of the server. */
  readonly names: readonly string[];
  /** Wall time. */
  readonly nowMs: number;
}

/** What lies in the directory: the key files can be read by their owner only. */
export interface DevTls {
  readonly endpoint: string;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** Names without a wildcard that clients dial; they must lead to the server. */
  readonly hosts: readonly string[];
  readonly expiresAtMs: number;
  /** False: the one that was there, which may be trusted already. */
  readonly isNewCa: boolean;
}

interface Ca {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
  readonly isNew: boolean;
}

/**
 * Makes a certificate for a server that only its developers use, signed by a private CA of the same directory, which is made
 * when it is missing and can sign for these names only.
 * @throws TodokuError `invalid_argument`: a name is none; `failed_precondition`: the CA may not sign for a name, has no key of
 * P-256, or cannot be read.
 */
export async function makeDevTls({ endpoint, out, names, nowMs }: DevTlsRequest): Promise<DevTls> {
  const host = toHost(endpoint);
  const given = names.map(toName);
  const folder = resolve(out);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const caFile = join(folder, "ca.pem");
  const permitted = [...new Set([host, ...given, ...ownNames])];
  const ca = (await readCa(caFile, permitted, nowMs)) ?? (await makeCa(caFile, permitted, nowMs));
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const hosts = [host, ...momentoPrefixes.map((prefix) => `${prefix}.${host}`)];
  const wildcards = ["", "cache.", "control.", "token."].map((below) => `*.${below}${host}`);
  const expiresAtMs = Date.parse(ca.certificate.validTo);
  const certificate = await makeCertificate({
    commonName: host,
    notBeforeMs: nowMs - hourMs,
    notAfterMs: expiresAtMs,
    publicKey: keys.publicKey,
    issuerKey: ca.key,
    issuer: ca.certificate,
    kind: { server: [...new Set([...hosts, ...wildcards, ...given, ...ownNames])] },
  });
  await write(keyFile, toPem(keys.privateKey), 0o600);
  await write(certFile, certificate, 0o644);
  return { endpoint, caFile, certFile, keyFile, hosts, expiresAtMs, isNewCa: ca.isNew };
}

/** Reference 2: what the SDKs put before the endpoint that a key names. `api.cache` is that of Momento's HTTP API. */
const momentoPrefixes = ["cache", "control", "token", "web.cache", "web.control", "web.token", "api.cache"];

function toHost(endpoint: string): string {
  const [, host = "", port] = /^(.*?)(?::(\d{1,5}))?$/.exec(endpoint) ?? [];
  if (isIP(host.replace(/^\[|\]$/g, "")) !== 0) {
    refuse(`endpoint "${endpoint}" is an address, but the SDKs put names like "cache." before it: give a name`);
  }
  if (!namePattern.test(host) || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535) {
    refuse(`endpoint "${endpoint}" must be a name in lower case with or without a port, like localhost:8443`);
  }
  return host;
}

function toName(text: string): string {
  if (isIP(text) !== 0 || namePattern.test(text)) return text;
  return refuse(`name "${text}" must be a name in lower case or an address`);
}

function refuse(message: string): never {
  throw new TodokuError("invalid_argument", message);
}

/** The CA that is there; undefined when there is none, or it ends soon. */
async function readCa(caFile: string, permitted: readonly string[], nowMs: number): Promise<Ca | undefined> {
  const pem = await readFile(caFile).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (!pem) return undefined;
  const certificate = new X509Certificate(pem);
  const key = await readFile(caKeyFile(caFile)).then(createPrivateKey, ({ code }: NodeJS.ErrnoException) => {
    throw new TodokuError("failed_precondition", `${caKeyFile(caFile)} cannot be read: ${code}`);
  });
  if (Date.parse(certificate.validTo) < nowMs + caLeftMinMs) return undefined;
  if (!certificate.checkPrivateKey(key)) {
    throw new TodokuError("failed_precondition", `${caKeyFile(caFile)} is not the key of ${caFile}`);
  }
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new TodokuError("failed_precondition", `${caKeyFile(caFile)} must be a key of the curve P-256`);
  }
  const refused = permitted.find((name) => !maySignFor(certificate.raw, name));
  if (refused !== undefined) {
    throw new TodokuError(
      "failed_precondition",
      `the CA in ${caFile} must not sign for ${refused}: name another directory with --out, or delete ca.pem and ca-key.pem there and trust the new one`,
    );
  }
  return { certificate, key, isNew: false };
}

async function makeCa(caFile: string, permitted: readonly string[], nowMs: number): Promise<Ca> {
  const { publicKey, privateKey: key } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  // Two of the same name would be taken for each other.
  const commonName = `Todoku private CA ${randomBytes(4).toString("hex")}`;
  const pem = await makeCertificate({
    commonName,
    notBeforeMs: nowMs - hourMs,
    notAfterMs: nowMs + validMs,
    publicKey,
    issuerKey: key,
    kind: { ca: permitted },
  });
  await write(caKeyFile(caFile), toPem(key), 0o600);
  await write(caFile, pem, 0o644);
  return { certificate: new X509Certificate(pem), key, isNew: true };
}

function caKeyFile(caFile: string): string {
  return join(dirname(caFile), "ca-key.pem");
}

function toPem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }) as string;
}

/** Under its name there is always a whole file, which a server that runs may read at once. */
async function write(path: string, text: string, mode: number): Promise<void> {
  const unfinished = `${path}.${randomBytes(4).toString("hex")}`;
  const file = await open(unfinished, "wx", mode);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
}
