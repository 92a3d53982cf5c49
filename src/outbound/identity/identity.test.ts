// Sign-in with tokens of identity providers. (B1) to (B9) are the defects of the article's authorizer, by number.
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { SignJWT } from "jose";
import { afterAll, describe, expect, it } from "vitest";
import { TestMachine } from "../../../test/support/clock.ts";
import { aKey, anIssuer, type IssuerKey, toJwk } from "../../../test/support/issuer.ts";
import { aTarget } from "../../../test/support/outbound-target.ts";
import type { SignedInUser } from "../../domain/auth/identity.ts";
import type { TodokuError } from "../../domain/errors.ts";
import { createGuardedClient } from "../../lib/guarded-client/guarded-client.ts";
import type { Log } from "../../lib/log.ts";
import type { AuthorizerSettings } from "./authorizer.ts";
import { createIdentity } from "./identity.ts";

const rsa = aKey("RS256", "rsa-1");
const ec = aKey("ES256", "ec-1");
const issuer = await anIssuer(rsa, ec);
const client = createGuardedClient({ allowed: ["127.0.0.1"], permitsLoopback: false });
afterAll(async () => {
  await client.close();
  await issuer[Symbol.asyncDispose]();
});

const hourMs = 3_600_000;

/** A server's part that lets users in, at a time of its own; its log is kept. */
function aDoor(...authorizers: Partial<AuthorizerSettings>[]) {
  const machine = new TestMachine(Date.now());
  const lines: Record<string, unknown>[] = [];
  const write = (level: string) => (fields: Record<string, unknown>, message: string) =>
    void lines.push({ level, message, ...fields });
  const log: Log = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  const defaults: AuthorizerSettings = {
    ...{ issuer: issuer.issuer, jwksUri: issuer.jwksUri, environment: "prod", audiences: ["app"] },
    ...{ algorithms: ["RS256", "ES256"], leewayMs: 10_000 },
  };
  const all = (authorizers.length === 0 ? [{}] : authorizers).map((one) => ({ ...defaults, ...one }));
  const identity = createIdentity({ authorizers: all, client, outside: client, clock: machine, log });
  const enter = async (token: string): Promise<SignedInUser | undefined> => identity.verify(token);
  const refusalOf = (token: string) =>
    enter(token).then(
      (user) => `let in as ${user?.userId}`,
      (error: TodokuError) => `${error.code}: ${error.message}`,
    );
  const token = (claims: Record<string, unknown> = {}, options: Parameters<typeof issuer.token>[1] = { key: ec }) =>
    issuer.token(claims, options, machine.wallMs());
  return { machine, lines, identity, enter, refusalOf, token };
}

describe("a token of an identity provider", () => {
  it("lets its user in, where and with what the operator says, and remembers nothing of it in the log", async () => {
    const { enter, token, machine, lines } = aDoor();
    const issuedAtMs = Math.floor(machine.wallMs() / 1000) * 1000;
    for (const key of [rsa, ec]) {
      expect(await enter(await token({ sub: "alice", jti: "t1" }, { key }))).toEqual({
        ...{ environment: "prod", userId: "alice", jti: "t1", leewayMs: 10_000, issuedAtMs },
        expiresAtMs: issuedAtMs + hourMs + 10_000,
        grants: [
          { resource: "topic", role: "subscribe", cache: { name: "notifications" }, topic: { name: "alice" } },
          { resource: "route", role: "invoke", route: { name: "publish" } },
          { resource: "route", role: "invoke", route: { name: "send" } },
        ],
      });
    }
    expect(lines).toEqual([]);
  });

  it("that is none of theirs goes on to whoever knows it", () => {
    const { identity } = aDoor();
    const payload = Buffer.from('{"iss":"todoku"}').toString("base64url");
    const ours = `${Buffer.from('{"alg":"HS256"}').toString("base64url")}.${payload}.c2ln`;
    for (const text of ["", "tdk_dev-0123_x", "a.b.c", `${ours}.x`, ours, ` ${ours}`]) {
      expect(identity.verify(text), text).toBeUndefined();
    }
  });

  it("is refused without a word of it in the answer or the log, each reason counted in a line (B9)", async () => {
    const { refusalOf, token, lines } = aDoor();
    const bad = await token({ aud: "another-application", email: "alice@example.test" });
    for (let i = 0; i < 2; i++) {
      expect(await refusalOf(bad)).toBe(
        'unauthenticated: this token is for another audience (claim "aud"): it is not for this server',
      );
    }
    expect(lines).toEqual(
      [1, 2].map((count) => ({
        ...{ level: "debug", area: "auth", issuer: issuer.issuer, reason: "audience", count },
        message: expect.stringContaining("a sign-in was refused: this token is for another audience"),
      })),
    );
    for (const part of [...bad.split("."), "alice", "another-application"]) {
      expect(JSON.stringify(lines).includes(part), "the log").toBe(false);
    }
  });
});

describe("a changed token", () => {
  it("lets nobody in: another character anywhere, one more, one less, or parts of two tokens", async () => {
    const { enter, token } = aDoor();
    const good = await token({ sub: "alice" });
    const other = await token({ sub: "bob" });
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.= \u0000\ud800";
    const at = fc.nat(good.length - 1);
    const changed = fc.oneof(
      fc.tuple(at, fc.constantFrom(...alphabet)).map(([i, one]) => good.slice(0, i) + one + good.slice(i + 1)),
      fc.tuple(at, fc.constantFrom(...alphabet)).map(([i, one]) => good.slice(0, i) + one + good.slice(i)),
      at.map((i) => good.slice(0, i) + good.slice(i + 1)),
      fc.nat(2).map((i) =>
        good
          .split(".")
          .with(i, other.split(".")[i] as string)
          .join("."),
      ),
    );
    // The last character of a signature has bits that stand for nothing: it is then the same token.
    const last = good.length - 1;
    await fc.assert(
      fc.asyncProperty(changed, async (text) => {
        fc.pre(text.slice(0, last) !== good.slice(0, last));
        const answer = await enter(text).catch((error: TodokuError) => error);
        if (answer !== undefined) expect(answer).toMatchObject({ name: "TodokuError", code: "unauthenticated" });
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the audience", () => {
  it.each<[why: string, audiences: string[], claims: Record<string, unknown>, isIn: boolean]>([
    ["one of several that are allowed", ["web", "app"], { aud: "app" }, true],
    ["as a list (B4)", ["app"], { aud: ["other", "app"] }, true],
    ["as a list without ours", ["app"], { aud: ["other", "third"] }, false],
    ["anybody's, where the operator allows all (B3)", [], { aud: "whatever" }, true],
    ["nobody's, where the operator allows all (B3)", [], { aud: undefined }, true],
    ["another one", ["app"], { aud: "app2" }, false],
    ["missing", ["app"], { aud: undefined }, false],
    ["empty", ["app"], { aud: "" }, false],
    ["an empty list", ["app"], { aud: [] }, false],
    ["in client_id, as Cognito's access tokens have it", ["app"], { aud: undefined, client_id: "app" }, true],
    ["another one beside a client_id of ours", ["app"], { aud: "api", client_id: "app" }, false],
    ["no text", ["app"], { aud: { app: true } }, false],
  ])("%s", async (_, audiences, claims, isIn) => {
    const { enter, refusalOf, token } = aDoor({ audiences });
    const signed = await token(claims);
    if (isIn) expect(await enter(signed)).toMatchObject({ userId: "alice" });
    else expect(await refusalOf(signed)).toMatch(/^unauthenticated: this token .*\(claim "aud"\)/);
  });
});

describe("the issuer", () => {
  it("of another project that shares the same keys lets nobody in, though the audience is right (B5)", async () => {
    const { refusalOf, token } = aDoor();
    for (const iss of [`${issuer.issuer}/`, "https://securetoken.google.com/another", issuer.issuer.toUpperCase()]) {
      expect(await refusalOf(await token({ iss })), iss).toMatch(/^unauthenticated: .*\(claim "iss"\)/);
    }
    for (const iss of [undefined, 1, [issuer.issuer]]) {
      expect(await refusalOf(await token({ iss }))).toMatch(/^unauthenticated: .*\(claim "iss"\)/);
    }
  });

  it("may be there twice, for two environments: the audience tells them apart", async () => {
    const { enter, refusalOf, token } = aDoor(
      { environment: "one", audiences: ["a"] },
      { environment: "two", audiences: ["b"] },
    );
    expect(await enter(await token({ aud: "a" }))).toMatchObject({ environment: "one" });
    expect(await enter(await token({ aud: ["x", "b"] }))).toMatchObject({ environment: "two" });
    expect(await refusalOf(await token({ aud: "c" }))).toContain('(claim "aud")');
  });
});

describe("times", () => {
  const soon = (ms: number) => Math.floor(Date.now() / 1000) + ms / 1000;
  it.each<[why: string, claims: Record<string, unknown>, sentence: string | undefined]>([
    ["no exp (B6)", { exp: undefined }, 'no expiry (claim "exp")'],
    ["exp that is no number", { exp: "tomorrow" }, '"exp" is no number of seconds'],
    ["expired", { exp: soon(-60_000) }, 'has expired (claim "exp")'],
    ["expired within the leeway", { exp: soon(-5000) }, undefined],
    ["not yet (B6)", { nbf: soon(60_000) }, 'may not be used yet (claim "nbf")'],
    ["not yet, within the leeway", { nbf: soon(5000) }, undefined],
    ["from the future (B6)", { iat: soon(60_000) }, 'in the future (claim "iat")'],
    ["from the future within the leeway", { iat: soon(5000) }, undefined],
    ["no iat", { iat: undefined }, 'no time of issue (claim "iat")'],
    [
      "older than any revocation that is remembered",
      { iat: soon(-26 * hourMs), exp: soon(hourMs) },
      "more than 25 hours",
    ],
    ["negative", { iat: -1 }, '"iat" is no number of seconds'],
    ["fractions of seconds", { exp: soon(60_500) }, undefined],
  ])("%s", async (_, claims, sentence) => {
    const { enter, refusalOf, token } = aDoor();
    const signed = await token(claims);
    if (sentence === undefined) expect(await enter(signed)).toMatchObject({ userId: "alice" });
    else expect(await refusalOf(signed)).toMatch(/^unauthenticated: /);
    if (sentence !== undefined) expect(await refusalOf(signed)).toContain(sentence);
  });

  it("end a token after 25 hours, whatever it says: no revocation is remembered for longer", async () => {
    const { enter, token } = aDoor();
    const user = await enter(await token({ exp: soon(1000 * hourMs) }));
    expect(user?.expiresAtMs).toBe((user?.issuedAtMs ?? 0) + 25 * hourMs);
  });
});

describe("the user", () => {
  it.each<[unknown, string]>([
    [undefined, "does not say whose it is"],
    ["", "does not say whose it is"],
    [7, "does not say whose it is"],
    ["x".repeat(129), "has 129 characters; must be <= 128"],
    ["\ud800", "not well-formed"],
    ["alice\u001b[2J", "must not have control characters"],
  ])("%j is refused: %s", async (sub, sentence) => {
    const { refusalOf, token } = aDoor();
    const answer = await refusalOf(await token({ sub }));
    expect(answer).toMatch(/^unauthenticated: .*"sub"/);
    expect(answer).toContain(sentence);
  });

  it("has what the operator's templates make of the claims, and is refused when that is too much", async () => {
    const grants = { subscribe: ["rooms/{claims.rooms}"], publish: [], routes: [], watch: [] };
    const { enter, refusalOf, token } = aDoor({ grants });
    expect(await enter(await token({ rooms: ["a"] }))).toMatchObject({
      grants: [{ resource: "topic", role: "subscribe", cache: { name: "rooms" }, topic: { name: "a" } }],
    });
    const rooms = Array.from({ length: 257 }, (_, i) => `r${i}`);
    expect(await refusalOf(await token({ rooms }))).toContain("more than 256 permissions");
  });
});

describe("the algorithm", () => {
  const part = (document: object) => Buffer.from(JSON.stringify(document)).toString("base64url");
  const claims = () => {
    const iat = Math.floor(Date.now() / 1000);
    return { iss: issuer.issuer, aud: "app", sub: "mallory", iat, exp: iat + 3600 };
  };

  it("none is none, however it is written (B7)", async () => {
    const { refusalOf } = aDoor();
    for (const alg of ["none", "None", "NONE", undefined, 7]) {
      for (const signature of ["", "AA"]) {
        expect(await refusalOf(`${part({ alg, kid: ec.kid })}.${part(claims())}.${signature}`)).toContain(
          '(header "alg")',
        );
      }
    }
  });

  it("HS256 with the public key as its secret opens nothing, though the operator should allow it (B7)", async () => {
    const secret = rsa.publicKey.export({ type: "spki", format: "pem" }).toString();
    for (const algorithms of [["RS256"], ["RS256", "HS256"]]) {
      const { refusalOf } = aDoor({ algorithms });
      const head = part({ alg: "HS256", kid: rsa.kid });
      const signed = `${head}.${part(claims())}`;
      const signature = createHmac("sha256", secret).update(signed).digest("base64url");
      expect(await refusalOf(`${signed}.${signature}`)).toMatch(/^unauthenticated: /);
    }
  });

  it("that is not allowed is refused, with those that are (B7)", async () => {
    const { refusalOf, token } = aDoor({ algorithms: ["ES256"] });
    expect(await refusalOf(await token({}, { key: rsa }))).toContain(
      '(header "alg") that is not allowed; it must be ES256',
    );
  });

  it("that does not fit the key is refused, also when both are allowed", async () => {
    const { refusalOf, token } = aDoor();
    expect(await refusalOf(await token({}, { key: { ...rsa, kid: ec.kid } }))).toContain('is not one for "RS256"');
    expect(await refusalOf(await token({}, { key: { ...ec, kid: rsa.kid } }))).toContain('is not one for "ES256"');
  });

  it.each(["RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512", "EdDSA"])(
    "%s works where it is allowed",
    async (alg) => {
      const key: IssuerKey = /^[RP]S/.test(alg) ? { ...rsa, alg, kid: "k" } : aKey(alg, "k");
      await using other = await anIssuer(key);
      const { enter } = aDoor({ issuer: other.issuer, jwksUri: other.jwksUri, algorithms: [alg] });
      expect(await enter(await other.token())).toMatchObject({ userId: "alice" });
    },
  );

  it("and the key say nothing of a token that somebody else has signed, or changed", async () => {
    const { refusalOf, token } = aDoor();
    const stranger = aKey("ES256", ec.kid);
    expect(await refusalOf(await token({}, { key: stranger }))).toBe(
      "unauthenticated: this token's signature is not right",
    );
    const [head = "", , signature = ""] = (await token()).split(".");
    expect(await refusalOf(`${head}.${part({ ...claims(), sub: "admin" })}.${signature}`)).toContain("signature");
    expect(await refusalOf(`${head}.${part(claims())}.`)).toContain("signature");
  });

  it("is not all of the head: logout tokens, and what we do not know, let nobody in", async () => {
    const { enter, refusalOf, token } = aDoor();
    for (const typ of ["at+jwt", "application/at+jwt", "jwt"]) {
      expect(await enter(await token({}, { key: ec, header: { typ } }))).toMatchObject({ userId: "alice" });
    }
    for (const typ of ["logout+jwt", "dpop+jwt", "secevent+jwt"]) {
      expect(await refusalOf(await token({}, { key: ec, header: { typ } }))).toContain('(header "typ")');
    }
    const { iss, aud, sub, iat, exp } = claims();
    const critical = await new SignJWT({ iss, aud, sub, iat, exp })
      .setProtectedHeader({ alg: "ES256", kid: ec.kid, crit: ["x-rule"], "x-rule": 1 })
      .sign(ec.privateKey, { crit: { "x-rule": true } });
    expect(await refusalOf(critical)).toContain('(header "crit")');
  });
});

describe("keys", () => {
  it("are found in Firebase's form, whatever the address is called", async () => {
    const door = aDoor({ jwksUri: undefined, x509Uri: issuer.x509Uri });
    expect(await door.enter(await door.token({}, { key: rsa }))).toMatchObject({ userId: "alice" });
    const misnamed = aDoor({ jwksUri: issuer.x509Uri });
    expect(await misnamed.enter(await misnamed.token({}, { key: rsa }))).toMatchObject({ userId: "alice" });
  });

  it("are found by the issuer's OpenID document", async () => {
    const { enter, token } = aDoor({ jwksUri: undefined });
    expect(await enter(await token())).toMatchObject({ userId: "alice" });
  });

  it.each<
    [
      why: string,
      documentOf: (key: IssuerKey) => Promise<object>,
      options: Parameters<typeof issuer.token>[1],
      isIn: boolean,
    ]
  >([
    ["without alg, as Azure has them (B7)", (key) => toJwk(key, { alg: undefined }), {}, true],
    ["without use", (key) => toJwk(key, { use: undefined }), {}, true],
    [
      "without kid, for tokens without kid",
      (key) => toJwk(key, { kid: undefined }),
      { header: { kid: undefined } },
      true,
    ],
    ["that are one alone, for tokens without kid (B6)", (key) => toJwk(key), { header: { kid: undefined } }, true],
    ["for encryption", (key) => toJwk(key, { use: "enc" }), {}, false],
    ["for wrapping", (key) => toJwk(key, { key_ops: ["wrapKey"] }), {}, false],
    ["for another algorithm", (key) => toJwk(key, { alg: "ES384" }), {}, false],
  ])("%s: %#", async (_, documentOf, options, isIn) => {
    const document = JSON.stringify({
      keys: [await documentOf(ec), { kty: "oct", k: "c2VjcmV0", kid: "s" }, await toJwk(aKey("RS256", "r"))],
    });
    await using keys = await aTarget((_received, _request, response) => void response.end(document));
    const { enter, refusalOf, token } = aDoor({ jwksUri: keys.url });
    const signed = await token({}, { key: ec, ...options });
    if (isIn) expect(await enter(signed)).toMatchObject({ userId: "alice" });
    else expect(await refusalOf(signed)).toMatch(/^unauthenticated: the key that this token was signed with is not/);
  });

  it("that change under the same name, or have none, lock nobody out, and a wrong signature asks for them each 30 seconds at most", async () => {
    for (const kid of [undefined, "k"]) {
      const [before, after] = [aKey("ES256", "k"), aKey("ES256", "k")];
      let now = before;
      await using keys = await aTarget(async (_received, _request, response) => {
        response.setHeader("cache-control", "max-age=86400");
        response.end(JSON.stringify({ keys: [await toJwk(now, { kid })] }));
      });
      const { machine, enter, refusalOf, token } = aDoor({ jwksUri: keys.url });
      const signed = (key: IssuerKey) => token({}, { key, header: { kid } });
      expect(await enter(await signed(before))).toMatchObject({ userId: "alice" });
      now = after;
      expect(await refusalOf(await signed(after))).toContain("signature is not right");
      expect(keys.received).toHaveLength(1);
      machine.pass(30_000);
      expect(await enter(await signed(after))).toMatchObject({ userId: "alice" });
      for (let n = 0; n < 10; n++) expect(await refusalOf(await signed(before))).toContain("signature is not right");
      expect(keys.received).toHaveLength(2);
    }
  });

  it("of RSA with less than 2,048 bits are not used, nor several without a name", async () => {
    const short = aKey("RS256", "short", 1024);
    const keys = JSON.stringify({
      keys: [await toJwk(short), await toJwk(ec), await toJwk({ ...aKey("ES256"), kid: "other" })],
    });
    await using target = await aTarget((_received, _request, response) => void response.end(keys));
    const { refusalOf, token } = aDoor({ jwksUri: target.url });
    const head = { alg: "RS256", kid: "short" };
    const unsigned = [head, { iss: issuer.issuer }].map((one) =>
      Buffer.from(JSON.stringify(one)).toString("base64url"),
    );
    expect(await refusalOf(`${unsigned.join(".")}.AAAA`)).toContain("has 1024 bits where RSA needs >= 2048");
    expect(await refusalOf(await token({}, { key: ec, header: { kid: undefined } }))).toContain(
      'name one key (header "kid")',
    );
    expect(await refusalOf(await token({}, { key: ec, header: { kid: 7 } }))).toContain('(header "kid")');
  });
});
