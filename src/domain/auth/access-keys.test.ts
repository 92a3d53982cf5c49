// Access keys over the embedded engine: API keys that AWS clients sign with.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type AccessStore, anAccessStore, aWire, elsewhere } from "../../../test/support/access.ts";
import { TimerWheel } from "../../lib/timer-wheel.ts";
import { RateLimiter } from "../limiting/rate-limiter.ts";
import { serverRateSettingsSchema } from "../limiting/settings.ts";
import type { Access } from "./access.ts";
import type { KeyRequest } from "./api-key.ts";
import type { Grant } from "./grants.ts";
import { openPrincipal } from "./open-access.ts";

const send: Grant = { resource: "queue", role: "send", queue: { name: "orders" } };
const worker: KeyRequest = { isSuperUser: false, grants: [send], withAccessKey: true };
const startMs = 1_800_000_000_000;

let store: AccessStore;
let access: Access;
let nowMs = startMs;

beforeAll(async () => {
  store = await anAccessStore(() => nowMs);
});
beforeEach(async () => {
  nowMs = startMs;
  access = await store.node();
});
afterEach(() => store.empty());
afterAll(() => store[Symbol.asyncDispose]());

/** A new one, and how it is used. */
async function anAccessKey(request: Partial<KeyRequest> = {}, { keys, auth } = access) {
  const made = await keys.create(openPrincipal, { ...worker, ...request });
  const { accessKeyId = "", secretAccessKey = "" } = made.accessKey ?? {};
  const use = (secret = secretAccessKey, by = auth) =>
    Promise.resolve().then(() => by.authenticateSigned(accessKeyId, elsewhere, (own) => own === secret));
  return { ...made, accessKeyId, secretAccessKey, use };
}

const unknown = { code: "unauthenticated", subject: "access_key" };
const wrong = { code: "unauthenticated", subject: "signature" };

describe("an access key", () => {
  it("is its API key: the same principal, whichever of the two was used, after a restart too", async () => {
    const { key, secret, accessKeyId, use } = await anAccessKey();
    expect(accessKeyId).toBe(key.keyId);
    const principal = await use();
    expect(principal).toMatchObject({ kind: "key", environment: "dev", keyId: key.keyId, grants: [send] });
    expect(await use()).toBe(principal);
    expect(await access.auth.authenticate(secret, elsewhere)).toBe(principal);
    const { auth } = await store.node();
    expect(await use(undefined, auth)).toMatchObject({ keyId: key.keyId, grants: [send] });
  });

  it("is for keys that were made with one only, and the list says which", async () => {
    const without = await anAccessKey({ withAccessKey: false });
    const { key } = await anAccessKey();
    expect(without.accessKeyId).toBe("");
    const used = access.auth.authenticateSigned(without.key.keyId, elsewhere, () => true);
    await expect(used).rejects.toMatchObject({ ...unknown, message: "this access key is not known here" });
    const listed = await access.keys.list(openPrincipal);
    expect(listed.map(({ keyId, hasAccessKey }) => [keyId, hasAccessKey])).toEqual([
      [without.key.keyId, false],
      [key.keyId, true],
    ]);
  });

  it("is stored sealed: neither the store nor a list nor an error has its secret", async () => {
    const { secretAccessKey, use } = await anAccessKey();
    const refusal = await use("another").catch(String);
    const seen = JSON.stringify([await store.records.list("api-key"), await access.keys.list(openPrincipal), refusal]);
    expect(seen.includes(secretAccessKey)).toBe(false);
    expect(seen.includes(Buffer.from(secretAccessKey).toString("base64"))).toBe(false);
  });

  it("opens nowhere else: its sealed secret in the record of another key is worth nothing", async () => {
    const [mine, other] = [await anAccessKey(), await anAccessKey()];
    const [own, others] = await Promise.all(
      [mine, other].map(({ accessKeyId: name }) => store.records.read({ kind: "api-key", environment: "dev", name })),
    );
    if (!own || !others) throw new Error("they were just made");
    await store.records.replace(
      others,
      { ...others.document, accessSecret: own.document.accessSecret },
      others.version,
    );
    await expect(other.use(mine.secretAccessKey)).rejects.toMatchObject({ code: "internal" });
  });

  it.each(["dev-0123456789abcdef", "AKIAIOSFODNN7EXAMPLE", "nowhere-0123456789abcdef", "dev-key", ""])(
    "is refused when it is none: %j",
    async (accessKeyId) => {
      const used = Promise.resolve().then(() => access.auth.authenticateSigned(accessKeyId, elsewhere, () => true));
      await expect(used).rejects.toMatchObject(unknown);
    },
  );

  it("is refused with another secret, before and after it has been used, and that is counted", async () => {
    const clock = { monotonicMs: () => nowMs };
    const rates = new RateLimiter({
      ...{ clock, wheel: new TimerWheel(clock) },
      settings: serverRateSettingsSchema.parse({ failedCredentialsPerMinute: 3 }),
      settingsOf: () => undefined,
    });
    const node = await store.node(undefined, { rates });
    const { use } = await anAccessKey({}, node);
    await expect(use("another")).rejects.toMatchObject(wrong);
    await use();
    await expect(use("another")).rejects.toMatchObject(wrong);
    await expect(use("another")).rejects.toMatchObject(wrong);
    await expect(use("another")).rejects.toMatchObject({ code: "limit_exceeded" });
    await use();
  });

  it("ends with its API key: expired, deleted, also by another node, and its open streams with it", async () => {
    const [here, there] = aWire();
    const [node, other] = [await store.node(here), await store.node(there)];
    const [deleted, expired] = [await anAccessKey({}, node), await anAccessKey({ validForMs: 5000 }, node)];
    const principal = await deleted.use();
    await expired.use();
    await other.keys.delete(openPrincipal, deleted.key.keyId);
    await node.refresh();
    expect(principal.withdrawal?.isDone).toBe(true);
    await expect(deleted.use()).rejects.toMatchObject(unknown);
    nowMs += 5000;
    await expect(expired.use()).rejects.toMatchObject({ message: "this API key has expired" });
    await expect(expired.use("another")).rejects.toMatchObject(wrong);
  });

  it("has the rights of its API key as they are changed", async () => {
    const { key, use } = await anAccessKey();
    await use();
    await access.keys.update(openPrincipal, key.keyId, { isSuperUser: true });
    expect(await use()).toMatchObject({ isSuperUser: true, grants: [] });
  });

  it("has the rights that its API key has when it is let in, though its secret was looked up before they were changed", async () => {
    const sealer = store.sealer();
    const opening = Promise.withResolvers<void>();
    const changed = Promise.withResolvers<void>();
    const open: typeof sealer.open = async (...of) => {
      opening.resolve();
      await changed.promise;
      return sealer.open(...of);
    };
    const node = await store.node(undefined, { sealer: { seal: (...of) => sealer.seal(...of), open } });
    const { key, use } = await anAccessKey({ isSuperUser: true, grants: [] }, node);
    const used = use();
    await opening.promise;
    await node.keys.update(openPrincipal, key.keyId, { isSuperUser: false, grants: [send] });
    changed.resolve();
    expect(await used).toMatchObject({ isSuperUser: false, grants: [send] });
    expect(await use()).toMatchObject({ isSuperUser: false, grants: [send] });
  });

  it("is another one after its API key was renewed", async () => {
    const { keys, auth } = access;
    const made = await keys.create(openPrincipal, { ...worker, validForMs: 60_000, withRefreshToken: true });
    const renewed = await keys.renew(made.secret, made.refreshToken ?? "");
    expect(renewed.accessKey?.accessKeyId).toBe(renewed.key.keyId);
    expect(renewed.accessKey?.secretAccessKey === made.accessKey?.secretAccessKey).toBe(false);
    const isOfRenewed = (secret: string) => secret === renewed.accessKey?.secretAccessKey;
    const principal = await auth.authenticateSigned(renewed.key.keyId, elsewhere, isOfRenewed);
    expect(principal.keyId).toBe(renewed.key.keyId);
  });
});

describe("the key of a handler", () => {
  it("may be one that may do nothing", async () => {
    const { use } = await anAccessKey({ grants: [], isOfHandler: true });
    expect(await use()).toMatchObject({ isSuperUser: false, grants: [] });
    await expect(anAccessKey({ grants: [] })).rejects.toMatchObject({ code: "invalid_argument" });
  });
});

describe("dev mode", () => {
  const local = { ...elsewhere, address: "127.0.0.1", isLoopbackPeer: true, host: "localhost:8080" };

  it("takes whatever AWS clients sign with for the empty credential, where that is taken, but our own access keys as such", async () => {
    const { auth } = await store.node(undefined, { access: { isOpen: true, devOrigins: [], devKey: undefined } });
    const never = () => {
      throw new Error("there is no secret to compare with");
    };
    expect(await auth.authenticateSigned("AKTEST", local, never)).toBe(openPrincipal);
    expect(() => auth.authenticateSigned("AKTEST", elsewhere, never)).toThrow("it came from another machine");
    const { key, use } = await anAccessKey();
    expect(await use(undefined, auth)).toMatchObject({ keyId: key.keyId, grants: [send] });
    await expect(use("another", auth)).rejects.toMatchObject(wrong);
  });

  it("takes --dev-key as the secret of the access key dev-key", async () => {
    const { auth } = await store.node(undefined, { access: { isOpen: false, devOrigins: [], devKey: "the-key" } });
    const used = await auth.authenticateSigned("dev-key", elsewhere, (secret) => secret === "the-key");
    expect(used).toMatchObject({ kind: "key", environment: "dev", isSuperUser: true });
    await expect(auth.authenticateSigned("dev-key", elsewhere, () => false)).rejects.toMatchObject(wrong);
  });
});
