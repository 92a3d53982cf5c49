import { hash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { toCaller } from "../../domain/auth/caller.ts";
import type { IsSigned } from "../../domain/auth/keys.ts";
import type { Caller, Principal } from "../../domain/auth/principal.ts";
import { TodokuError } from "../../domain/errors.ts";
import { type Address, isPresigned } from "./address.ts";
import type { AwsServiceName } from "./call.ts";
import type { SignedHeaders } from "./canonical.ts";
import { AwsError, toCommonAwsError } from "./errors.ts";
import type { AwsOptions } from "./options.ts";
import { incomplete, isSignature, parseSignature, type Signature, SignatureVerifier } from "./signature-v4.ts";
import { checkBodyHash, checkDate, refused, signedHeadersOf } from "./signed-headers.ts";

/** For requests that are not signed: what SDKs take where nothing is set. */
const defaultRegion = "us-east-1";

/** What of a request says who has signed it. */
export type SignedMessage = Pick<IncomingMessage, "method" | "headers" | "rawHeaders"> & {
  readonly socket: Pick<IncomingMessage["socket"], "remoteAddress">;
};

type AuthenticationOptions = Pick<AwsOptions, "proxies" | "settings"> & {
  readonly auth: Pick<AwsOptions["auth"], "authenticate" | "authenticateSigned">;
  readonly clock: Pick<AwsOptions["clock"], "wallMs">;
};

/** Who calls, and for which region. */
export interface Signer {
  readonly principal: Principal;
  readonly region: string;
}

/** Finds out who has signed a request. */
export class AwsAuthentication {
  readonly #options: AuthenticationOptions;
  readonly #verifier = new SignatureVerifier();

  constructor(options: AuthenticationOptions) {
    this.#options = options;
  }

  /**
   * @param service which the request is for: a signature for another one is refused.
   * @throws AwsError in the words of AWS; TodokuError `limit_exceeded`.
   */
  async authenticate(
    request: SignedMessage,
    address: Address,
    body: Uint8Array,
    service: AwsServiceName,
  ): Promise<Signer> {
    const { auth, proxies } = this.#options;
    refuseOtherForms(request, address);
    const caller = toCaller(request.socket.remoteAddress, request.headers, proxies);
    const { authorization } = request.headers;
    if (authorization === undefined) return { principal: await this.#unsigned(caller), region: defaultRegion };
    const signature = parseSignature(authorization);
    const { accessKeyId, region } = signature;
    if (signature.service !== service) {
      throw refused(`the request is signed for the service ${signature.service}; must be ${service}`);
    }
    const isSigned = this.#checkOf(request, address, body, signature);
    try {
      return { principal: await auth.authenticateSigned(accessKeyId, caller, isSigned), region };
    } catch (error) {
      throw inWordsOfAws(error);
    }
  }

  async #unsigned(caller: Caller): Promise<Principal> {
    try {
      return await this.#options.auth.authenticate("", caller);
    } catch (error) {
      if (!(error instanceof TodokuError) || error.code !== "unauthenticated") throw error;
      const options = { status: 403, queryCode: "MissingAuthenticationToken" };
      const text = "the request is not signed: it needs an access key (todoku key create --access-key)";
      throw new AwsError("MissingAuthenticationTokenException", text, options);
    }
  }

  /** What tells whether a secret has signed; it throws an AwsError when nobody could have signed this as it has to be. */
  #checkOf(request: SignedMessage, address: Address, body: Uint8Array, signature: Signature): IsSigned {
    const { clock, settings } = this.#options;
    let bodyHash: string | undefined;
    return (secretAccessKey) => {
      const headers = signedHeadersOf(request.rawHeaders, signature.signedHeaders);
      const dateTime = headers.get("x-amz-date") ?? "";
      checkDate(dateTime, signature.date, clock.wallMs(), settings.clockSkewSeconds);
      bodyHash ??= hash("sha256", body);
      checkBodyHash(request.headers["x-amz-content-sha256"]?.toString(), bodyHash);
      const { method = "" } = request;
      const { rawPath, rawQuery } = address;
      const signed = { method, rawPath, rawQuery, dateTime, bodyHash };
      const isSignedFor = (hosted: SignedHeaders) =>
        this.#verifier.isSigned(signature, { ...signed, headers: hosted }, secretAccessKey);
      return (
        isSignedFor(headers) ||
        settings.acceptedHosts.some((host) => isSignedFor(new Map([...headers, ["host", host]])))
      );
    };
  }
}

/** What is a credential elsewhere, or at AWS, but not here. @throws AwsError that names it. */
function refuseOtherForms({ headers }: SignedMessage, address: Address): void {
  if (isPresigned(address)) throw refused("presigned addresses are not taken: sign with the Authorization header");
  if (headers["x-amz-security-token"] !== undefined) {
    const text = "session tokens (X-Amz-Security-Token) are not taken: use an access key of todoku key create";
    throw new AwsError("UnrecognizedClientException", text, { status: 403, queryCode: "InvalidClientTokenId" });
  }
  try {
    decodeURIComponent(address.rawQuery);
  } catch {
    throw incomplete("the query of the address has escapes that are none");
  }
  const { authorization } = headers;
  if (authorization === undefined || isSignature(authorization)) return;
  throw incomplete("the Authorization header must be a signature, AWS4-HMAC-SHA256; tokens are for /v1");
}

function inWordsOfAws(error: unknown): unknown {
  if (!(error instanceof TodokuError) || error.code !== "unauthenticated") return error;
  return error.subject === "signature" ? refused(error.message) : toCommonAwsError(error);
}
