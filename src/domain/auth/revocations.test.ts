// Revocation over the embedded engine. Nodes share its store, and the bus between them loses every hint unless a test says otherwise.
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type AccessStore, anAccessStore, aWire, elsewhere } from "../../../test/support/access.ts";
import type { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Access } from "./access.ts";
import type { TokenGrant } from "./grants.ts";
import { openPrincipal } from "./open-access.ts";
import type { Principal } from "./principal.ts";
import type { Revocation } from "./revocations.ts";
import type { TokenRequest } from "./tokens.ts";

const subscribe: TokenGrant = { resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { name: "t" } };
const prod = { ...openPrincipal, environment: "prod" };

const startMs = 1_800_000_000_000;
let nowMs = startMs;
let store: AccessStore;
let node: Access;
beforeAll(async () => {
  store = await anAccessStore(() => nowMs);
});
beforeEach(async () => {
  nowMs = startMs;
  node = await store.node();
});
afterEach(() => store.empty());
afterAll(() => store[Symbol.asyncDispose]());

const issue = (request: Partial<TokenRequest> = {}, principal: Principal = openPrincipal, at = node) =>
  at.tokens.issue(principal, { grants: [subscribe], tokenId: "", validForMs: 3_600_000, ...request });
const use = async (credential: string, at = node) => at.auth.authenticate(credential, elsewhere);
const isAccepted = (credential: string, at = node) =>
  use(credential, at).then(
    () => true,
    (error: TodokuError) => {
      if (error.code === "unauthenticated") return false;
      throw error;
    },
  );
const issuing = () =>
  node.keys.create(openPrincipal, {
    isSuperUser: false,
    grants: [{ resource: "token", role: "issue", grants: [subscribe] }],
  });

/** Collects what an open stream of the principal is told. */
function ending({ withdrawal }: Principal): string[] {
  const reasons: string[] = [];
  withdrawal?.onDone((error) => reasons.push(error.message));
  return reasons;
}

describe("a revoked token", () => {
  it.each<[string, (jti: string) => Revocation]>([
    ["its own id", (jti) => ({ what: "token", jti })],
    ["its token id", () => ({ what: "token-id", tokenId: "alice-phone" })],
    ["its user", () => ({ what: "user", userId: "alice" })],
    ["a time after its issue", () => ({ what: "before", beforeMs: nowMs + 1 })],
    ["a time in the future, which means all", () => ({ what: "before", beforeMs: nowMs + 1_000_000 })],
  ])("is refused by %s, remembered or not, and its open streams end", async (_, toRevocation) => {
    const { token, jti } = await issue({ tokenId: "alice-phone", userId: "alice" });
    const reasons = ending(await use(token));
    const { version } = await node.revocations.revoke(openPrincipal, toRevocation(jti));
    expect(reasons).toEqual(["this token was revoked"]);
    expect(version).toBe(node.revocations.version("dev"));
    await expect(use(token)).rejects.toThrow("this token was revoked");
    await expect((await store.node()).tokens.verify(token)).rejects.toThrow("this token was revoked");
  });

  it("leaves others alone: another token, another environment, one of before that time, one that is issued later", async () => {
    const other = await issue({ tokenId: "bob-phone", userId: "bob" });
    const elsewhere = await issue({ tokenId: "alice-phone", userId: "alice" }, prod);
    await node.revocations.revoke(openPrincipal, { what: "token-id", tokenId: "alice-phone" });
    await node.revocations.revoke(openPrincipal, { what: "user", userId: "alice" });
    await node.revocations.revoke(openPrincipal, { what: "before", beforeMs: nowMs });
    const later = await issue({ tokenId: "alice-phone", userId: "alice" });
    for (const { token } of [other, elsewhere, later]) expect(await isAccepted(token)).toBe(true);
  });

  it("stays refused after a restart", async () => {
    const { token, jti } = await issue();
    await node.revocations.revoke(openPrincipal, { what: "token", jti });
    await store.restart();
    await expect((await store.node()).tokens.verify(token)).rejects.toThrow("this token was revoked");
  });

  it("is refused on another node by the next comparison with the store, when every hint is lost; its streams end", async () => {
    const { token, jti } = await issue();
    const other = await store.node();
    const reasons = ending(await use(token, other));
    await node.revocations.revoke(openPrincipal, { what: "token", jti });
    await other.refresh();
    expect([reasons, await isAccepted(token, other)]).toEqual([["this token was revoked"], false]);
  });

  it("is refused on another node as soon as the hint comes", async () => {
    const [here, there] = aWire();
    node = await store.node(here);
    const other = await store.node(there);
    const { token, jti } = await issue();
    const { withdrawal } = await use(token, other);
    const ended = new Promise((resolve) => withdrawal?.onDone(resolve));
    await node.revocations.revoke(openPrincipal, { what: "token", jti });
    await ended;
    expect(await isAccepted(token, other)).toBe(false);
  });

  it("is found by its open stream, though the memory of verified ones has lost it", async () => {
    const { token, jti } = await issue();
    const reasons = ending(await node.tokens.verify(token)); // not remembered by `auth` at all
    await node.revocations.revoke(openPrincipal, { what: "token", jti });
    expect(reasons).toEqual(["this token was revoked"]);
  });

  it("was not issued by a call that had begun before its issuer was taken back", async () => {
    const { key, secret } = await issuing();
    const principal = await use(secret);
    await node.keys.delete(openPrincipal, key.keyId);
    await expect(issue({}, principal)).rejects.toMatchObject({ code: "unauthenticated" });
  });
});

describe("revoking an API key", () => {
  it("ends the key and all tokens that it issued, and deletes it", async () => {
    const { key, secret } = await issuing();
    const { token } = await issue({}, await use(secret));
    const reasons = [ending(await use(secret)), ending(await use(token))];
    await node.revocations.revoke(openPrincipal, { what: "key", keyId: key.keyId });
    expect(reasons).toEqual([["this API key was deleted"], ["this token was revoked"]]);
    expect([await isAccepted(secret), await isAccepted(token), await node.keys.list(openPrincipal)]).toEqual([
      false,
      false,
      [],
    ]);
    await node.sweep(nowMs);
    expect(await store.records.list("api-key")).toEqual([]);
  });

  it("is what deleting it does too, on another node as well", async () => {
    const other = await store.node();
    const { key, secret } = await issuing();
    const { token } = await issue({}, await use(secret), other);
    const reasons = ending(await use(token, other));
    await node.keys.delete(openPrincipal, key.keyId);
    await other.refresh();
    expect([reasons, await isAccepted(token, other)]).toEqual([["this token was revoked"], false]);
  });

  it("hits tokens that another node issued with it meanwhile, which had not heard of it", async () => {
    const other = await store.node();
    const { key, secret } = await issuing();
    const principal = await use(secret, other);
    await node.keys.delete(openPrincipal, key.keyId);
    const { token } = await issue({}, principal, other);
    await other.refresh();
    expect([await isAccepted(token, other), await isAccepted(token)]).toEqual([false, false]);
  });

  it("is known to another node before its own revocations: their versions make no token newer than it", async () => {
    const other = await store.node();
    const { key, secret } = await issuing();
    const principal = await use(secret, other);
    await node.keys.delete(openPrincipal, key.keyId);
    await other.revocations.revoke(openPrincipal, { what: "user", userId: "somebody else" });
    await expect(issue({}, principal, other)).rejects.toThrow("this API key was deleted");
  });

  it("does not come back when the server stops between the two steps, however long it is away", async () => {
    const { key, secret } = await issuing();
    await node.revocations.revoke(openPrincipal, { what: "key", keyId: key.keyId }); // the record is still there
    nowMs += 2 * limits.revocation.keptMs;
    await store.restart();
    node = await store.node();
    expect(await isAccepted(secret)).toBe(false);
    await node.sweep(nowMs);
    expect([await isAccepted(secret), await store.records.list("revocation")]).toEqual([false, []]);
  });

  it("with a time takes keys that were made before it, but the caller's own and, for who is none, operators'", async () => {
    const make = async (isOperator: boolean) => {
      return (await node.keys.create(openPrincipal, { isSuperUser: true, isOperator, grants: [] })).secret;
    };
    const [own, other, operator] = [await make(false), await make(false), await make(true)];
    nowMs += 10;
    const later = await make(false);
    const before: Revocation = { what: "before", beforeMs: nowMs, keys: true };
    await node.revocations.revoke(await use(own), before);
    const accepted = () => Promise.all([own, other, operator, later].map((secret) => isAccepted(secret)));
    expect(await accepted()).toEqual([true, false, true, true]);
    await node.revocations.revoke(await use(operator), before);
    expect(await accepted()).toEqual([false, false, true, true]);
    await node.sweep(nowMs);
    expect(await store.records.list("api-key")).toHaveLength(2);
  });
});

describe("revocations", () => {
  it("are listed, the oldest first, with what they say and when they go", async () => {
    const revocations: Revocation[] = [
      { what: "user", userId: "alice" },
      { what: "before", beforeMs: nowMs, keys: true },
      { what: "token", jti: "j" },
    ];
    const versions: number[] = [];
    for (const revocation of revocations) {
      versions.push((await node.revocations.revoke(openPrincipal, revocation)).version);
    }
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect(await node.revocations.list(openPrincipal)).toEqual(
      revocations.map((revocation, n) => {
        return { version: versions[n], revocation, atMs: nowMs, expiresAtMs: nowMs + limits.revocation.keptMs };
      }),
    );
    expect(await node.revocations.list(prod)).toEqual([]);
  });

  it("are made and listed by super users only; those of an operator's key by operators", async () => {
    const { secret } = await issuing();
    const admin = await node.keys.create(openPrincipal, { isSuperUser: true, grants: [] });
    const operator = await node.keys.create(openPrincipal, { isSuperUser: true, isOperator: true, grants: [] });
    const { revoke, list } = node.revocations;
    const denied = { code: "permission_denied" };
    await expect(revoke(await use(secret), { what: "user", userId: "alice" })).rejects.toMatchObject(denied);
    await expect(list(await use(secret))).rejects.toMatchObject(denied);
    const key: Revocation = { what: "key", keyId: operator.key.keyId };
    await expect(revoke(await use(admin.secret), key)).rejects.toMatchObject(denied);
    await expect(revoke(await use(operator.secret), key)).resolves.toBeDefined();
  });

  it.each<[Revocation, string]>([
    [{ what: "token", jti: "" }, "the jti has 0 characters; must be >= 1"],
    [{ what: "token-id", tokenId: "x".repeat(65) }, "tokenId has 65 characters; must be >= 1 and <= 64"],
    [{ what: "user", userId: "x".repeat(129) }, "userId has 129 characters; must be >= 1 and <= 128"],
    [{ what: "key", keyId: "tdk_dev-0123456789abcdef_hush" }, "this is no id of an API key"],
    [{ what: "before", beforeMs: -1 }, "issuedBeforeMs -1 must be a whole number >= 0"],
    [{ what: "before", beforeMs: Number.NaN }, "issuedBeforeMs NaN must be a whole number >= 0"],
  ])("are not made of %j", async (revocation, message) => {
    const refusal = { code: "invalid_argument", message: expect.stringContaining(message) };
    await expect(node.revocations.revoke(openPrincipal, revocation)).rejects.toMatchObject(refusal);
    expect(await store.records.list("revocation")).toEqual([]);
  });

  it("go when no token can be left that they match, and not before", async () => {
    const { token } = await issue({ validForMs: limits.disposableTokenMaxMs, userId: "alice" });
    await node.revocations.revoke(openPrincipal, { what: "user", userId: "alice" });
    nowMs += limits.disposableTokenMaxMs - 1000;
    await node.sweep(nowMs);
    expect(await isAccepted(token)).toBe(false);
    nowMs += limits.revocation.keptMs;
    await node.sweep(nowMs);
    expect([await isAccepted(token), await store.records.list("revocation")]).toEqual([false, []]);
  });

  it("hold while a token lives, though the clock is wrong by an hour, each time the other way", async () => {
    const trueMs = nowMs;
    const at = (afterMs: number, wrongByMs: number) => {
      nowMs = trueMs + afterMs + wrongByMs;
    };
    const hourMs = 3_600_000;
    at(0, hourMs);
    const { token } = await issue({ validForMs: limits.disposableTokenMaxMs, userId: "alice" });
    at(0, -hourMs);
    await node.revocations.revoke(openPrincipal, { what: "user", userId: "alice" });
    for (let afterMs = 20 * hourMs; afterMs < 40 * hourMs; afterMs += hourMs / 2) {
      at(afterMs, hourMs);
      await node.sweep(nowMs);
      at(afterMs, -hourMs);
      expect(await isAccepted(token)).toBe(false);
    }
    expect(await store.records.list("revocation")).toEqual([]);
  });

  it("of a time take what was issued before them while the clock was ahead, too", async () => {
    nowMs += 3_600_000;
    const [{ token }, { secret }] = [await issue(), await issuing()];
    nowMs -= 3_600_000;
    await node.revocations.revoke(openPrincipal, { what: "before", beforeMs: nowMs, keys: true });
    const later = await issue();
    expect([await isAccepted(token), await isAccepted(secret), await isAccepted(later.token)]).toEqual([
      false,
      false,
      true,
    ]);
  });

  it("of a later release, with what this one does not know, count as everything that was issued before", async () => {
    const { token } = await issue();
    const document = { what: "address", address: "10.0.0.0/8", atMs: nowMs, expiresAtMs: nowMs + 1000 };
    await store.records.create({ kind: "revocation", environment: "dev", name: "x" }, document);
    await node.refresh();
    expect([await isAccepted(token), await isAccepted((await issue()).token)]).toEqual([false, true]);
  });

  it("have a bound in each environment, which the deletion of a key does not run into", async () => {
    const create = (n: number) =>
      store.records.create(
        { kind: "revocation", environment: "dev", name: `${n}` },
        { what: "user", userId: `${n}`, atMs: nowMs, expiresAtMs: nowMs + 1000 },
      );
    await Promise.all(Array.from({ length: limits.revocation.perEnvironment }, (_, n) => create(n)));
    await node.refresh();
    const refusal = { code: "limit_exceeded", message: expect.stringContaining("rotate its signing key") };
    await expect(node.revocations.revoke(openPrincipal, { what: "user", userId: "alice" })).rejects.toMatchObject(
      refusal,
    );
    const { key, secret } = await issuing();
    await node.keys.delete(openPrincipal, key.keyId);
    expect(await isAccepted(secret)).toBe(false);
  });
});

it("deleted keys are counted by themselves: they keep nobody from revoking tokens, and past their bound no key is made", async () => {
  const { deletedMax } = limits.apiKey;
  const create = (n: number) =>
    store.records.create(
      { kind: "revocation", environment: "dev", name: `${n}` },
      { what: "key", keyId: `dev-${n.toString(16).padStart(16, "0")}`, atMs: nowMs, expiresAtMs: nowMs + 1000 },
    );
  const { key } = await issuing();
  await Promise.all(Array.from({ length: deletedMax }, (_, n) => create(n)));
  await node.refresh();
  const { token } = await issue({ userId: "alice" });
  await node.revocations.revoke(openPrincipal, { what: "user", userId: "alice" });
  expect(await isAccepted(token)).toBe(false);
  const refusal = { code: "limit_exceeded", message: expect.stringContaining(`${deletedMax} API keys were deleted`) };
  await expect(issuing()).rejects.toMatchObject(refusal);
  await expect(node.keys.delete(openPrincipal, key.keyId)).resolves.toBeUndefined();
});

describe("law: a token is accepted exactly if no matching revocation came after its issue", () => {
  const who = fc.constantFrom("a", "b", "c");
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("issue" as const), tokenId: who, userId: who }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("revoke token id" as const), tokenId: who }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("revoke user" as const), userId: who }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("revoke one" as const), which: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("revoke before" as const), backMs: fc.nat(5000) }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: -2000, max: 3000 }) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("start another node" as const) }) },
  );

  it("on one node, across restarts, whatever the clock does", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(step, { maxLength: 20, selector: (one) => one }), async (history) => {
        const environment = `law-${nowMs++}`;
        const principal = { ...openPrincipal, environment };
        const { revoke } = { revoke: (revocation: Revocation) => node.revocations.revoke(principal, revocation) };
        const issued: {
          token: string;
          jti: string;
          tokenId: string;
          userId: string;
          atMs: number;
          isRevoked: boolean;
        }[] = [];
        const mark = (matches: (one: (typeof issued)[number]) => boolean) => {
          for (const one of issued) one.isRevoked ||= matches(one);
        };
        for (const action of history) {
          if (action.do === "issue") {
            const { tokenId, userId } = action;
            const atMs = Math.floor(nowMs / 1000) * 1000;
            issued.push({ ...(await issue(action, principal)), tokenId, userId, atMs, isRevoked: false });
          } else if (action.do === "revoke token id") {
            await revoke({ what: "token-id", tokenId: action.tokenId });
            mark(({ tokenId }) => tokenId === action.tokenId);
          } else if (action.do === "revoke user") {
            await revoke({ what: "user", userId: action.userId });
            mark(({ userId }) => userId === action.userId);
          } else if (action.do === "revoke one") {
            const jti = issued[action.which % Math.max(1, issued.length)]?.jti ?? "none";
            await revoke({ what: "token", jti });
            mark((one) => one.jti === jti);
          } else if (action.do === "revoke before") {
            const beforeMs = nowMs - action.backMs;
            await revoke({ what: "before", beforeMs });
            mark(({ atMs }) => atMs < beforeMs);
          } else if (action.do === "wait") {
            nowMs += action.ms;
          } else {
            node = await store.node();
          }
          // Asked after each step, so that the memory of verified ones is full of what is revoked later.
          for (const { token, isRevoked } of issued) expect(await isAccepted(token)).toBe(!isRevoked);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("between two nodes whose hints are lost at will, as soon as both have compared with the store", async () => {
    const at = fc.constantFrom(0, 1);
    const what = fc.oneof(
      fc.record({ do: fc.constant("issue" as const), at, userId: who }),
      fc.record({ do: fc.constant("revoke" as const), at, userId: who }),
      fc.record({ do: fc.constant("refresh" as const), at }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(what, { maxLength: 20 }), fc.infiniteStream(fc.boolean()), async (history, losses) => {
        const principal = { ...openPrincipal, environment: `law-${nowMs++}` };
        const wire = aWire(() => losses.next().value);
        const nodes = [await store.node(wire[0]), await store.node(wire[1])];
        const issued: { token: string; userId: string; isRevoked: boolean; sawAll: boolean }[] = [];
        let revocations = 0;
        const seen = [0, 0];
        for (const action of history) {
          const here = nodes[action.at] as Access;
          if (action.do === "issue") {
            const { token } = await issue({ userId: action.userId }, principal, here);
            issued.push({ token, userId: action.userId, isRevoked: false, sawAll: seen[action.at] === revocations });
          } else if (action.do === "revoke") {
            await here.revocations.revoke(principal, { what: "user", userId: action.userId });
            for (const one of issued) one.isRevoked ||= one.userId === action.userId;
            seen[action.at] = ++revocations;
          } else {
            await here.refresh();
            seen[action.at] = revocations;
          }
        }
        for (const each of nodes) await each.refresh();
        for (const { token, isRevoked, sawAll } of issued) {
          for (const each of nodes) {
            const accepted = await isAccepted(token, each);
            // A node that has not heard of a revocation issues tokens that it may hit: never the other way round.
            if (isRevoked) expect(accepted).toBe(false);
            else if (sawAll) expect(accepted).toBe(true);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});
