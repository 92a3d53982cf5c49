// AWS Signature Version 4 in the header form: what was signed is put together again from what came, and compared.
import { Buffer } from "node:buffer";
import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from "node:crypto";
import { limits } from "../../domain/limits.ts";
import { BoundedMap } from "../../lib/bounded-map.ts";
import { canonicalPath, canonicalQuery, type SignedHeaders } from "./canonical.ts";
import { AwsError } from "./errors.ts";

const algorithm = "AWS4-HMAC-SHA256";

/** What the header Authorization says. */
export interface Signature {
  readonly accessKeyId: string;
  /** YYYYMMDD. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  /** Lower case, in their order. */
  readonly signedHeaders: readonly string[];
  /** 64 hex digits. */
  readonly signature: string;
}

/** What of a request is signed. */
export interface SignedRequest {
  readonly method: string;
  /** As they were sent. */
  readonly rawPath: string;
  readonly rawQuery: string;
  /** Of the signed headers. */
  readonly headers: SignedHeaders;
  /** YYYYMMDDTHHMMSSZ. */
  readonly dateTime: string;
  readonly bodyHash: string;
}

const form =
  /^AWS4-HMAC-SHA256 +Credential=([\w-]{1,128})\/(\d{8})\/([a-zA-Z0-9-]{1,64})\/([a-z0-9-]{1,64})\/aws4_request *, *SignedHeaders=([!#$%&'*+.^`|~\w;-]{1,4096}) *, *Signature=([0-9a-f]{64})$/;

/** Does this text mean to be a signature of version 4? */
export function isSignature(authorization: string | undefined): authorization is string {
  return authorization?.startsWith(algorithm) === true;
}

/** @throws AwsError `IncompleteSignatureException`: it has another form; it is not quoted, for it may hold a secret by mistake. */
export function parseSignature(authorization: string): Signature {
  const [, accessKeyId, date, region, service, headers, signature] = form.exec(authorization) ?? [];
  if (!accessKeyId || !date || !region || !service || !headers || !signature) {
    const wanted = `${algorithm} Credential=<access key id>/<yyyymmdd>/<region>/<service>/aws4_request, SignedHeaders=<names>, Signature=<64 hex digits>`;
    throw incomplete(`the Authorization header must be: ${wanted}`);
  }
  const signedHeaders = headers.split(";");
  const { signedHeadersMax } = limits.aws;
  if (signedHeaders.length > signedHeadersMax) {
    throw incomplete(`${signedHeaders.length} headers are signed; must be <= ${signedHeadersMax}`);
  }
  const isOrdered = signedHeaders.every(
    (name, at) => name === name.toLowerCase() && name > (signedHeaders[at - 1] ?? ""),
  );
  if (!isOrdered) throw incomplete("SignedHeaders must be names in lower case, in their order, each once");
  return { accessKeyId, date, region, service, signedHeaders, signature };
}

/** The Authorization header is not what it has to be. */
export function incomplete(message: string): AwsError {
  return new AwsError("IncompleteSignatureException", message, { status: 403, queryCode: "IncompleteSignature" });
}

/** Compares signatures. Keys that were derived for a day, region and service are remembered once they have proved right. */
export class SignatureVerifier {
  readonly #keys = new BoundedMap<string, { readonly secret: string; readonly key: KeyObject }>(limits.aws.signingKeys);

  /** Was the request signed with this secret access key? Takes the same time wherever the signatures differ. */
  isSigned(signature: Signature, request: SignedRequest, secretAccessKey: string): boolean {
    const { accessKeyId, date, region, service } = signature;
    const scope = `${date}/${region}/${service}/aws4_request`;
    const known = this.#keys.get(`${accessKeyId}/${scope}`);
    const isKnown = known?.secret === secretAccessKey;
    const key = isKnown ? known.key : deriveKey(secretAccessKey, signature);
    const text = [algorithm, request.dateTime, scope, hashOf(canonicalRequest(signature, request))].join("\n");
    const expected = createHmac("sha256", key).update(text).digest();
    if (!timingSafeEqual(expected, Buffer.from(signature.signature, "hex"))) return false;
    if (!isKnown) this.#keys.set(`${accessKeyId}/${scope}`, { secret: secretAccessKey, key });
    return true;
  }
}

function canonicalRequest({ signedHeaders }: Signature, request: SignedRequest): string {
  const { method, rawPath, rawQuery, headers, bodyHash } = request;
  return [
    ...[method, canonicalPath(rawPath), canonicalQuery(rawQuery)],
    ...signedHeaders.map((name) => `${name}:${headers.get(name)}`),
    ...["", signedHeaders.join(";"), bodyHash],
  ].join("\n");
}

/** As a KeyObject: an HMAC with a Buffer makes one of it each time, 40 us where the HMAC itself takes 8. */
function deriveKey(secretAccessKey: string, { date, region, service }: Signature): KeyObject {
  const parts = [date, region, service, "aws4_request"];
  const start = Buffer.from(`AWS4${secretAccessKey}`);
  return createSecretKey(parts.reduce((key, part) => createHmac("sha256", key).update(part).digest(), start));
}

/** Node reads the bytes of addresses and headers as Latin-1: so they are hashed as they came. */
function hashOf(text: string): string {
  return hash("sha256", Buffer.from(text, "latin1"));
}
