// What ends a credential from outside: revocations have their own tests; here environments, rates, and the memory of verified credentials.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type AccessStore, anAccessStore } from "../../../test/support/access.ts";
import { silentBus } from "../bus.ts";
import { TodokuError } from "../errors.ts";
import { noRates, type Rates } from "../limiting/rates.ts";
import { apiKeyRecordKind } from "./api-key.ts";
import type { TokenGrant } from "./grants.ts";
import { openPrincipal } from "./open-access.ts";
import type { Caller } from "./principal.ts";
import type { CredentialFacts } from "./revocations.ts";
import { type KnownEnvironments, Withdrawals } from "./withdrawal.ts";

const caller: Caller = {
  ...{ address: "127.0.0.1", isLoopbackPeer: true, host: "localhost" },
  ...{ origin: undefined, secFetchSite: undefined },
};
const grants: TokenGrant[] = [{ resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { name: "t" } }];
const access = { isOpen: true, devOrigins: [], devKey: undefined };
const nowMs = 1_800_000_000_000;

let store: AccessStore;
beforeAll(async () => {
  store = await anAccessStore(() => nowMs);
});
afterEach(() => store.empty());
afterAll(() => store[Symbol.asyncDispose]());

/** Environments that a test makes and destroys. */
function someEnvironments(...names: string[]) {
  const here = new Map(names.map((name) => [name, { createdAtMs: 1 }]));
  const listeners: ((name: string) => void)[] = [];
  return {
    known: (name) => here.get(name),
    onGone: (listener) => void listeners.push(listener),
    destroy(name: string) {
      here.delete(name);
      for (const listener of listeners) listener(name);
    },
    make: (name: string, createdAtMs: number) => void here.set(name, { createdAtMs }),
  } satisfies KnownEnvironments & Record<string, unknown>;
}

describe("when its environment goes", () => {
  it("a key that was being made then does not come to be in one that is made with its name", async () => {
    const environments = someEnvironments("dev");
    const { keys } = await store.node(silentBus, { environments, access });
    const making = keys.create(openPrincipal, { isSuperUser: true, grants: [] });
    environments.destroy("dev");
    environments.make("dev", 2);
    await expect(making).rejects.toMatchObject({ code: "not_found", subject: "environment" });
    expect(await store.records.list(apiKeyRecordKind)).toEqual([]);
  });

  it("a key, a token and the empty credential are refused, and their open streams end; the same when it is made anew", async () => {
    const environments = someEnvironments("dev", "prod");
    const { auth, keys, tokens } = await store.node(silentBus, { environments, access });
    const { secret } = await keys.create(openPrincipal, { isSuperUser: true, grants: [] });
    const { token } = await tokens.issue(openPrincipal, { grants, tokenId: "", validForMs: 60_000 });
    const principals = [await auth.authenticate(secret, caller), await auth.authenticate(token, caller)];
    const reasons: string[] = [];
    for (const { withdrawal } of principals) withdrawal?.onDone((error) => reasons.push(error.message));
    const other = await keys.create(openPrincipal, { isSuperUser: true, grants: [] }, "prod");
    environments.destroy("dev");
    const gone = "this credential's environment is not here";
    expect(reasons).toEqual([gone, gone]);
    for (const credential of [secret, token]) {
      await expect(async () => auth.authenticate(credential, caller)).rejects.toThrow(gone);
      expect((await auth.inspect(credential)).status).toBe("unknown");
    }
    expect(() => auth.authenticate("", caller)).toThrow('the environment "dev" of this credential is not here');
    await expect(keys.create(openPrincipal, { isSuperUser: true, grants: [] })).rejects.toMatchObject({
      code: "not_found",
    });
    environments.make("dev", 2);
    for (const principal of principals) expect(() => auth.recheck(principal)).toThrow(gone);
    expect(auth.authenticate("", caller)).toBe(openPrincipal);
    await expect(auth.authenticate(other.secret, caller)).resolves.toMatchObject({ environment: "prod" });
  });

  it("the key of --dev-key is refused, remembered or not", async () => {
    const environments = someEnvironments("dev");
    const devKey = "todoku_dev_key";
    const { auth } = await store.node(silentBus, { environments, access: { ...access, isOpen: false, devKey } });
    const principal = await auth.authenticate(devKey, caller);
    environments.destroy("dev");
    const gone = 'the environment "dev" of this credential is not here';
    await expect(async () => auth.authenticate(devKey, caller)).rejects.toThrow(gone);
    expect(() => auth.recheck(principal)).toThrow(gone);
    const another = await store.node(silentBus, { environments, access: { ...access, isOpen: false, devKey } });
    await expect(async () => another.auth.authenticate(devKey, caller)).rejects.toThrow(gone);
  });

  it("a principal that nothing listened to is refused too, though an environment of its name is there again", async () => {
    const environments = someEnvironments("dev");
    const { auth, keys } = await store.node(silentBus, { environments });
    const { secret } = await keys.create(openPrincipal, { isSuperUser: true, grants: [] });
    const principal = await auth.authenticate(secret, caller);
    environments.destroy("dev");
    environments.make("dev", 2);
    expect(() => auth.recheck(principal)).toThrow("environment is not here");
  });
});

describe("withdrawals", () => {
  it("are kept while somebody listens, and only then", () => {
    const never = { isRevoked: () => false, onRevoked() {} };
    const withdrawals = new Withdrawals(never, { isLive: () => true, onChanged() {} });
    const facts: CredentialFacts = {
      ...{ kind: "token", environment: "dev", isOperator: false, tokenId: "" },
      ...{ issuedAtMs: 0, version: 0 },
    };
    const some = Array.from({ length: 3 }, () => withdrawals.admit(facts));
    expect(withdrawals.size).toBe(0);
    const stops = some.flatMap((withdrawal) => [withdrawal.onDone(() => {}), withdrawal.onDone(() => {})]);
    expect(withdrawals.size).toBe(3);
    for (const stop of stops.slice(1)) stop();
    expect(withdrawals.size).toBe(1);
    some[0]?.withdraw("gone");
    expect(withdrawals.size).toBe(0);
  });
});

describe("the rates of callers", () => {
  /** Notes what it is asked. */
  function noting(calls: string[], refuse: (call: string) => boolean = () => false): Rates {
    const note = (call: string) => {
      calls.push(call);
      if (refuse(call)) throw new TodokuError("limit_exceeded", "too many");
    };
    return {
      ...noRates,
      admit: () => note("admit"),
      admitUnknown: () => note("unknown"),
      refused: () => note("refused"),
    };
  }

  it("count each call that is let in once, and verifications and refusals of what is not remembered", async () => {
    const calls: string[] = [];
    const { auth, keys } = await store.node(silentBus, { rates: noting(calls), access });
    const { secret } = await keys.create(openPrincipal, { isSuperUser: true, grants: [] });
    const principal = await auth.authenticate(secret, caller);
    await auth.authenticate(secret, caller);
    auth.recheck(principal);
    auth.authenticate("", caller);
    await expect(auth.authenticate("nonsense", caller)).rejects.toMatchObject({ code: "unauthenticated" });
    await expect(auth.inspect("nonsense", caller)).rejects.toMatchObject({ code: "unauthenticated" });
    expect(calls).toEqual(["unknown", "admit", "admit", "admit", "unknown", "refused", "unknown", "refused"]);
  });

  it("refuse one who tries too many credentials before any is looked at, and one who calls too often", async () => {
    const calls: string[] = [];
    const { auth, keys } = await store.node(silentBus, { rates: noting(calls, (call) => call === "unknown") });
    const { secret } = await keys.create(openPrincipal, { isSuperUser: true, grants: [] });
    await expect(auth.authenticate(secret, caller)).rejects.toMatchObject({ code: "limit_exceeded" });
    const busy = await store.node(silentBus, { rates: noting([], (call) => call === "admit") });
    await expect(busy.auth.authenticate(secret, caller)).rejects.toMatchObject({ code: "limit_exceeded" });
    expect(() => busy.auth.authenticate(secret, caller)).toThrow("too many");
    expect(calls).toEqual(["unknown"]);
  });
});

describe("whom somebody else knows", () => {
  it("counts as who brings a credential: nobody can try without end at a backend behind a hook", async () => {
    const counts = { unknown: 0, refused: 0, admit: 0 };
    const rates: Rates = {
      ...noRates,
      admitUnknown() {
        if (++counts.unknown > 3) throw new TodokuError("limit_exceeded", "too many");
      },
      refused: () => void counts.refused++,
      admit: () => void counts.admit++,
    };
    const { auth } = await store.node(silentBus, { rates });
    let asked = 0;
    const ask = (error?: TodokuError) => async () => {
      asked++;
      if (error) throw error;
      return openPrincipal;
    };
    expect(await auth.identify(caller, ask())).toBe(openPrincipal);
    for (const code of ["unauthenticated", "unavailable"] as const)
      await expect(auth.identify(caller, ask(new TodokuError(code, "no")))).rejects.toMatchObject({ code });
    expect(counts).toEqual({ unknown: 3, refused: 1, admit: 1 });
    await expect(auth.identify(caller, ask())).rejects.toMatchObject({ code: "limit_exceeded" });
    expect(asked).toBe(3);
  });
});

describe("inspecting a credential", () => {
  it("says what a key and a token are, in every form, and whether they are valid, expired or revoked", async () => {
    let atMs = nowMs;
    await using other = await anAccessStore(() => atMs);
    const { auth, keys, tokens, revocations } = await other.node();
    const made = await keys.create(openPrincipal, { isSuperUser: false, grants, name: "worker", validForMs: 1000 });
    const { keyId } = made.key;
    expect(await auth.inspect(made.secret)).toEqual({
      ...{ kind: "key", status: "valid", environment: "dev", keyId, name: "worker", tokenId: "", grants },
      ...{ issuedAtMs: nowMs, expiresAtMs: nowMs + 1000, isSuperUser: false, isOperator: false },
    });
    const request = { grants, tokenId: "phone", userId: "alice", validForMs: 1000 };
    const { token, jti } = await tokens.issue(openPrincipal, request);
    expect(await auth.inspect(token)).toEqual({
      ...{ kind: "token", status: "valid", environment: "dev", tokenId: "phone", userId: "alice", jti, grants },
      ...{ issuedAtMs: nowMs, expiresAtMs: nowMs + 1000, isSuperUser: false, isOperator: false },
    });
    atMs += 1000;
    expect([(await auth.inspect(token)).status, (await auth.inspect(made.secret)).status]).toEqual([
      "expired",
      "expired",
    ]);
    await revocations.revoke(openPrincipal, { what: "user", userId: "alice" });
    expect((await auth.inspect(token)).status).toBe("revoked");
    await expect(auth.inspect("nonsense")).rejects.toMatchObject({ code: "unauthenticated" });
    await expect(auth.inspect("")).rejects.toMatchObject({ code: "unauthenticated" });
  });
});
