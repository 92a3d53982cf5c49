// What an attacker may try with credentials. docs/design/security.md names these tests.
import fc from "fast-check";
import { decodeProtectedHeader, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AccessStore, anAccessStore, elsewhere } from "../../../test/support/access.ts";
import type { Access } from "./access.ts";
import { toV2, unwrapCredential } from "./credential.ts";
import type { TokenGrant } from "./grants.ts";
import { openPrincipal } from "./open-access.ts";
import { sealedName } from "./signing-keys.ts";

const grants: TokenGrant[] = [{ resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { name: "t" } }];
const prod = { ...openPrincipal, environment: "prod" };

let nowMs = 1_800_000_000_500;
let store: AccessStore;
let access: Access;
let token: string;
/** The signing key of `dev`, as nobody outside can know it. */
let signing: { kid: string; secret: Uint8Array };
beforeAll(async () => {
  store = await anAccessStore(() => nowMs);
  access = await store.node();
  token = (await issue()).token;
  signing = await access.signingKeys.current("dev");
});
afterAll(() => store[Symbol.asyncDispose]());

const issue = (principal = openPrincipal, validForMs = 60_000) =>
  access.tokens.issue(principal, { grants, tokenId: "", validForMs });
const use = async (credential: string) => access.auth.authenticate(credential, elsewhere);
const refused = { code: "unauthenticated" };
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");

/** A token as we write it, but for what is given. */
function sign(claims: object = {}, header: object = {}, secret: Uint8Array = signing.secret): Promise<string> {
  const seconds = Math.floor(nowMs / 1000);
  const times = { iat: seconds, exp: seconds + 60 };
  return new SignJWT({ iss: "todoku", environment: "dev", grants, tokenId: "", jti: "j", ver: 0, ...times, ...claims })
    .setProtectedHeader({ alg: "HS256", kid: signing.kid, ...header })
    .sign(secret);
}

describe("a token", () => {
  it("as we write it is accepted: the attacks below differ from it in one thing each", async () => {
    expect(await use(await sign())).toMatchObject({ environment: "dev" });
  });

  it("forged in any byte is refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom(..."Ab0-_."), async (at, letter) => {
        const forged = token.slice(0, at) + letter + token.slice(at + 1);
        // The last letter of a part carries spare bits; a change of those alone is the same bytes.
        const isSameBytes = forged
          .split(".")
          .every((part, i) =>
            Buffer.from(part, "base64url").equals(Buffer.from(token.split(".")[i] ?? "", "base64url")),
          );
        if (forged === token || (isSameBytes && forged.split(".").length === 3)) return;
        await expect(access.tokens.verify(forged)).rejects.toMatchObject(refused);
      }),
    );
  });

  it("in another spelling, with white space or padding, is refused", async () => {
    for (const other of [`${token}=`, `${token} `, `${token.slice(0, -5)} ${token.slice(-5)}`, `${token}.`]) {
      await expect(use(other)).rejects.toMatchObject(refused);
    }
  });

  it("of confused algorithm none, without a signature or with one, is refused", async () => {
    const [, body, signature] = token.split(".");
    const none = encode({ alg: "none", kid: signing.kid });
    for (const forged of [`${none}.${body}.`, `${none}.${body}.${signature}`, `${none}.${body}`]) {
      await expect(use(forged)).rejects.toMatchObject(refused);
    }
  });

  it("of confused algorithm RS256 with our key's bytes as its key is refused", async () => {
    const [, body, signature] = (await sign()).split(".");
    await expect(use(`${encode({ alg: "RS256", kid: signing.kid })}.${body}.${signature}`)).rejects.toMatchObject(
      refused,
    );
  });

  it("of confused algorithm HS512 with our own key is refused", async () => {
    await expect(use(await sign({}, { alg: "HS512" }))).rejects.toMatchObject(refused);
  });

  it("signed with an empty key, or with a key's id for its secret, is refused", async () => {
    await expect(use(await sign({}, {}, Buffer.from(signing.kid)))).rejects.toMatchObject(refused);
    await expect(use(await sign({}, {}, new Uint8Array(32)))).rejects.toMatchObject(refused);
  });

  it("of a wrong environment, signed with the key of its own, is refused", async () => {
    await issue(prod);
    await expect(use(await sign({ environment: "prod" }))).rejects.toMatchObject(refused);
  });

  it("with the kid of another environment is refused", async () => {
    const { kid } = decodeProtectedHeader((await issue(prod)).token);
    await expect(use(await sign({}, { kid }))).rejects.toMatchObject(refused);
  });

  it("of a wrong issuer, or of none, is refused", async () => {
    for (const iss of ["momento", "Todoku", undefined]) {
      await expect(use(await sign({ iss }))).rejects.toMatchObject(refused);
    }
  });

  it("that lacks a claim, or has one of another type, is refused", async () => {
    for (const claims of [
      { exp: undefined },
      { iat: undefined },
      { jti: undefined },
      { grants: "all" },
      { ver: "0" },
    ]) {
      await expect(use(await sign(claims))).rejects.toMatchObject(refused);
    }
  });

  it("that claims to be a super user or an operator is none", async () => {
    const principal = await use(await sign({ isSuperUser: true, isOperator: true, superUser: true }));
    expect([principal.isSuperUser, principal.isOperator]).toEqual([false, false]);
  });

  it("that expired is refused from that millisecond on, fresh or remembered", async () => {
    const { token: short, expiresAtMs } = await issue(openPrincipal, 1000);
    await use(short);
    const startMs = nowMs;
    nowMs = expiresAtMs - 1;
    await expect(use(short)).resolves.toBeDefined();
    await expect(access.tokens.verify(short)).resolves.toBeDefined();
    nowMs = expiresAtMs;
    await expect(use(short)).rejects.toThrow("this token has expired");
    await expect(access.tokens.verify(short)).rejects.toThrow("this token has expired");
    nowMs = startMs;
  });

  it("cannot be signed by whoever reads the store: its key is sealed, for this environment only", async () => {
    await issue(prod);
    for (const { name, environment, document } of await store.records.list("signing-key")) {
      const { secret } = await access.signingKeys.current(environment);
      const text = JSON.stringify(document);
      expect([text.includes(Buffer.from(secret).toString("base64url")), text.includes("secret")]).toEqual([
        false,
        false,
      ]);
      expect(sealedName(name)).toBe(`signing-key/${name}`);
    }
    // The text of `prod` put in place of that of `dev` opens nothing.
    const [sealed] = await store.records.list("signing-key", "prod");
    const [own] = await store.records.list("signing-key", "dev");
    if (!sealed || !own) throw new Error("a signing key is missing");
    await store.records.replace(own, { ...own.document, sealed: sealed.document.sealed }, own.version);
    const other = await store.node();
    await expect(other.tokens.verify(token)).rejects.toMatchObject({ code: "internal" });
    await store.records.replace(own, own.document, own.version + 1);
  });
});

describe("a v2 key", () => {
  const make = () => access.keys.create(openPrincipal, { isSuperUser: false, grants });
  const partsOf = (v2: string) => v2.split(".") as [string, string, string];

  it("is the same credential as the bare key", async () => {
    const { key, secret } = await make();
    const principal = await use(toV2(secret));
    expect(principal).toMatchObject({ kind: "key", keyId: key.keyId, environment: "dev" });
    expect(await use(secret)).toBe(principal);
  });

  it("has the id in its payload and all of the secret behind it, whatever was drawn", () => {
    for (const drawn of [`_${"a".repeat(42)}`, "_".repeat(43), `${"-".repeat(42)}_`]) {
      const bare = `tdk_dev-0123456789abcdef_${drawn}`;
      const [, payload, last] = partsOf(toV2(bare));
      expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({ sub: "dev-0123456789abcdef" });
      expect(last).toBe(drawn);
      expect(unwrapCredential(toV2(bare))).toBe(bare);
    }
  });

  it("downgraded by an altered payload is refused", async () => {
    const [header, , secret] = partsOf(toV2((await make()).secret));
    const sub = (await make()).key.keyId;
    for (const payload of [
      { t: "g", iss: "todoku", sub },
      { t: "g", iss: "todoku", sub, grants: [] },
      { t: "s", iss: "todoku", sub },
      { t: "g", iss: "momento", sub },
      { environment: "dev", grants, tokenId: "", exp: 4_000_000_000 },
    ]) {
      await expect(use(`${header}.${encode(payload)}.${secret}`)).rejects.toMatchObject(refused);
    }
  });

  it("in any other spelling of its own payload or header is refused", async () => {
    const { key, secret } = await make();
    const [header, payload, last] = partsOf(toV2(secret));
    const reordered = encode({ iss: "todoku", t: "g", sub: key.keyId });
    const spaced = Buffer.from(` ${JSON.stringify({ t: "g", iss: "todoku", sub: key.keyId })}`).toString("base64url");
    for (const other of [
      `${header}.${reordered}.${last}`,
      `${header}.${spaced}.${last}`,
      `${encode({ typ: "JWT", alg: "HS256" })}.${payload}.${last}`,
      `${encode({ alg: "none", typ: "JWT" })}.${payload}.${last}`,
      `${header}.${payload}=.${last}`,
      `${header}.${payload}.${last}.`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
    ]) {
      await expect(use(other)).rejects.toMatchObject(refused);
    }
  });

  it("forged in any character is refused", async () => {
    const v2 = toV2((await make()).secret);
    await use(v2);
    for (let at = 0; at < v2.length; at++) {
      const forged = v2.slice(0, at) + (v2[at] === "a" ? "b" : "a") + v2.slice(at + 1);
      await expect(use(forged)).rejects.toMatchObject(refused);
    }
  });

  it("signed as a token with the environment's signing key is a token, and none without a token's claims", async () => {
    const forged = await new SignJWT({ t: "g", iss: "todoku", sub: (await make()).key.keyId })
      .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: signing.kid })
      .sign(signing.secret);
    await expect(use(forged)).rejects.toMatchObject(refused);
  });
});

describe("a refresh token", () => {
  const make = () =>
    access.keys.create(openPrincipal, { isSuperUser: false, grants, validForMs: 60_000, withRefreshToken: true });

  it("replayed, one after the other or at once, gives one key", async () => {
    const { secret, refreshToken = "" } = await make();
    const tries = await Promise.allSettled([1, 2, 3].map(() => access.keys.renew(secret, refreshToken)));
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await expect(access.keys.renew(secret, refreshToken)).rejects.toMatchObject(refused);
  });

  it("of another key, or of none, is refused, and the right one still works", async () => {
    const [one, other] = [await make(), await make()];
    for (const wrong of [other.refreshToken ?? "", "", "tdr_", one.secret]) {
      await expect(access.keys.renew(one.secret, wrong)).rejects.toMatchObject(refused);
    }
    const plain = await access.keys.create(openPrincipal, { isSuperUser: false, grants });
    await expect(access.keys.renew(plain.secret, one.refreshToken ?? "")).rejects.toMatchObject(refused);
    await expect(access.keys.renew(one.secret, one.refreshToken ?? "")).resolves.toBeDefined();
  });

  it("is no credential, and is kept as a hash", async () => {
    const { refreshToken = "" } = await make();
    await expect(use(refreshToken)).rejects.toMatchObject(refused);
    expect(JSON.stringify(await store.records.list("api-key"))).not.toContain(refreshToken.slice(4));
  });
});
