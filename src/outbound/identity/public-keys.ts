import { createPublicKey, type JsonWebKey, type KeyObject, X509Certificate } from "node:crypto";
import { z } from "zod";
import { limits } from "../../domain/limits.ts";

/** A key of a provider. */
export interface PublicKey {
  readonly kid: string | undefined;
  /** How it signs, where its document says so. */
  readonly alg: string | undefined;
  /** Undefined: it cannot be used. */
  readonly key: KeyObject | undefined;
  /** Why not, in words that follow "the key that it was signed with". */
  readonly problem: string;
}

const jwksSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(limits.identity.keysMax) });
const certificate = z.string().startsWith("-----BEGIN CERTIFICATE");
/** Firebase's form. */
const x509MapSchema = z
  .record(z.string(), certificate)
  .refine((map) => Object.keys(map).length <= limits.identity.keysMax);

/**
 * Reads a document with keys: a JSON Web Key Set, or certificates by key id. Which of them it is its shape tells: addresses say nothing of it.
 * @throws Error with a sentence: it is neither, or has no key that can be used.
 */
export function readPublicKeys(text: string): readonly PublicKey[] {
  const keys = fromDocument(parseJson(text));
  if (keys.some(({ key }) => key !== undefined)) return keys;
  const problems = new Set(keys.map(({ problem }) => problem));
  throw new Error(
    keys.length === 0 ? "there is no key in it" : `none of its keys can be used: ${[...problems].join(", ")}`,
  );
}

/** May signatures with `alg` be verified with this key? A key that fits another algorithm is how forgers confuse verifiers. */
export function fits({ key, alg: said }: PublicKey, alg: string): boolean {
  if (!key || (said !== undefined && said !== alg && !(said === "Ed25519" && alg === "EdDSA"))) return false;
  const { asymmetricKeyType: type } = key;
  if (/^[RP]S/.test(alg)) return type === "rsa";
  if (alg === "EdDSA") return type === "ed25519";
  return type === "ec" && key.asymmetricKeyDetails?.namedCurve === curves[alg];
}

const curves: Readonly<Record<string, string>> = { ES256: "prime256v1", ES384: "secp384r1", ES512: "secp521r1" };

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("it is no JSON");
  }
}

function fromDocument(document: unknown): readonly PublicKey[] {
  const jwks = jwksSchema.safeParse(document);
  if (jwks.success) return jwks.data.keys.map(fromJwk);
  const map = x509MapSchema.safeParse(document);
  if (map.success) return Object.entries(map.data).map(([kid, pem]) => fromCertificate(kid, pem));
  throw new Error(
    `it is neither a JSON Web Key Set nor a map of certificates, of at most ${limits.identity.keysMax} keys`,
  );
}

function fromJwk(jwk: Readonly<Record<string, unknown>>): PublicKey {
  const kid = typeof jwk.kid === "string" ? jwk.kid : undefined;
  const alg = typeof jwk.alg === "string" ? jwk.alg : undefined;
  const operations = Array.isArray(jwk.key_ops) ? jwk.key_ops : undefined;
  const isForOthers = (jwk.use !== undefined && jwk.use !== "sig") || operations?.includes("verify") === false;
  if (isForOthers) return unusable(kid, "is not for signatures");
  if (jwk.kty === "oct") return unusable(kid, "is a shared secret");
  return checked(kid, alg, () => createPublicKey({ key: jwk as JsonWebKey, format: "jwk" }));
}

/** The certificate is a wrapper, as providers use it: what it is for and until when says nothing of the key, the document that names it does. */
function fromCertificate(kid: string, pem: string): PublicKey {
  return checked(kid, undefined, () => new X509Certificate(pem).publicKey);
}

function checked(kid: string | undefined, alg: string | undefined, read: () => KeyObject): PublicKey {
  let key: KeyObject;
  try {
    key = read();
  } catch {
    return unusable(kid, "cannot be read");
  }
  const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const { rsaMinBits } = limits.identity;
  if (key.asymmetricKeyType === "rsa" && modulusLength < rsaMinBits) {
    return unusable(kid, `has ${modulusLength} bits where RSA needs >= ${rsaMinBits}`);
  }
  return { kid, alg, key, problem: "" };
}

function unusable(kid: string | undefined, problem: string): PublicKey {
  return { kid, alg: undefined, key: undefined, problem };
}
