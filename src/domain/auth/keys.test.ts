// API keys over the embedded engine: two nodes share its store, and the bus between them loses every hint unless a test says otherwise.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EmbeddedEngine, openEmbeddedEngine } from "../../engines/embedded/index.ts";
import { type Bus, silentBus } from "../bus.ts";
import type { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { KeyRequest } from "./api-key.ts";
import { createAuth } from "./auth.ts";
import { wrapCredential } from "./credential.ts";
import type { Grant, TokenGrant } from "./grants.ts";
import { createKeys, type Keys } from "./keys.ts";
import { openPrincipal } from "./open-access.ts";
import type { Caller, Principal } from "./principal.ts";
import { createTokens, type Tokens } from "./tokens.ts";

const elsewhere: Caller = { isLoopbackPeer: false, host: "todoku.example", origin: undefined, secFetchSite: undefined };
const publish: TokenGrant = { resource: "topic", role: "publish", cache: { name: "c" }, topic: { all: true } };
const send: TokenGrant = { resource: "queue", role: "send", queue: { name: "orders" } };
const worker: KeyRequest = { description: "the worker", isSuperUser: false, grants: [publish] };
const admin: KeyRequest = { description: "", isSuperUser: true, grants: [] };

let directory: string;
let engine: EmbeddedEngine;
let keys: Keys;
let tokens: Tokens;
const nowMs = 1_800_000_000_000;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "todoku-keys-"));
  engine = await openEmbeddedEngine({ dataDir: directory, wallMs: () => nowMs });
  keys = createKeys(engine, () => nowMs);
  tokens = createTokens(engine.records, () => nowMs);
});
afterEach(async () => {
  await engine.close();
  await rm(directory, { recursive: true });
});

const anAuth = (ofKeys = keys) =>
  createAuth({ keys: ofKeys, tokens }, { isOpen: false, devOrigins: [], devKey: undefined }, () => nowMs);
const refusal = { code: "unauthenticated", message: "this API key is not known here" };

describe("API keys", () => {
  it("say who their bearer is, bare or wrapped, from any machine, also after a restart", async () => {
    const { key, secret } = await keys.create(openPrincipal, worker);
    expect(key).toEqual({ ...worker, keyId: expect.stringMatching(/^dev-[0-9a-f]{16}$/), createdAtMs: nowMs });
    expect(secret).toMatch(new RegExp(`^tdk_${key.keyId}_[\\w-]{43}$`));
    await engine.close();
    engine = await openEmbeddedEngine({ dataDir: directory, wallMs: () => nowMs });
    const auth = anAuth(createKeys(engine, () => nowMs));
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
    const stored = JSON.stringify([await engine.records.list("api-key"), await keys.list(openPrincipal)]);
    expect(stored).not.toContain(random);
    expect(stored).not.toContain(Buffer.from(random, "base64url").toString("hex"));
  });

  it("are refused with any other character in them, and the refusal does not repeat them", async () => {
    const { secret } = await keys.create(openPrincipal, worker);
    await keys.verify(secret);
    for (let at = 0; at < secret.length; at++) {
      const forged = secret.slice(0, at) + (secret[at] === "a" ? "b" : "a") + secret.slice(at + 1);
      const error = await Promise.resolve(anAuth().authenticate(forged, elsewhere)).catch(
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
      engine.records.create({ kind: "api-key", environment: "dev", name: `dev-${n}` }, { description: "" });
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
    const document = (await engine.records.read(name))?.document;
    await engine.records.replace(name, { ...document, onlyFrom: "10.0.0.0/8" }, 1);
    const reason = `API key "${key.keyId}" was made by a later release, with what this one does not know`;
    await expect(keys.verify(secret)).rejects.toMatchObject({ code: "unauthenticated", message: reason });
    // The list cannot show it, but says which one is in the way; it can be deleted.
    await expect(keys.list(openPrincipal)).rejects.toMatchObject({ code: "failed_precondition", message: reason });
    await keys.delete(openPrincipal, key.keyId);
    expect(await keys.list(openPrincipal)).toEqual([]);
  });
});

describe("a deleted API key", () => {
  it("is refused at once, though it was remembered, and ends what it had open", async () => {
    const { key, secret } = await keys.create(openPrincipal, worker);
    const auth = anAuth();
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
    const others = createKeys(engine.secondHandle(silentBus), () => nowMs);
    const auth = anAuth(others);
    const errors = ending(await auth.authenticate(secret, elsewhere));
    await keys.delete(openPrincipal, key.keyId);
    await others.refresh();
    await expect(async () => auth.authenticate(secret, elsewhere)).rejects.toMatchObject(refusal);
    expect(errors).toHaveLength(1);
  });

  it("is refused on another node as soon as the hint comes", async () => {
    const [here, there] = aWire();
    keys = createKeys({ records: engine.records, bus: here }, () => nowMs);
    const { key, secret } = await keys.create(openPrincipal, worker);
    const others = createKeys(engine.secondHandle(there), () => nowMs);
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

/** Two ends of a bus that loses nothing. */
function aWire(): [Bus, Bus] {
  const listeners: [Parameters<Bus["listen"]>[0][], Parameters<Bus["listen"]>[0][]] = [[], []];
  const end = (own: 0 | 1): Bus => ({
    send(hint) {
      for (const listener of listeners[own === 0 ? 1 : 0]) listener(hint);
    },
    listen(onHint) {
      listeners[own].push(onHint);
      return () => void listeners[own].splice(listeners[own].indexOf(onHint), 1);
    },
  });
  return [end(0), end(1)];
}
