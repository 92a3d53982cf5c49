import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { exportJWK, type JWTPayload, SignJWT } from "jose";
import { makeCertificate } from "../../src/lib/x509.ts";
import { aTarget } from "./outbound-target.ts";

/** A key of an identity provider: both halves. */
export interface IssuerKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** RSA of 2,048 bits takes a tenth of a second: tests of a file share theirs. */
export function aKey(alg = "ES256", kid = "key-1", bits = 2048): IssuerKey {
  const curves: Readonly<Record<string, string>> = { ES256: "P-256", ES384: "P-384", ES512: "P-521" };
  const namedCurve = curves[alg];
  if (namedCurve !== undefined) return { alg, kid, ...generateKeyPairSync("ec", { namedCurve }) };
  if (alg === "EdDSA") return { alg, kid, ...generateKeyPairSync("ed25519") };
  return { alg, kid, ...generateKeyPairSync("rsa", { modulusLength: bits }) };
}

/** A key as a JSON Web Key Set has it; `more` overrides what providers say of it. */
export async function toJwk({ kid, alg, publicKey }: IssuerKey, more: Record<string, unknown> = {}) {
  return { ...(await exportJWK(publicKey)), kid, alg, use: "sig", ...more };
}

/** What a token says, and how it is signed. */
export interface TokenOptions {
  readonly key?: IssuerKey;
  readonly header?: Record<string, unknown>;
}

/** Signs claims as they are. `undefined` leaves a claim out. */
function signToken(claims: Record<string, unknown>, key: IssuerKey, header: Record<string, unknown> = {}) {
  const { kid, alg, privateKey } = key;
  return new SignJWT(claims as JWTPayload).setProtectedHeader({ alg, kid, typ: "JWT", ...header }).sign(privateKey);
}

/** An identity provider on loopback: `/jwks`, `/certificates` (Firebase's form) and an OpenID document. Its keys and answers can be changed. */
export async function anIssuer(...keys: IssuerKey[]) {
  const own = keys.length === 0 ? [aKey()] : keys;
  const state = {
    keys: own,
    headers: {} as Record<string, string>,
    /** Overrides the answer to every request; 0 never answers. */
    status: 200,
    /** Overrides what the OpenID document says. */
    configuration: {} as Record<string, unknown>,
  };
  const target = await aTarget(async ({ path }, _request, response) => {
    if (state.status === 0) return;
    if (state.status !== 200) return void response.writeHead(state.status, { location: "/jwks" }).end();
    response.writeHead(200, { "content-type": "application/json", ...state.headers });
    response.end(JSON.stringify(await document(path)));
  });
  const issuer = target.url.slice(0, -1);

  async function document(path: string): Promise<unknown> {
    if (path === "/jwks") return { keys: await Promise.all(state.keys.map((key) => toJwk(key))) };
    if (path !== "/certificates") return { issuer, jwks_uri: `${issuer}/jwks`, ...state.configuration };
    return Object.fromEntries(await Promise.all(state.keys.map(async (key) => [key.kid, await aCertificate(key)])));
  }

  return {
    ...{ state, issuer, received: target.received },
    jwksUri: `${issuer}/jwks`,
    x509Uri: `${issuer}/certificates`,
    /** A good token of an hour, of the wall time `nowMs`, but for what is given. */
    token(
      claims: Record<string, unknown> = {},
      { key = own[0] as IssuerKey, header }: TokenOptions = {},
      nowMs = Date.now(),
    ) {
      const nowSeconds = Math.floor(nowMs / 1000);
      const good = { iss: issuer, aud: "app", sub: "alice", iat: nowSeconds, exp: nowSeconds + 3600 };
      return signToken({ ...good, ...claims }, key, header);
    },
    [Symbol.asyncDispose]: target[Symbol.asyncDispose],
  };
}

/** Signed by somebody else's key, as Google's are: nobody checks it, the map that names it counts. */
function aCertificate({ publicKey }: IssuerKey): Promise<string> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return makeCertificate({
    ...{ commonName: "securetoken.system.gserviceaccount.com", publicKey, issuerKey: privateKey },
    ...{ notBeforeMs: Date.now() - 1000, notAfterMs: Date.now() + 86_400_000, kind: { server: ["securetoken.test"] } },
  });
}
