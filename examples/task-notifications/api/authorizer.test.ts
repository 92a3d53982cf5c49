import { generateKeyPair, UnsecuredJWT } from "jose";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { aTestIssuer, clientId, type TestIssuer, type TokenTraits } from "../testing/issuer.ts";
import { silentLog } from "../testing/log.ts";
import { Authorizer } from "./authorizer.ts";
import { Issuer } from "./issuer.ts";

let issuer: TestIssuer;
let authorizer: Authorizer;

beforeEach(async () => {
  issuer = await aTestIssuer();
  authorizer = new Authorizer(new Issuer(issuer.url), clientId, silentLog);
});
afterEach(() => issuer[Symbol.asyncDispose]());

const authorize = async (sub: string, traits?: TokenTraits) =>
  authorizer.authorize(`Bearer ${await issuer.token(sub, traits)}`);
const nowSeconds = () => Math.floor(Date.now() / 1000);
const unauthorized = { status: 401, message: "Unauthorized" };

describe("the authorizer", () => {
  it("takes an ID token of its issuer for its client, and asks for the keys once", async () => {
    expect(await authorize("alice")).toEqual({ sub: "alice" });
    expect(await authorize("bob", { claims: { aud: ["other", clientId], azp: clientId } })).toEqual({ sub: "bob" });
    expect(await authorize("auth0|5f7c")).toEqual({ sub: "auth0|5f7c" });
    expect(issuer.keyFetches).toBe(1);
  });

  it.each<[string, TokenTraits]>([
    ["of another issuer", { claims: { iss: "https://evil.example.com" } }],
    ["of an issuer that differs in a slash only", { claims: { iss: "SLASH" } }],
    ["for another audience", { claims: { aud: "somebody-else" } }],
    ["without an audience, as an access token of Cognito", { claims: { aud: undefined, client_id: clientId } }],
    ["that was made for another client", { claims: { aud: [clientId, "other"], azp: "other" } }],
    ["without an expiry", { claims: { exp: undefined } }],
    ["without a subject", { claims: { sub: undefined } }],
    ["whose subject is no text", { claims: { sub: 7 } }],
    ["whose subject is empty", { claims: { sub: "" } }],
    ["whose subject no topic can have as its name", { claims: { sub: "x".repeat(256) } }],
    ["that is not valid yet", { claims: { nbf: nowSeconds() + 3600 } }],
    ["that is an access token", { header: { typ: "at+jwt" } }],
    ["that is a logout token", { header: { typ: "logout+jwt" } }],
    ["of an unknown key", { header: { kid: "no-such-key" } }],
  ])("refuses a token %s", async (_, { claims, header }) => {
    const { iss, ...others } = claims ?? {};
    const changed = iss === undefined ? others : { ...others, iss: iss === "SLASH" ? `${issuer.url}/` : iss };
    await expect(authorize("alice", { claims: changed, ...(header ? { header } : {}) })).rejects.toMatchObject({
      ...unauthorized,
      headers: { "www-authenticate": expect.stringContaining(`error="invalid_token"`) },
    });
  });

  it("refuses what was signed by somebody else under the issuer's key id", async () => {
    const { privateKey } = await generateKeyPair("RS256");
    await expect(authorize("alice", { key: privateKey })).rejects.toMatchObject(unauthorized);
  });

  it("refuses a token without a signature, and HS256 with the public key as the secret", async () => {
    const unsigned = new UnsecuredJWT({ sub: "alice" })
      .setIssuer(issuer.url)
      .setAudience(clientId)
      .setExpirationTime("1h")
      .encode();
    await expect(authorizer.authorize(`Bearer ${unsigned}`)).rejects.toMatchObject(unauthorized);
    for (const secret of [JSON.stringify(issuer.publicJwk), String(issuer.publicJwk.n)]) {
      const key = new TextEncoder().encode(secret);
      await expect(authorize("alice", { header: { alg: "HS256" }, key })).rejects.toMatchObject(unauthorized);
    }
  });

  it("says that a token has expired, five seconds after it did", async () => {
    expect(await authorize("alice", { claims: { exp: nowSeconds() - 2 } })).toEqual({ sub: "alice" });
    await expect(authorize("alice", { claims: { exp: nowSeconds() - 7 } })).rejects.toMatchObject({
      status: 401,
      message: "The incoming token has expired",
    });
  });

  it.each(["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "Bearer not.a.jwt", "bearer x"])(
    "refuses the header %j",
    async (header) => {
      await expect(authorizer.authorize(header)).rejects.toMatchObject(unauthorized);
      await expect(authorizer.authorize(undefined)).rejects.toMatchObject(unauthorized);
    },
  );

  it("says 503 while the issuer cannot be reached, and works as soon as it can", async () => {
    const token = await issuer.token("alice");
    issuer.isBroken = true;
    await expect(authorizer.authorize(`Bearer ${token}`)).rejects.toMatchObject({ status: 503 });
    issuer.isBroken = false;
    expect(await authorizer.authorize(`Bearer ${token}`)).toEqual({ sub: "alice" });
  });

  it("says 503 when the keys alone cannot be fetched", async () => {
    const discovering = new Issuer(issuer.url);
    await discovering.discover();
    issuer.isBroken = true;
    const later = new Authorizer(discovering, clientId, silentLog);
    await expect(later.authorize(`Bearer ${await issuer.token("alice")}`)).rejects.toMatchObject({ status: 503 });
  });

  it("believes no issuer that says it is another one", async () => {
    issuer.claimedIssuer = "https://evil.example.com";
    await expect(authorize("alice")).rejects.toMatchObject({ status: 503 });
  });
});
