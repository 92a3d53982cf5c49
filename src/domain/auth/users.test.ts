// Users whom an identity provider has signed in: their tokens carry no version of ours, so times tell what a revocation takes back.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type AccessStore, anAccessStore, elsewhere } from "../../../test/support/access.ts";
import { TodokuError } from "../errors.ts";
import type { Access } from "./access.ts";
import type { Identity, SignedInUser } from "./identity.ts";
import { openPrincipal } from "./open-access.ts";
import { type Principal, serverPrincipal } from "./principal.ts";
import type { Revocation } from "./revocations.ts";

const startMs = 1_800_000_000_000;
const leewayMs = 10_000;
let nowMs = startMs;
let asked = 0;
/** Stands for a provider: a token of it is the JSON of what it says. */
const identity: Identity = {
  verify(token) {
    if (!token.startsWith("{")) return undefined;
    asked++;
    const user = { environment: "dev", userId: "alice", grants: [], issuedAtMs: nowMs, leewayMs, ...JSON.parse(token) };
    if (user.refused !== undefined) throw new TodokuError(user.refused, "no");
    return { expiresAtMs: user.issuedAtMs + 3_600_000, ...user } satisfies SignedInUser;
  },
};
const environments = { known: (name: string) => (name === "gone" ? undefined : { createdAtMs: 1 }), onGone() {} };
let store: AccessStore;
let node: Access;
beforeAll(async () => {
  store = await anAccessStore(() => nowMs);
});
beforeEach(async () => {
  [nowMs, asked] = [startMs, 0];
  node = await store.node(undefined, { identity, environments });
});
afterEach(() => store.empty());
afterAll(() => store[Symbol.asyncDispose]());

const enter = async (user: Partial<SignedInUser> & { refused?: string; n?: number } = {}): Promise<Principal> =>
  node.auth.authenticate(JSON.stringify(user), elsewhere);
const revoke = (revocation: Revocation) => node.revocations.revoke(openPrincipal, revocation);

describe("a user who has signed in", () => {
  it("is a principal with its id, which stands at what it publishes", async () => {
    expect(await enter({ jti: "j" })).toMatchObject({
      ...{ kind: "user", environment: "dev", userId: "alice", tokenId: "alice", jti: "j", grants: [] },
      ...{ isSuperUser: false, isOperator: false, issuedAtMs: startMs, expiresAtMs: startMs + 3_600_000 },
    });
    await expect(enter({ environment: "gone" })).rejects.toThrow("this credential's environment is not here");
  });

  it("is asked for once, and never past the end of the token", async () => {
    const token = JSON.stringify({ issuedAtMs: startMs });
    await node.auth.authenticate(token, elsewhere);
    nowMs += 3_599_999;
    expect(node.auth.authenticate(token, elsewhere)).toMatchObject({ userId: "alice" });
    expect(asked).toBe(1);
    nowMs += 1;
    expect(() => node.auth.authenticate(token, elsewhere)).toThrow("this token has expired");
  });

  it("is refused as its provider's keys say, and unavailable is no refusal", async () => {
    await expect(enter({ refused: "unauthenticated" })).rejects.toMatchObject({ code: "unauthenticated" });
    await expect(enter({ refused: "unavailable" })).rejects.toMatchObject({ code: "unavailable" });
  });

  it("can be inspected, by what it says and whether it still counts", async () => {
    const token = JSON.stringify({ issuedAtMs: startMs });
    expect(await node.auth.inspect(token)).toMatchObject({ kind: "user", status: "valid", userId: "alice" });
    await revoke({ what: "user", userId: "alice" });
    expect(await node.auth.inspect(token)).toMatchObject({ kind: "user", status: "revoked" });
  });
});

describe("a revocation", () => {
  it.each<[string, Revocation]>([
    ["of the user", { what: "user", userId: "alice" }],
    ["of the id that it publishes with", { what: "token-id", tokenId: "alice" }],
    ["of the token", { what: "token", jti: "j" }],
    ["of all that was issued so far", { what: "before", beforeMs: startMs + 1 }],
    ["of all, whatever the clocks say", { what: "before", beforeMs: startMs + 86_400_000 }],
  ])("%s ends what is open, and takes back tokens that may be older (B10)", async (_, revocation) => {
    const principal = await enter({ jti: "j", issuedAtMs: startMs });
    const reasons: string[] = [];
    principal.withdrawal?.onDone((error) => reasons.push(error.message));
    await revoke(revocation);
    expect(reasons).toEqual(["this user's sign-in was revoked: sign in again"]);
    expect(() => node.auth.recheck(principal)).toThrow("revoked");
    for (const issuedAtMs of [startMs - 3_000_000, startMs, startMs + leewayMs]) {
      await expect(enter({ jti: "j", issuedAtMs }), String(issuedAtMs)).rejects.toThrow("revoked");
    }
  });

  it("lets in who signs in again, when no clock can have made that look newer than it is", async () => {
    await revoke({ what: "user", userId: "alice" });
    nowMs += leewayMs + 1000;
    expect(await enter({ issuedAtMs: startMs + leewayMs + 1000 })).toMatchObject({ userId: "alice" });
    await revoke({ what: "before", beforeMs: nowMs + 86_400_000 });
    nowMs += 120_000;
    expect(await enter({ issuedAtMs: nowMs })).toMatchObject({ userId: "alice" });
  });

  it("takes back nothing of others, nor what was issued after the time that it names", async () => {
    await revoke({ what: "user", userId: "bob" });
    await revoke({ what: "before", beforeMs: startMs - 60_000 });
    await revoke({ what: "token", jti: "another" });
    expect(await enter({ jti: "j" })).toMatchObject({ userId: "alice" });
    expect(await enter({ issuedAtMs: startMs - 50_000 })).toMatchObject({ userId: "alice" });
    await expect(enter({ issuedAtMs: startMs - 60_001 })).rejects.toThrow("revoked");
  });
});

describe("the server", () => {
  it("is a super user of each environment, and no operator", () => {
    expect(serverPrincipal("dev")).toMatchObject({ kind: "server", environment: "dev", isSuperUser: true });
    expect(serverPrincipal("dev")).toMatchObject({ isOperator: false, expiresAtMs: undefined });
    expect(serverPrincipal("prod").environment).toBe("prod");
  });
});
