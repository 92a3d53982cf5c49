import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";

/** The client that the tests' tokens are for. */
export const clientId = "task-notifications";

/** How a token differs from a good one. */
export interface TokenTraits {
  /** Undefined takes a claim away. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  /** Signs with this instead of the issuer's key. */
  readonly key?: CryptoKey | Uint8Array;
}

/** An OpenID Connect issuer on loopback: discovery, keys, and whatever tokens a test wants. */
export interface TestIssuer extends AsyncDisposable {
  readonly url: string;
  /** What its discovery says that it is. Default: `url`. */
  claimedIssuer: string;
  /** Answers everything with 500. */
  isBroken: boolean;
  /** How often its keys were fetched. */
  readonly keyFetches: number;
  readonly publicJwk: JWK;
  token(sub: string, traits?: TokenTraits): Promise<string>;
  /** From now on there is another key, with another id. */
  rotate(): Promise<void>;
}

export async function aTestIssuer(): Promise<TestIssuer> {
  let keyNumber = 1;
  let pair = await generateKeyPair("RS256");
  const state = {
    claimedIssuer: "",
    isBroken: false,
    keyFetches: 0,
    publicJwk: await exportJWK(pair.publicKey),
  };
  const server = createServer((request, response) => {
    const answers: Readonly<Record<string, () => unknown>> = {
      "/.well-known/openid-configuration": () => ({
        issuer: state.claimedIssuer,
        jwks_uri: `${url}/jwks`,
        token_endpoint: "https://tokens.example.com/token",
      }),
      "/jwks": () => {
        state.keyFetches++;
        return { keys: [{ ...state.publicJwk, kid: `key-${keyNumber}`, alg: "RS256", use: "sig" }] };
      },
    };
    const answer = answers[request.url ?? ""];
    response.statusCode = state.isBroken ? 500 : answer ? 200 : 404;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(answer?.() ?? {}));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  state.claimedIssuer = url;
  return Object.assign(state, {
    url,
    token(sub: string, { claims, header, key }: TokenTraits = {}): Promise<string> {
      const nowSeconds = Math.floor(Date.now() / 1000);
      const payload = { iss: url, aud: clientId, sub, iat: nowSeconds, exp: nowSeconds + 600, ...claims } as JWTPayload;
      return new SignJWT(payload)
        .setProtectedHeader({ alg: "RS256", kid: `key-${keyNumber}`, typ: "JWT", ...header })
        .sign(key ?? pair.privateKey);
    },
    async rotate() {
      keyNumber++;
      pair = await generateKeyPair("RS256");
      state.publicJwk = await exportJWK(pair.publicKey);
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  });
}
