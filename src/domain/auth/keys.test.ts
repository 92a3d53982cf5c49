// API keys over the embedded engine: two nodes share its store, and the bus between them loses every hint unless a test says otherwise.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type AccessStore, anAccessStore, aWire, elsewhere } from "../../../test/support/access.ts";
import type { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Access } from "./access.ts";
import type { KeyRequest } from "./api-key.ts";
import { wrapCredential } from "./credential.ts";
import type { Grant, TokenGrant } from "./grants.ts";
import type { Keys } from "./keys.ts";
import { openPrincipal } from "./open-access.ts";
import type { Principal } from "./principal.ts";
import type { Tokens } from "./tokens.ts";

const publish: TokenGrant = { resource: "topic", role: "publish", cache: { name: "c" }, topic: { all: true } };
const send: TokenGrant = { resource: "queue", role: "send", queue: { name: "orders" } };
const worker: KeyRequest = { description: "the worker", isSuperUser: false, grants: [publish] };
const admin: KeyRequest = { description: "", isSuperUser: true, grants: [] };

let store: AccessStore;
let access: Access;
let keys: Keys;
let tokens: Tokens;
const startMs = 1_800_000_000_000;
let nowMs = startMs;

beforeAll(async () => {
  store = await anAccessStore(() => nowMs);
});
beforeEach(async () => {
  nowMs = startMs;
  access = await store.node();
  ({ keys, tokens } = access);
});
afterEach(() => store.empty());
afterAll(() => store[Symbol.asyncDispose]());

const refusal = { code: "unauthenticated", message: "this API key is not known here" };

describe("API keys", () => {
  it("say who their bearer is, bare or wrapped, from any machine, also after a restart", async () => {
    const { key, secret } = await keys.create(openPrincipal, worker);
    const keyId = expect.stringMatching(/^dev-[0-9a-f]{16}$/);
    expect(key).toEqual({ ...worker, keyId, isOperator: false, createdAtMs: nowMs, hasAccessKey: false });
    expect(secret).toMatch(new RegExp(`^tdk_${key.keyId}_[\\w-]{43}$`));
    await store.restart();
    const { auth } = await store.node();
    const principal = await auth.authenticate(secret, elsewhere);
    expect(principal).toMatchObject({ kind: "key", environment: "dev", isSuperUser: false, grants: [publish] });
    expect([principal.tokenId, principal.expiresAtMs]).toEqual(["", undefined]);
    expect(auth.authenticate(secret, elsewhere)).toBe(principal);
    expect(auth.authenticate(wrapCredential("todoku.example:443", secret), elsewhere)).toBe(principal);
  });

  it("may be of a super user", async () => {
    const { secret } = await keys.create(openPrincipal, admin);
    expect(await keys.verify(secret)).toMatchObject({ isSuperUser: true, grants: [] });
  });

  it("belong to the environment of who made them, whatever hyphens its name has", async () => {
    const feature = { ...openPrincipal, environment: "FEAT-ABP-1734" };
    const { key, secret } = await keys.create(feature, worker);
    expect((await keys.verify(secret)).environment).toBe("FEAT-ABP-1734");
    expect(await keys.list(openPrincipal)).toEqual([]);
    await expect(keys.delete(openPrincipal, key.keyId)).rejects.toMatchObject({ code: "not_found" });
    await expect(keys.verify(secret.replace("FEAT-ABP-1734", "dev"))).rejects.toMatchObject(refusal);
  });

  it("are kept as a hash: their secret is nowhere in the store or in a list", async () => {
    const { secret } = await keys.create(openPrincipal, worker);
    const random = secret.slice(-43);
    const stored = JSON.stringify([await store.records.list("api-key"), await keys.list(openPrincipal)]);
    expect(stored).not.toContain(random);
    expect(stored).not.toContain(Buffer.from(random, "base64url").toString("hex"));
  });

  it("are refused with any other character in them, and the refusal does not repeat them", async () => {
    const { secret } = await keys.create(openPrincipal, worker);
    await keys.verify(secret);
    for (let at = 0; at < secret.length; at++) {
      const forged = secret.slice(0, at) + (secret[at] === "a" ? "b" : "a") + secret.slice(at + 1);
      const error = await Promise.resolve(access.auth.authenticate(forged, elsewhere)).catch(
        (reason: TodokuError) => reason,
      );
      expect(error).toMatchObject({ code: "unauthenticated" });
      expect((error as TodokuError).message).not.toContain(forged.slice(-10));
    }
    for (const other of [`${secret}=`, `${secret} `, secret.slice(0, -1), "tdk_", "tdk_dev"]) {
      await expect(keys.verify(other)).rejects.toMatchObject({ code: "unauthenticated" });
    }
  });

  it("are deleted by their id; a whole key is not taken for one, nor repeated", async () => {
    const { key, secret } = await keys.create(openPrincipal, worker);
    for (const text of [secret, wrapCredential("todoku.example:443", secret), "", "x"]) {
      await expect(keys.delete(openPrincipal, text)).rejects.toThrow(/^this is no id of an API key$/);
    }
    expect(await keys.list(openPrincipal)).toEqual([key]);
  });

  it("are listed, the oldest first", async () => {
    const first = await keys.create(openPrincipal, worker);
    const second = await keys.create(openPrincipal, admin);
    expect(await keys.list(openPrincipal)).toEqual([first.key, second.key]);
  });

  it("are made, listed and deleted by super users only", async () => {
    const { key, secret } = await keys.create(openPrincipal, { ...worker, grants: [publish, issuing([publish])] });
    const principal = await keys.verify(secret);
    for (const call of [
      () => keys.create(principal, worker),
      () => keys.list(principal),
      () => keys.delete(principal, key.keyId),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: "permission_denied" });
    }
    expect(await keys.list(openPrincipal)).toHaveLength(1);
  });

  it.each<[Partial<KeyRequest>, string]>([
    [{ description: "x".repeat(257) }, "description has 257 characters; must be <= 256"],
    [{ grants: [] }, "permissions must not be empty"],
    [{ isSuperUser: true }, "a super user needs no permissions"],
    [{ name: `handler/tasks/${"0a".repeat(8)}` }, "has the form of those of handlers"],
    [{ grants: [{ ...publish, topic: { name: "" } }] }, "a topic selector must not be empty"],
    [{ grants: [{ ...publish, topic: { prefix: "\ud83d" } }] }, "a topic selector is not well-formed"],
    [{ grants: [issuing([])] }, "permissions must not be empty"],
    [{ grants: [issuing([{ ...send, queue: { prefix: "" } }])] }, "a queue selector must not be empty"],
    [{ grants: [issuing([publish]), issuing([send])] }, "write all their grants into one"],
    [{ grants: [issuing(many(20))] }, "21 permissions must be <= 20"],
    [{ grants: many(20, 1000) }, `permissions have 2`],
  ])("are not made of %j", async (request, message) => {
    await expect(keys.create(openPrincipal, { ...worker, ...request })).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining(message),
    });
  });

  it("are made of as many grants as a token may have, those within a token grant counted", async () => {
    await expect(keys.create(openPrincipal, { ...worker, grants: [issuing(many(19))] })).resolves.toBeDefined();
  });

  it("have a bound in each environment", async () => {
    const make = (n: number) =>
      store.records.create({ kind: "api-key", environment: "dev", name: `dev-${n}` }, { description: "" });
    await Promise.all(Array.from({ length: limits.apiKey.perEnvironment }, (_, n) => make(n)));
    await expect(keys.create(openPrincipal, worker)).rejects.toMatchObject({ code: "limit_exceeded" });
  });

  it("do not go past that bound when many are made at once", async () => {
    const most = limits.apiKey.perEnvironment;
    const made = await Promise.allSettled(Array.from({ length: most + 5 }, () => keys.create(openPrincipal, worker)));
    expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(most);
    expect(await keys.list(openPrincipal)).toHaveLength(most);
  });

  it("are refused when a later release restricted them in a way that this one does not know", async () => {
    const { key, secret } = await keys.create(openPrincipal, worker);
    const name = { kind: "api-key", environment: "dev", name: key.keyId };
    const document = (await store.records.read(name))?.document;
    await store.records.replace(name, { ...document, onlyFrom: "10.0.0.0/8" }, 1);
    const reason = `API key "${key.keyId}" was made by a later release, with what this one does not know`;
    await expect(keys.verify(secret)).rejects.toMatchObject({ code: "unauthenticated", message: reason });
    // The list cannot show it, but says which one is in the way; it can be deleted.
    await expect(keys.list(openPrincipal)).rejects.toMatchObject({ code: "failed_precondition", message: reason });
    await keys.delete(openPrincipal, key.keyId);
    expect(await keys.list(openPrincipal)).toEqual([]);
  });
});

describe("the name of an API key", () => {
  const named = (name: string, more: Partial<KeyRequest> = {}) =>
    keys.create(openPrincipal, { ...worker, name, ...more });
  const taken = { code: "already_exists", message: expect.stringContaining('has the name "worker" already') };

  it("is one key's of its environment, and free again when that key is deleted or has expired", async () => {
    const { key } = await named("worker", { validForMs: 1000 });
    expect(key.name).toBe("worker");
    await expect(named("worker")).rejects.toMatchObject(taken);
    await keys.create({ ...openPrincipal, environment: "prod" }, { ...worker, name: "worker" });
    nowMs = key.expiresAtMs ?? 0;
    const second = await named("worker");
    await keys.delete(openPrincipal, second.key.keyId);
    await named("worker");
  });

  it("may be that of the key that it replaces, also while the one before is still there", async () => {
    const first = await named("worker");
    const second = await named("worker", { replaces: first.key.keyId });
    await expect(named("worker")).rejects.toMatchObject(taken);
    await named("worker", { replaces: second.key.keyId });
  });

  it("is given once, when two nodes make keys at the same time", async () => {
    const other = await store.node();
    const make = ({ keys }: Access) => keys.create(openPrincipal, { ...worker, name: "worker" });
    const made = await Promise.allSettled([access, other, access, other].map(make));
    expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await keys.list(openPrincipal)).toHaveLength(1);
  });

  it.each(["", " ", "x".repeat(256)])("is not %j", async (name) => {
    await expect(named(name)).rejects.toMatchObject({ code: "invalid_argument" });
  });
});

describe("an API key that expires", () => {
  const short = async () => keys.create(openPrincipal, { ...worker, validForMs: 1000 });

  it("is refused from that millisecond on, fresh or remembered, and ends what it had open", async () => {
    const { key, secret } = await short();
    const { auth } = access;
    const errors = ending(await auth.authenticate(secret, elsewhere));
    expect(await keys.verify(secret)).toMatchObject({ expiresAtMs: key.expiresAtMs, keyId: key.keyId });
    nowMs = (key.expiresAtMs ?? 0) - 1;
    expect(auth.authenticate(secret, elsewhere)).toMatchObject({ keyId: key.keyId });
    await access.sweep(nowMs);
    expect(errors).toEqual([]);
    nowMs++;
    expect(() => auth.authenticate(secret, elsewhere)).toThrow("this API key has expired");
    await expect(keys.verify(secret)).rejects.toThrow("this API key has expired");
    await access.sweep(nowMs);
    expect(errors).toMatchObject([{ code: "unauthenticated", message: "this API key has expired" }]);
  });

  it("lasts as long as asked, to the next whole second", async () => {
    nowMs += 1;
    expect((await short()).key.expiresAtMs).toBe(nowMs - 1 + 2000);
  });

  it("stays listed for a day, then its record goes", async () => {
    const { key } = await short();
    nowMs = (key.expiresAtMs ?? 0) + limits.apiKey.keptAfterExpiryMs - 1;
    await access.sweep(nowMs);
    expect(await keys.list(openPrincipal)).toEqual([key]);
    nowMs += 60_000; // records are looked through once a minute
    await access.sweep(nowMs);
    expect(await store.records.list("api-key")).toEqual([]);
  });

  it("makes room for a new one when there are too many", async () => {
    const { key } = await short();
    for (let n = 1; n < limits.apiKey.perEnvironment; n++) {
      await store.records.create({ kind: "api-key", environment: "dev", name: `dev-${n}` }, { description: "" });
    }
    await expect(keys.create(openPrincipal, worker)).rejects.toMatchObject({ code: "limit_exceeded" });
    nowMs = key.expiresAtMs ?? 0;
    await keys.create(openPrincipal, worker);
    expect(await store.records.read({ kind: "api-key", environment: "dev", name: key.keyId })).toBeUndefined();
  });

  it.each([0, 999, -1, Number.NaN, limits.apiKey.validForMs.max + 1])("does not live for %d ms", async (validForMs) => {
    await expect(keys.create(openPrincipal, { ...worker, validForMs })).rejects.toThrow(
      /lifetime .* ms must be >= 1000/,
    );
  });

  it("may be made to end earlier, never later; calls and open streams end then, on other nodes too", async () => {
    const other = await store.node();
    const { key, secret } = await keys.create(openPrincipal, worker);
    const nodes = [access, other];
    const principals = await Promise.all(nodes.map(({ auth }) => auth.authenticate(secret, elsewhere)));
    const errors = principals.map(ending);
    const atMs = nowMs + 5000;
    expect(await keys.expireAt(openPrincipal, key.keyId, atMs)).toEqual({ ...key, expiresAtMs: atMs });
    await expect(keys.expireAt(openPrincipal, key.keyId, atMs + 1)).rejects.toMatchObject({ code: "invalid_argument" });
    await other.refresh();
    expect(errors).toEqual([[], []]);
    nowMs = atMs;
    for (const { auth } of nodes)
      expect(() => auth.authenticate(secret, elsewhere)).toThrow("this API key has expired");
    for (const node of nodes) await node.sweep(nowMs);
    expect(errors).toMatchObject([[{ code: "unauthenticated" }], [{ code: "unauthenticated" }]]);
  });

  it("ends at once when that time is past", async () => {
    const { key, secret } = await keys.create(openPrincipal, worker);
    const errors = ending(await keys.verify(secret));
    await keys.expireAt(openPrincipal, key.keyId, nowMs);
    expect(errors).toHaveLength(1);
    await expect(keys.expireAt(openPrincipal, `dev-${"0".repeat(16)}`, nowMs)).rejects.toMatchObject({
      code: "not_found",
    });
    // The clock is set back.
    nowMs -= 3_600_000;
    await expect(keys.verify(secret)).rejects.toThrow("this API key has expired");
    await expect((await store.node()).keys.verify(secret)).rejects.toThrow("this API key has expired");
    expect(await access.auth.inspect(secret, elsewhere)).toMatchObject({ status: "revoked" });
  });
});

describe("the rights of an API key", () => {
  it("change for the next call; what was open ends with unavailable, so that clients come back, on other nodes too", async () => {
    const other = await store.node();
    const { key, secret } = await keys.create(openPrincipal, worker);
    const nodes = [access, other];
    const errors = (await Promise.all(nodes.map(({ auth }) => auth.authenticate(secret, elsewhere)))).map(ending);
    expect(await keys.update(openPrincipal, key.keyId, { grants: [send] })).toEqual({ ...key, grants: [send] });
    await other.refresh();
    expect(errors).toMatchObject([[{ code: "unavailable" }], [{ code: "unavailable" }]]);
    for (const { auth } of nodes) expect((await auth.authenticate(secret, elsewhere)).grants).toEqual([send]);
    expect(await keys.update(openPrincipal, key.keyId, { isSuperUser: true })).toMatchObject({ grants: [] });
    expect(await access.auth.authenticate(secret, elsewhere)).toMatchObject({ isSuperUser: true, grants: [] });
  });

  it("stay, and so does what is open, when only the description changes", async () => {
    const { key, secret } = await keys.create(openPrincipal, worker);
    const errors = ending(await keys.verify(secret));
    expect(await keys.update(openPrincipal, key.keyId, { description: "new" })).toEqual({ ...key, description: "new" });
    expect(errors).toEqual([]);
  });

  it("are changed by super users, within the bounds, and not of operators by others", async () => {
    const { key, secret } = await keys.create(openPrincipal, worker);
    const denied = { code: "permission_denied" };
    await expect(keys.update(await keys.verify(secret), key.keyId, { isSuperUser: true })).rejects.toMatchObject(
      denied,
    );
    const invalid = { code: "invalid_argument" };
    await expect(keys.update(openPrincipal, key.keyId, { grants: [] })).rejects.toMatchObject(invalid);
    await expect(keys.update(openPrincipal, key.keyId, { isSuperUser: true, grants: [send] })).rejects.toMatchObject(
      invalid,
    );
    const operator = await keys.create(openPrincipal, { ...admin, isOperator: true });
    const own = await keys.verify((await keys.create(openPrincipal, admin)).secret);
    await expect(keys.update(own, operator.key.keyId, { description: "x" })).rejects.toMatchObject(denied);
    await expect(
      keys.update(openPrincipal, operator.key.keyId, { isSuperUser: false, grants: [send] }),
    ).rejects.toMatchObject(invalid);
  });
});

describe("an API key with a refresh token", () => {
  const make = (more: Partial<KeyRequest> = {}) =>
    keys.create(openPrincipal, { ...worker, name: "worker", validForMs: 60_000, withRefreshToken: true, ...more });

  it("is renewed with the same rights and its whole lifetime; both work, and the new one can be renewed again", async () => {
    const old = await make();
    nowMs += 59_000;
    const renewed = await keys.renew(old.secret, old.refreshToken ?? "");
    const { keyId, createdAtMs, expiresAtMs, ...rights } = renewed.key;
    expect(rights).toEqual({ ...worker, name: "worker", isOperator: false, hasAccessKey: false });
    expect([createdAtMs, expiresAtMs]).toEqual([nowMs, nowMs + 60_000]);
    expect(keyId).not.toBe(old.key.keyId);
    for (const secret of [old.secret, renewed.secret])
      expect(await keys.verify(secret)).toMatchObject({ grants: [publish] });
    await keys.renew(renewed.secret, renewed.refreshToken ?? "");
  });

  it("may be renewed again when it was changed at the same time", async () => {
    const { key, secret, refreshToken = "" } = await make();
    const changed = keys.update(openPrincipal, key.keyId, { grants: [send] });
    await expect(keys.renew(secret, refreshToken)).rejects.toMatchObject({ code: "unavailable" });
    await changed;
    expect((await keys.renew(secret, refreshToken)).key.grants).toEqual([send]);
  });

  it("that never expires is renewed to one that never does", async () => {
    const { secret, refreshToken = "" } = await keys.create(openPrincipal, { ...worker, withRefreshToken: true });
    expect((await keys.renew(secret, refreshToken)).key.expiresAtMs).toBeUndefined();
  });

  it("is not renewed once it has expired, was deleted, or was told to end", async () => {
    const [expired, deleted, ended] = [await make(), await make({ name: "b" }), await make({ name: "c" })];
    const renew = ({ secret, refreshToken = "" }: typeof expired) => keys.renew(secret, refreshToken);
    await keys.delete(openPrincipal, deleted.key.keyId);
    await keys.expireAt(openPrincipal, ended.key.keyId, nowMs + 1000);
    await expect(renew(deleted)).rejects.toThrow("this API key is not known here");
    await expect(renew(ended)).rejects.toThrow("this refresh token is not of this API key");
    nowMs += 60_000;
    await expect(renew(expired)).rejects.toThrow("this API key has expired");
  });

  it("has none unless it was asked for", async () => {
    expect((await keys.create(openPrincipal, worker)).refreshToken).toBeUndefined();
  });
});

describe("operators", () => {
  const operator = { isSuperUser: true, isOperator: true, grants: [] } as const;
  const denied = { code: "permission_denied" };

  it("make keys for other environments, and keys of operators; super users neither, nor may they end one", async () => {
    const made = await keys.create(openPrincipal, operator);
    const boss = await keys.verify(made.secret);
    expect(boss).toMatchObject({ isOperator: true, isSuperUser: true });
    const elsewhereKey = await keys.create(boss, admin, "prod");
    const superUser = await keys.verify(elsewhereKey.secret);
    expect(superUser).toMatchObject({ environment: "prod", isSuperUser: true, isOperator: false });
    await expect(keys.create(superUser, admin, "dev")).rejects.toMatchObject(denied);
    await expect(keys.create(superUser, operator)).rejects.toMatchObject(denied);
    const own = await keys.verify((await keys.create(openPrincipal, admin)).secret);
    await expect(keys.delete(own, made.key.keyId)).rejects.toMatchObject(denied);
    await expect(keys.expireAt(own, made.key.keyId, nowMs)).rejects.toMatchObject(denied);
    await keys.delete(boss, made.key.keyId);
  });

  it("are super users", async () => {
    await expect(keys.create(openPrincipal, { ...worker, isOperator: true })).rejects.toThrow("must be a super user");
  });
});

describe("an API key of an earlier release", () => {
  it("is neither an operator's nor does it expire", async () => {
    const { key, secret } = await keys.create(openPrincipal, admin);
    const name = { kind: "api-key", environment: "dev", name: key.keyId };
    const { secretHash, description, isSuperUser, grants, createdAtMs } =
      (await store.records.read(name))?.document ?? {};
    await store.records.replace(name, { secretHash, description, isSuperUser, grants, createdAtMs }, 1);
    expect(await keys.verify(secret)).toMatchObject({ isSuperUser: true, isOperator: false, expiresAtMs: undefined });
    expect(await keys.list(openPrincipal)).toEqual([key]);
  });
});

describe("a deleted API key", () => {
  it("is refused at once, though it was remembered, and ends what it had open", async () => {
    const { key, secret } = await keys.create(openPrincipal, worker);
    const { auth } = access;
    const principal = await auth.authenticate(secret, elsewhere);
    const errors = ending(principal);
    await keys.delete(openPrincipal, key.keyId);
    await expect(async () => auth.authenticate(secret, elsewhere)).rejects.toMatchObject(refusal);
    expect(errors).toEqual([expect.objectContaining({ code: "unauthenticated", message: "this API key was deleted" })]);
    expect(ending(principal)).toEqual(errors);
    await expect(keys.delete(openPrincipal, key.keyId)).rejects.toThrow(`API key "${key.keyId}" does not exist`);
  });

  it("leaves other keys alone", async () => {
    const { key } = await keys.create(openPrincipal, worker);
    const other = await keys.create(openPrincipal, worker);
    const errors = ending(await keys.verify(other.secret));
    await keys.delete(openPrincipal, key.keyId);
    await keys.refresh();
    expect(await keys.verify(other.secret)).toBeDefined();
    expect(errors).toEqual([]);
  });

  it("is refused on another node by the next comparison with the store, when every hint is lost", async () => {
    const { key, secret } = await keys.create(openPrincipal, worker);
    const other = await store.node();
    const errors = ending(await other.auth.authenticate(secret, elsewhere));
    await keys.delete(openPrincipal, key.keyId);
    await other.refresh();
    await expect(async () => other.auth.authenticate(secret, elsewhere)).rejects.toMatchObject(refusal);
    expect(errors).toHaveLength(1);
  });

  it("is refused on another node as soon as the hint comes", async () => {
    const [here, there] = aWire();
    keys = (await store.node(here)).keys;
    const { key, secret } = await keys.create(openPrincipal, worker);
    const { keys: others } = await store.node(there);
    const { withdrawal } = await others.verify(secret);
    const ended = new Promise((resolve) => withdrawal?.onDone(resolve));
    await keys.delete(openPrincipal, key.keyId);
    await ended;
    await expect(others.verify(secret)).rejects.toMatchObject(refusal);
  });
});

describe("a key that may issue tokens", () => {
  const backend: KeyRequest = {
    description: "the API: it only issues",
    isSuperUser: false,
    grants: [
      issuing([
        { resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { prefix: "user:" } },
        { resource: "cache", role: "read-write", cache: { name: "c" }, key: { all: true } },
        send,
      ]),
    ],
  };
  const own: TokenGrant = { resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { name: "user:1" } };
  const narrow: TokenGrant = { resource: "cache", role: "read", cache: { name: "c" }, key: { name: "YQ" } };
  const issue = async (...grants: TokenGrant[]) => {
    const principal = await keys.verify((await keys.create(openPrincipal, backend)).secret);
    return tokens.issue(principal, { grants, tokenId: "", validForMs: 60_000 });
  };

  it("issues those whose every grant is covered", async () => {
    const { token } = await issue(own, narrow, send);
    expect(await tokens.verify(token)).toMatchObject({
      kind: "token",
      environment: "dev",
      grants: [own, narrow, send],
    });
  });

  it.each<TokenGrant>([
    { ...own, role: "publish" },
    { ...own, role: "publish-subscribe" },
    { ...own, cache: { all: true } },
    { ...own, topic: { prefix: "us" } },
    { ...send, role: "send-receive" },
    { ...send, queue: { prefix: "orders" } },
  ])("names the first grant that is not covered: %j", async (grant) => {
    await expect(issue(narrow, grant, publish)).rejects.toMatchObject({
      code: "permission_denied",
      message: `this credential may not issue a token with the grant ${JSON.stringify(grant)}`,
    });
  });

  it("can do nothing else, and the tokens cannot issue any", async () => {
    const { token } = await issue(own);
    await expect(
      tokens.issue(await tokens.verify(token), { grants: [own], tokenId: "", validForMs: 1000 }),
    ).rejects.toThrow("may not do token.create");
  });
});

function issuing(grants: TokenGrant[]): Grant {
  return { resource: "token", role: "issue", grants };
}

/** `count` grants whose topic names have `length` characters. */
function many(count: number, length = 4): TokenGrant[] {
  return Array.from({ length: count }, (_, n) => ({ ...publish, topic: { name: `${n}`.padEnd(length, "x") } }));
}

/** Collects what an open stream of the principal is told. */
function ending({ withdrawal }: Principal): TodokuError[] {
  const errors: TodokuError[] = [];
  withdrawal?.onDone((error) => errors.push(error));
  return errors;
}
