import { decodeProtectedHeader } from "jose";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type AccessStore, anAccessStore, aWire, elsewhere } from "../../../test/support/access.ts";
import { limits } from "../limits.ts";
import type { Access } from "./access.ts";
import type { TokenGrant } from "./grants.ts";
import { openPrincipal } from "./open-access.ts";

const grants: TokenGrant[] = [{ resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { name: "t" } }];
const hourMs = 3_600_000;

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

const issue = async (at = node, principal = openPrincipal) =>
  (await at.tokens.issue(principal, { grants, tokenId: "", validForMs: 25 * hourMs })).token;
const rotate = (overlapMs?: number) =>
  node.signingKeys.rotate(openPrincipal, overlapMs === undefined ? {} : { overlapMs });
const use = async (token: string, at = node) => at.auth.authenticate(token, elsewhere);
const refused = { code: "unauthenticated" };

describe("rotating the signing key", () => {
  it("signs with the new one at once, and still accepts tokens of the older one until it retires", async () => {
    const old = await issue();
    const { kid, isCurrent } = await rotate(hourMs);
    const fresh = await issue();
    expect([isCurrent, decodeProtectedHeader(fresh).kid]).toEqual([true, kid]);
    nowMs += hourMs - 1;
    await use(old);
    await node.tokens.verify(old);
    nowMs += 1;
    await expect(node.tokens.verify(old)).rejects.toMatchObject(refused);
    await node.sweep(nowMs);
    await expect(use(old)).rejects.toMatchObject(refused);
    await use(fresh);
  });

  it("ends remembered tokens and open streams with the sweep after the older key has retired", async () => {
    const { withdrawal } = await use(await issue());
    const reasons: string[] = [];
    withdrawal?.onDone((error) => reasons.push(error.message));
    await rotate(1000);
    nowMs += 999;
    await node.sweep(nowMs);
    expect(reasons).toEqual([]);
    nowMs += 1;
    await node.sweep(nowMs);
    expect(reasons).toEqual(["this token was revoked"]);
  });

  it("with no overlap voids all tokens that were issued so far, on this node before it answers", async () => {
    const old = await issue();
    const principal = await use(old);
    const reasons: string[] = [];
    principal.withdrawal?.onDone((error) => reasons.push(error.message));
    await rotate(0);
    expect(reasons).toEqual(["this token was revoked"]);
    expect(() => node.auth.recheck(principal)).toThrow("this token was revoked");
    await expect(use(old)).rejects.toMatchObject(refused);
    await use(await issue());
    nowMs -= hourMs; // a clock that is set back brings none back
    await expect(use(old)).rejects.toMatchObject(refused);
    await store.restart();
    await expect((await store.node()).tokens.verify(old)).rejects.toMatchObject(refused);
  });

  it("leaves other environments and API keys alone", async () => {
    const prod = { ...openPrincipal, environment: "prod" };
    const token = await issue(node, prod);
    const { secret } = await node.keys.create(openPrincipal, { isSuperUser: true, grants: [] });
    await rotate(0);
    for (const credential of [token, secret]) await expect(use(credential)).resolves.toBeDefined();
  });

  it("keeps the end that an earlier rotation set, when a later one allows more", async () => {
    const old = await issue();
    await rotate(hourMs);
    await rotate(24 * hourMs);
    nowMs += hourMs;
    await expect(node.tokens.verify(old)).rejects.toMatchObject(refused);
  });

  it("overlaps for as long as a token may live, unless it is told otherwise", async () => {
    const old = await issue();
    await rotate();
    nowMs += 25 * hourMs - 1000;
    await node.tokens.verify(old);
    nowMs += 1000;
    await expect(node.tokens.verify(old)).rejects.toMatchObject(refused);
  });

  it("lists those that are live, the oldest first, and deletes those that have retired", async () => {
    const first = await node.signingKeys.current("dev");
    const second = await rotate(hourMs);
    expect(await node.signingKeys.list(openPrincipal)).toEqual([
      { kid: first.kid, createdAtMs: nowMs, retiresAtMs: nowMs + hourMs, isCurrent: false },
      { kid: second.kid, createdAtMs: nowMs, isCurrent: true },
    ]);
    nowMs += hourMs;
    expect(await node.signingKeys.list(openPrincipal)).toEqual([second]);
    expect(await store.records.list("signing-key")).toHaveLength(2);
    await node.sweep(nowMs);
    expect((await store.records.list("signing-key")).map(({ name }) => name)).toEqual([second.kid]);
  });

  it("stops at ten keys that verify, but never with no overlap", async () => {
    for (let n = 0; n < limits.signingKey.perEnvironment; n++) await rotate(hourMs);
    await expect(rotate(hourMs)).rejects.toMatchObject({ code: "limit_exceeded" });
    await rotate(0);
    expect(await node.signingKeys.list(openPrincipal)).toHaveLength(1);
  });

  it.each([-1, 0.5, Number.NaN, limits.signingKey.overlapMs.max + 1])(
    "is refused with an overlap of %d",
    async (overlapMs) => {
      await expect(rotate(overlapMs)).rejects.toMatchObject({ code: "invalid_argument" });
    },
  );

  it("is for super users, as the list is", async () => {
    const principal = await use((await node.keys.create(openPrincipal, { isSuperUser: false, grants })).secret);
    await expect(node.signingKeys.rotate(principal)).rejects.toMatchObject({ code: "permission_denied" });
    await expect(node.signingKeys.list(principal)).rejects.toMatchObject({ code: "permission_denied" });
  });
});

describe("signing keys of several nodes", () => {
  it("another node's new key is found when a token of it comes, though every hint is lost", async () => {
    const other = await store.node();
    await issue(other);
    await rotate();
    await expect(use(await issue(), other)).resolves.toBeDefined();
  });

  it("a node signs with the newest after its next comparison with the store, or as soon as the hint comes", async () => {
    const [here, there] = aWire();
    node = await store.node(here);
    const [deaf, hearing] = [await store.node(), await store.node(there)];
    await Promise.all([issue(deaf), issue(hearing)]);
    const changed = new Promise<void>((resolve) => hearing.signingKeys.onChanged(resolve));
    const { kid } = await rotate();
    await changed;
    await deaf.refresh();
    for (const each of [deaf, hearing]) expect(decodeProtectedHeader(await issue(each)).kid).toBe(kid);
  });

  it("a rotation with no overlap voids tokens on another node with its next comparison", async () => {
    const other = await store.node();
    const token = await issue();
    await use(token, other);
    await rotate(0);
    await other.refresh();
    await expect(use(token, other)).rejects.toMatchObject(refused);
  });

  it("two that make the first key at once accept the tokens of both", async () => {
    const nodes = [node, await store.node()];
    const tokens = await Promise.all(nodes.map((each) => issue(each)));
    for (const token of tokens) for (const each of nodes) await expect(use(token, each)).resolves.toBeDefined();
  });
});

describe("the signing key of an earlier release, which kept it plain", () => {
  it("is sealed at the start; its tokens stay good", async () => {
    const secret = Buffer.alloc(32, 7).toString("base64url");
    const key = { kind: "signing-key", environment: "dev", name: "old" };
    await store.records.create(key, { secret, createdAtMs: nowMs });
    node = await store.node();
    const token = await issue();
    expect(decodeProtectedHeader(token).kid).toBe("old");
    const document = (await store.records.read(key))?.document;
    expect([document?.secret, JSON.stringify(document).includes(secret)]).toEqual([undefined, false]);
    expect(Buffer.from((await node.signingKeys.find("dev", "old")) ?? []).toString("base64url")).toBe(secret);
    await store.restart();
    await expect((await store.node()).tokens.verify(token)).resolves.toBeDefined();
  });
});
