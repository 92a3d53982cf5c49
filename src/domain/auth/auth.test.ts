import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type AccessStore, anAccessStore } from "../../../test/support/access.ts";
import { silentBus } from "../bus.ts";
import { TodokuError } from "../errors.ts";
import { noRates } from "../limiting/rates.ts";
import { limits } from "../limits.ts";
import type { Access } from "./access.ts";
import { type AccessOptions, createAuth } from "./auth.ts";
import { unwrapCredential, wrapCredential } from "./credential.ts";
import type { TokenGrant } from "./grants.ts";
import { openPrincipal } from "./open-access.ts";
import type { Caller } from "./principal.ts";
import type { Selector } from "./selector.ts";
import type { Tokens } from "./tokens.ts";
import { Withdrawal } from "./withdrawal.ts";

const local: Caller = {
  address: "127.0.0.1",
  isLoopbackPeer: true,
  host: "127.0.0.1:8080",
  origin: undefined,
  secFetchSite: undefined,
};
const grants: TokenGrant[] = [{ resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { name: "t" } }];

const startMs = 1_800_000_000_500;
let nowMs = startMs;
let store: AccessStore;
let access: Access;
let tokens: Tokens;
beforeAll(async () => {
  store = await anAccessStore(() => nowMs);
});
beforeEach(async () => {
  nowMs = startMs;
  access = await store.node();
  ({ tokens } = access);
});
afterEach(() => store.empty());
afterAll(() => store[Symbol.asyncDispose]());
/** A node that lets others in than only those with keys and tokens. */
const authOf = async (options: Partial<AccessOptions>) => {
  return (await store.node(silentBus, { access: { isOpen: false, devOrigins: [], devKey: undefined, ...options } }))
    .auth;
};
const issue = (validForMs = 60_000) => tokens.issue(openPrincipal, { grants, tokenId: "user-1", validForMs });

describe("disposable tokens", () => {
  it("say who their bearer is, also to a later start with the same store", async () => {
    const { token, jti, expiresAtMs } = await issue();
    const { tokens: later } = await store.node();
    expect(await later.verify(token)).toEqual({
      ...{ kind: "token", environment: "dev", isSuperUser: false, isOperator: false, grants, tokenId: "user-1", jti },
      ...{ issuedAtMs: nowMs - 500, expiresAtMs, withdrawal: expect.any(Withdrawal) },
    });
    expect(await store.records.list("signing-key", "dev")).toHaveLength(1);
  });

  it("last at least as long as asked, and less than a second longer", async () => {
    const { expiresAtMs } = await issue(1000);
    expect(expiresAtMs - nowMs).toBeGreaterThanOrEqual(1000);
    expect(expiresAtMs - nowMs).toBeLessThan(2000);
  });

  it("are refused when expired, also from the memory of verified ones", async () => {
    const { auth } = access;
    const { token, expiresAtMs } = await issue();
    await auth.authenticate(token, local);
    nowMs = expiresAtMs - 1;
    expect(auth.authenticate(token, local)).toMatchObject({ tokenId: "user-1" });
    nowMs = expiresAtMs;
    expect(() => auth.authenticate(token, local)).toThrow("this token has expired");
    await expect(async () => auth.authenticate(token, local)).rejects.toThrow("this token has expired");
  });

  it("are not made with a selector that would select more than it says", async () => {
    const make = (grant: TokenGrant) => tokens.issue(openPrincipal, { grants: [grant], tokenId: "", validForMs: 1000 });
    const inCache = (key: Selector): TokenGrant => ({ resource: "cache", role: "read", cache: { name: "c" }, key });
    for (const key of [
      { prefix: "\u65e5\u672c:" },
      { prefix: "user:1" },
      { name: "YQ==" },
      { prefix: "" },
      { name: "" },
    ]) {
      await expect(make(inCache(key))).rejects.toMatchObject({ code: "invalid_argument" });
    }
    await expect(make(inCache({ prefix: Buffer.from("user:").toString("base64url") }))).resolves.toBeDefined();
    const topic: TokenGrant = { resource: "topic", role: "publish", cache: { all: true }, topic: { prefix: "" } };
    await expect(make(topic)).rejects.toThrow('write {"all":true}');
  });

  it("are not made longer than a credential may be", async () => {
    const many = Array.from({ length: 20 }, (_, i): TokenGrant => {
      return { resource: "topic", role: "publish", cache: { all: true }, topic: { name: `${i}`.padEnd(800, "x") } };
    });
    await expect(tokens.issue(openPrincipal, { grants: many, tokenId: "", validForMs: 1000 })).rejects.toThrow(
      "<= 16384",
    );
  });

  it("are not made without grants, for too long, with a long id, or with grants that differ only in role", async () => {
    const make = (request: object) =>
      tokens.issue(openPrincipal, { grants, tokenId: "", validForMs: 1000, ...request });
    await expect(make({ grants: [] })).rejects.toThrow("must not be empty");
    await expect(make({ validForMs: 0 })).rejects.toThrow("must be >= 1");
    await expect(make({ validForMs: limits.disposableTokenMaxMs + 1 })).rejects.toThrow("25 h");
    await expect(make({ tokenId: "x".repeat(65) })).rejects.toThrow("must be <= 64");
    await expect(make({ grants: [...grants, { ...grants[0], role: "publish" }] })).rejects.toThrow(
      "differ only in role",
    );
  });
});

describe("credentials", () => {
  it("may be pasted whole or unwrapped", async () => {
    const { token } = await issue();
    const wrapped = wrapCredential("127.0.0.1:8080", token);
    expect(unwrapCredential(wrapped)).toBe(token);
    const { auth } = access;
    expect(await auth.authenticate(wrapped, local)).toMatchObject({ tokenId: "user-1" });
  });

  it("are remembered once, however they are wrapped", async () => {
    let verified = 0;
    const verify = (token: string) => {
      verified++;
      return tokens.verify(token);
    };
    const auth = createAuth({
      ...{ keys: access.keys, tokens: { ...tokens, verify }, users: access.users, rates: noRates, wallMs: () => nowMs },
      access: { isOpen: false, devOrigins: [], devKey: undefined },
    });
    const { token } = await issue();
    for (const text of [token, ...["a:1", "b:2", "c:3"].map((endpoint) => wrapCredential(endpoint, token))]) {
      expect(await auth.authenticate(text, local)).toMatchObject({ tokenId: "user-1" });
    }
    expect(verified).toBe(1);
  });

  it("that are too long are refused before anything in them is decoded", async () => {
    const { auth } = access;
    const { token } = await issue();
    const wrapped = wrapCredential("x".repeat(2 * limits.credentialMaxBytes), token);
    await expect(auth.authenticate(wrapped, local)).rejects.toThrow("longer than 16384");
    await expect(auth.inspect(wrapped)).rejects.toThrow("longer than 16384");
  });

  it("that are nonsense are refused and named nowhere in the error", async () => {
    const { auth } = access;
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 12, maxLength: 200 }), async (credential) => {
        const refused = await Promise.resolve(auth.authenticate(credential, local)).then(
          () => undefined,
          (error: TodokuError) => error,
        );
        expect(refused).toMatchObject({ code: "unauthenticated" });
        expect(refused?.message).not.toContain(credential);
      }),
    );
    await expect(auth.authenticate("x".repeat(20_000), local)).rejects.toThrow("longer than 16384");
  });

  it("of --dev-key are a super user, and the empty one is nothing then", async () => {
    const auth = await authOf({ devKey: "todoku_dev_secret" });
    expect(await auth.authenticate("todoku_dev_secret", { ...local, isLoopbackPeer: false })).toMatchObject({
      isSuperUser: true,
    });
    expect(() => auth.authenticate("", local)).toThrow("a credential is needed");
    await expect(auth.authenticate("todoku_dev_secreT", local)).rejects.toMatchObject({ code: "unauthenticated" });
  });
});

describe("the empty credential of dev mode", () => {
  const open = (devOrigins: string[] = []) => authOf({ isOpen: true, devOrigins });

  it.each<[string, Partial<Caller>]>([
    ["curl and the SDKs", {}],
    ["IPv6", { host: "[::1]:8080" }],
    ["localhost", { host: "localhost:8080" }],
    ["a name below localhost", { host: "todoku.localhost" }],
    ["our own page", { host: "localhost:8080", origin: "http://localhost:8080", secFetchSite: "same-origin" }],
    ["a typed address", { secFetchSite: "none" }],
    ["a development proxy for this machine", { forwardedFor: "127.0.0.1, ::1" }],
  ])("is the super user of dev for %s", async (_, caller) => {
    expect((await open()).authenticate("", { ...local, ...caller })).toBe(openPrincipal);
  });

  it.each<[string, Partial<Caller>]>([
    ["another machine", { isLoopbackPeer: false }],
    ["another machine behind a proxy on this one", { forwardedFor: "203.0.113.9" }],
    ["another machine that says it is this one, behind such a proxy", { forwardedFor: "127.0.0.1, 203.0.113.9" }],
    ["a name that DNS may point here", { host: "evil.example:8080" }],
    ["a name that only begins like one", { host: "127.0.0.1.evil.example" }],
    ["no Host", { host: undefined }],
    ["another origin", { origin: "http://evil.example" }],
    ["another port's origin", { origin: "http://127.0.0.1:3000", secFetchSite: "same-site" }],
    ["an opaque origin", { origin: "null" }],
    ["a cross-site request without Origin", { secFetchSite: "cross-site" }],
  ])("is refused for %s", async (_, caller) => {
    const auth = await open();
    expect(() => auth.authenticate("", { ...local, ...caller })).toThrow(TodokuError);
  });

  it("is accepted from an origin that was named, and only from that", async () => {
    const auth = await open(["http://localhost:5173"]);
    const page = { ...local, origin: "http://localhost:5173", secFetchSite: "cross-site" };
    expect(auth.authenticate("", page)).toBe(openPrincipal);
    expect(() => auth.authenticate("", { ...page, origin: "http://localhost:5174" })).toThrow(
      "--dev-origin http://localhost:5174",
    );
  });
});
