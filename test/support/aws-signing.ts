import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";

/** What is signed. `headers` must have `host`. */
export interface UnsignedRequest {
  readonly method: string;
  /** Escaped, without a query. */
  readonly path: string;
  /** Not escaped. */
  readonly query?: Record<string, string | string[]>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Who signs it, and for what. */
export interface Signing {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly service: string;
  /** Default: us-east-1. */
  readonly region?: string;
  /** Default: now. */
  readonly date?: Date;
  /** Sends `x-amz-content-sha256` too, as the JavaScript SDK does. Default: false, as boto3. */
  readonly isHashed?: boolean;
}

/** The headers of the request as the signer of the JavaScript SDK makes them. */
export async function signedHeaders(
  request: UnsignedRequest,
  { accessKeyId, secretAccessKey, service, region = "us-east-1", date = new Date(), isHashed = false }: Signing,
): Promise<Record<string, string>> {
  const credentials = { accessKeyId, secretAccessKey };
  const signer = new SignatureV4({ service, region, credentials, sha256: Sha256, applyChecksum: isHashed });
  const { method, path, query = {}, headers, body } = request;
  const unsigned = { protocol: "http:", hostname: "localhost", method, path, query, headers: { ...headers }, body };
  return (await signer.sign(unsigned, { signingDate: date })).headers;
}

/** What the signer wants of a hash, with a key or without. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    if (secret === undefined) this.#hash = createHash("sha256");
    else if (typeof secret === "string") this.#hash = createHmac("sha256", secret);
    else if (secret instanceof ArrayBuffer) this.#hash = createHmac("sha256", new Uint8Array(secret));
    else this.#hash = createHmac("sha256", new Uint8Array(secret.buffer, secret.byteOffset, secret.byteLength));
  }

  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return new Uint8Array(this.#hash.digest());
  }

  reset(): void {
    throw new Error("a hash is made anew for each text");
  }
}
