// Rotation over the embedded engine; nodes share its store, and a node may end before or after any of its writes.
import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { anEngine, type TestEngine } from "../../../test/support/engine.ts";
import type { EmbeddedEngine } from "../../engines/embedded/index.ts";
import { type Access, createAccess } from "../auth/access.ts";
import type { KeyRequest } from "../auth/api-key.ts";
import { toV2, unwrapCredential, wrapCredential } from "../auth/credential.ts";
import type { Grant } from "../auth/grants.ts";
import { openPrincipal } from "../auth/open-access.ts";
import type { Principal } from "../auth/principal.ts";
import { silentBus } from "../bus.ts";
import { MasterKey } from "../encryption/master-key.ts";
import { createSealer } from "../encryption/sealer.ts";
import { TodokuError } from "../errors.ts";
import type { RecordStore } from "../records/store.ts";
import { createKeyRotation, type KeyRotation } from "./key-rotation.ts";
import { createSecrets, type Secrets } from "./secrets.ts";

const masterKey = new MasterKey(randomBytes(32));
const publish: Grant = { resource: "topic", role: "publish", cache: { name: "c" }, topic: { all: true } };
const worker: KeyRequest = { name: "worker", description: "the worker", isSuperUser: false, grants: [publish] };
const tenMinutesMs = 600_000;

const startMs = 1_800_000_000_000;
let nowMs = startMs;
let store: TestEngine;
let engine: EmbeddedEngine;
let here: Node;

beforeAll(async () => {
  store = await anEngine({ wallMs: () => nowMs });
  ({ engine } = store);
});
beforeEach(async () => {
  nowMs = startMs;
  here = await aNode();
});
afterEach(() => store.empty());
afterAll(() => store[Symbol.asyncDispose]());

interface Node extends Pick<Access, "keys"> {
  readonly secrets: Secrets;
  readonly rotation: KeyRotation;
}

async function aNode(records: RecordStore = engine.records): Promise<Node> {
  const wallMs = () => nowMs;
  const sealer = createSealer(records, masterKey);
  const access = createAccess({ engine: { records, bus: silentBus }, sealer, wallMs });
  await access.start();
  const environments = { known: () => ({ secretsFrom: [] }) };
  const secrets = createSecrets({ records, sealer, environments, wallMs });
  return { keys: access.keys, secrets, rotation: createKeyRotation({ records, sealer, keys: access.keys, wallMs }) };
}

/** Ends at write `number` (from 1 on): before it is done, or when it is done but not yet answered. */
function ending(number: number, when: "before" | "after"): RecordStore & { readonly hasEnded: boolean } {
  let writes = 0;
  const write = async <T>(call: () => Promise<T>): Promise<T> => {
    if (++writes > number || (writes === number && when === "before")) throw new TodokuError("unavailable", "ended");
    const done = await call();
    if (writes === number) throw new TodokuError("unavailable", "ended");
    return done;
  };
  return {
    get hasEnded() {
      return writes >= number;
    },
    create: (...args) => write(() => engine.records.create(...args)),
    replace: (...args) => write(() => engine.records.replace(...args)),
    renew: (...args) => write(() => engine.records.renew(...args)),
    remove: (...args) => write(() => engine.records.remove(...args)),
    read: (key) => engine.records.read(key),
    list: (...args) => engine.records.list(...args),
  };
}

/** Makes a key and puts it into the secret `app-key`. */
async function aKeyInASecret(request: KeyRequest = worker, inForm = (secret: string) => secret) {
  const { key, secret } = await here.keys.create(openPrincipal, request);
  await here.secrets.put(openPrincipal, "app-key", inForm(secret));
  return { key, secret };
}
const current = async () => (await here.secrets.get(openPrincipal, "app-key")).value;
const verified = async () => here.keys.verify(unwrapCredential(await current()));

describe("rotating the key in a secret", () => {
  it("gives a key that had an access key a new one, which is told this once", async () => {
    const { key: oldKey } = await aKeyInASecret({ ...worker, withAccessKey: true });
    const { keyId, accessKey } = await here.rotation.rotate(openPrincipal, "app-key", tenMinutesMs);
    expect(accessKey?.accessKeyId).toBe(keyId);
    const isOfNew = (secret: string) => secret === accessKey?.secretAccessKey;
    const { principal } = await here.keys.verifySigned(keyId, isOfNew);
    expect(principal).toMatchObject({ keyId, grants: [publish] });
    await expect(here.keys.verifySigned(oldKey.keyId, isOfNew)).rejects.toMatchObject({ subject: "signature" });
    expect(await here.rotation.rotate(openPrincipal, "app-key", 0)).not.toHaveProperty("accessKey.accessKeyId", keyId);
  });

  it("puts a key of the same name, description and rights in its place; the old one ends after the overlap", async () => {
    const { key: oldKey, secret: oldSecret } = await aKeyInASecret();
    const rotated = await here.rotation.rotate(openPrincipal, "app-key", tenMinutesMs);
    const [, newKey] = await here.keys.list(openPrincipal);
    expect(newKey).toEqual({ ...oldKey, keyId: rotated.keyId });
    expect(rotated).toEqual({
      ...{ keyId: expect.not.stringMatching(oldKey.keyId), secretVersion: 2 },
      ...{ oldKeyId: oldKey.keyId, oldExpiresAtMs: nowMs + tenMinutesMs },
    });
    expect((await verified()).keyId).toBe(rotated.keyId);
    nowMs += tenMinutesMs - 1;
    await here.keys.verify(oldSecret);
    nowMs += 1;
    await expect(here.keys.verify(oldSecret)).rejects.toThrow("this API key has expired");
    await verified();
  });

  it("keeps the lifetime that the key was made with, and its rights as a super user", async () => {
    await aKeyInASecret({ isSuperUser: true, grants: [], validForMs: 86_400_000 });
    nowMs += 3_600_000;
    await here.rotation.rotate(openPrincipal, "app-key", 0);
    const [, newKey] = await here.keys.list(openPrincipal);
    expect(newKey).toMatchObject({ isSuperUser: true, expiresAtMs: nowMs + 86_400_000 });
  });

  it.each([
    ["bare", (secret: string) => secret, /^tdk_/],
    [
      "v1, with its endpoint",
      (secret: string) => wrapCredential("todoku.example:443", secret),
      /^eyJlbmRwb2ludCI6InRvZG9rdS5leGFtcGxlOjQ0MyI/,
    ],
    ["v2", toV2, /^ey[\w-]+\.ey[\w-]+\.[\w-]{43}$/],
    ["bare with a line break", (secret: string) => `${secret}\n`, /^tdk_/],
  ])("writes the new key in the form of the old one: %s", async (_form, inForm, pattern) => {
    await aKeyInASecret(worker, inForm);
    const { keyId } = await here.rotation.rotate(openPrincipal, "app-key", 0);
    expect(pattern.test(await current())).toBe(true);
    expect((await verified()).keyId).toBe(keyId);
  });

  it("with no overlap ends the old key at once, and with seven days not before", async () => {
    const { secret: first } = await aKeyInASecret();
    await here.rotation.rotate(openPrincipal, "app-key", 0);
    await expect(here.keys.verify(first)).rejects.toMatchObject({ code: "unauthenticated" });
    const second = await current();
    await here.rotation.rotate(openPrincipal, "app-key", 7 * 86_400_000);
    nowMs += 7 * 86_400_000 - 1;
    await here.keys.verify(second);
  });

  it.each([-1, 7 * 86_400_000 + 1, Number.NaN])("is refused for an overlap of %d ms", async (overlapMs) => {
    await aKeyInASecret();
    await expect(here.rotation.rotate(openPrincipal, "app-key", overlapMs)).rejects.toMatchObject({
      code: "invalid_argument",
      message: `overlap ${overlapMs} ms must be >= 0 and <= 604800000 (7 days)`,
    });
    expect(await here.keys.list(openPrincipal)).toHaveLength(1);
  });

  it("does not let a key live longer than it would have", async () => {
    const { key } = await aKeyInASecret({ ...worker, validForMs: 60_000 });
    const { oldExpiresAtMs } = await here.rotation.rotate(openPrincipal, "app-key", tenMinutesMs);
    expect(oldExpiresAtMs).toBe(key.expiresAtMs);
  });

  it("leaves the key alone that was never in the secret, and refuses what is no key of this environment", async () => {
    const other = await here.keys.create(openPrincipal, { ...worker, name: "other" });
    const deleted = await here.keys.create(openPrincipal, { ...worker, name: "deleted" });
    await here.keys.delete(openPrincipal, deleted.key.keyId);
    const foreign = await here.keys.create({ ...openPrincipal, environment: "prod" }, worker);
    const forged = other.secret.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
    for (const value of [
      "sk_live_51H8abc",
      "{}",
      deleted.secret,
      foreign.secret,
      forged,
      "eyJhbGciOiJIUzI1NiJ9.e30.x",
    ]) {
      await here.secrets.put(openPrincipal, "s", value);
      const error = await here.rotation.rotate(openPrincipal, "s", 0).catch((reason: TodokuError) => reason);
      expect(error).toMatchObject({
        code: "failed_precondition",
        message: 'secret "s" holds no API key of environment "dev" that is still there: put one into it first',
      });
    }
    await expect(here.rotation.rotate(openPrincipal, "nothing", 0)).rejects.toMatchObject({ code: "not_found" });
    expect(await here.keys.list(openPrincipal)).toEqual([other.key]);
  });

  it("is for super users, and that of an operator's key for operators", async () => {
    await aKeyInASecret({ isSuperUser: true, isOperator: true, grants: [] });
    const all: Grant = { resource: "secret", role: "read-write", secret: { all: true } };
    const withGrant: Principal = { ...openPrincipal, isSuperUser: false, isOperator: false, grants: [all] };
    for (const principal of [withGrant, { ...openPrincipal, isOperator: false }]) {
      await expect(here.rotation.rotate(principal, "app-key", 0)).rejects.toMatchObject({ code: "permission_denied" });
    }
    await here.rotation.rotate(openPrincipal, "app-key", 0);
    expect(await verified()).toMatchObject({ isOperator: true });
  });
});

describe("two rotations at once", () => {
  it("of one node are one", async () => {
    await aKeyInASecret();
    const [one, two] = await Promise.all([1, 2].map(() => here.rotation.rotate(openPrincipal, "app-key", 1000)));
    expect(one).toEqual(two);
    expect(await here.keys.list(openPrincipal)).toHaveLength(2);
  });

  it("of two nodes leave one key without an end: the one in the secret", async () => {
    await aKeyInASecret();
    const nodes = await Promise.all([1, 2, 3].map(() => aNode(engine.secondHandle(silentBus).records)));
    for (let round = 0; round < 5; round++) {
      await Promise.all(nodes.map(({ rotation }) => rotation.rotate(openPrincipal, "app-key", 1000)));
      await expectOneKey();
    }
  });

  it("go on when somebody puts another value meanwhile: that one stays, and no key is left over", async () => {
    const { key } = await aKeyInASecret();
    const other = await here.keys.create(openPrincipal, { ...worker, name: "other" });
    // Ends with the rotation begun and the new key made.
    const crashed = await aNode(ending(3, "before"));
    await expect(crashed.rotation.rotate(openPrincipal, "app-key", 1000)).rejects.toMatchObject({
      code: "unavailable",
    });
    expect(await here.keys.list(openPrincipal)).toHaveLength(3);
    await here.secrets.put(openPrincipal, "app-key", other.secret);
    await (await aNode()).rotation.resume();
    expect(await current()).toBe(other.secret);
    expect(await here.keys.list(openPrincipal)).toEqual([key, other.key]);
  });
});

/** The key in the secret is good, and every other one has been told when to end. */
async function expectOneKey(): Promise<void> {
  const { keyId } = await verified();
  const keys = await here.keys.list(openPrincipal);
  expect(keys.filter(({ expiresAtMs }) => expiresAtMs === undefined).map((key) => key.keyId)).toEqual([keyId]);
}

describe("a rotation that ends half done", () => {
  const writes = 5; // begin, make, promote, expire, clear
  const places = Array.from({ length: writes }, (_, n) =>
    ["before", "after"].map((when) => [when, n + 1] as const),
  ).flat();

  it.each(places)(
    "%s write %d is finished by the next start, and the old key has its overlap",
    async (when, number) => {
      const { key } = await aKeyInASecret();
      const crashed = await aNode(ending(number, when as "before"));
      await expect(crashed.rotation.rotate(openPrincipal, "app-key", 1000)).rejects.toMatchObject({
        code: "unavailable",
      });
      await verified(); // at every moment the secret holds a key that is good
      nowMs += 60_000;
      await verified();
      const next = await aNode();
      await next.rotation.resume();
      const [old, made, ...more] = await here.keys.list(openPrincipal);
      expect(more).toEqual([]);
      if (number === 1 && when === "before") expect([old, made]).toEqual([key, undefined]);
      else {
        expect((await verified()).keyId).toBe(made?.keyId);
        expect(old?.expiresAtMs).toBeLessThanOrEqual(nowMs + 1000);
      }
      await expectOneKey();
      const [record] = await engine.records.list("secret", "dev");
      expect(Object.keys(record?.document ?? {}).sort()).toEqual(["isShared", "versions"]);
    },
  );

  it.each(places)(
    "%s write %d is finished by the next rotation, at another node, and no key is left over",
    async (when, number) => {
      await aKeyInASecret();
      const crashed = await aNode(ending(number, when as "before"));
      await expect(crashed.rotation.rotate(openPrincipal, "app-key", 1000)).rejects.toMatchObject({
        code: "unavailable",
      });
      const again = await (await aNode(engine.secondHandle(silentBus).records)).rotation.rotate(
        openPrincipal,
        "app-key",
        1000,
      );
      expect((await verified()).keyId).toBe(again.keyId);
      // Begun, but not yet in the secret: that one is finished, and no second one begun.
      const [, , third] = await here.keys.list(openPrincipal);
      const wasInTheSecret = number > 3 || (number === 3 && when === "after");
      expect(third?.keyId).toBe(wasInTheSecret ? again.keyId : undefined);
      await expectOneKey();
    },
  );

  it("has no sixth write: the places above are all there are", async () => {
    await aKeyInASecret();
    const records = ending(writes + 1, "before");
    await (await aNode(records)).rotation.rotate(openPrincipal, "app-key", 1000);
    expect(records.hasEnded).toBe(false);
  });

  it("because its old key was deleted is given up: the secret says so, and can be put anew", async () => {
    const { key } = await aKeyInASecret();
    await expect((await aNode(ending(2, "before"))).rotation.rotate(openPrincipal, "app-key", 0)).rejects.toThrow(
      "ended",
    );
    await here.keys.delete(openPrincipal, key.keyId);
    for (let tries = 0; tries < 2; tries++) {
      await expect(here.rotation.rotate(openPrincipal, "app-key", 0)).rejects.toMatchObject({
        code: "failed_precondition",
        message: expect.stringContaining("put one into it first"),
      });
    }
    expect(await here.keys.list(openPrincipal)).toEqual([]);
  });
});
