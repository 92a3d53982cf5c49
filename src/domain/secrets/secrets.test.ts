// Secrets over the embedded engine; two nodes share its store.
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { anEngine, type TestEngine } from "../../../test/support/engine.ts";
import type { EmbeddedEngine } from "../../engines/embedded/index.ts";
import type { Grant } from "../auth/grants.ts";
import { openPrincipal } from "../auth/open-access.ts";
import type { Principal } from "../auth/principal.ts";
import { silentBus } from "../bus.ts";
import { MasterKey } from "../encryption/master-key.ts";
import { createSealer } from "../encryption/sealer.ts";
import { limits } from "../limits.ts";
import type { RecordStore } from "../records/store.ts";
import { createSecrets, type Secrets } from "./secrets.ts";

const nowMs = 1_800_000_000_000;
const masterKey = new MasterKey(randomBytes(32));
/** Which environments are there, and whose shared secrets they read. */
let known: Map<string, readonly string[]>;
let store: TestEngine;
let engine: EmbeddedEngine;
let secrets: Secrets;

beforeAll(async () => {
  store = await anEngine({ wallMs: () => nowMs });
  ({ engine } = store);
});
beforeEach(() => {
  secrets = aNode(engine.records);
  known = new Map([
    ["dev", []],
    ["prod", []],
    ["FEAT-X", ["dev", "prod"]],
  ]);
});
afterEach(() => store.empty());
afterAll(() => store[Symbol.asyncDispose]());

function aNode(records: RecordStore): Secrets {
  const environments = {
    known(name: string) {
      const secretsFrom = known.get(name);
      return secretsFrom && { secretsFrom };
    },
  };
  return createSecrets({ records, sealer: createSealer(records, masterKey), environments, wallMs: () => nowMs });
}

const dev = openPrincipal;
const prod: Principal = { ...dev, environment: "prod" };
const feature: Principal = { ...dev, environment: "FEAT-X" };
const withGrants = (...grants: Grant[]): Principal => ({
  ...dev,
  kind: "key",
  isSuperUser: false,
  isOperator: false,
  grants,
});

describe("a secret", () => {
  it("is kept over a restart, and is nowhere in the store as it is", async () => {
    expect(await secrets.put(dev, "stripe", "sk_live_51H8abc")).toEqual({
      name: "stripe",
      isShared: false,
      currentVersion: 1,
      versions: [{ version: 1, createdAtMs: nowMs }],
    });
    const stored = JSON.stringify(await engine.records.list("secret"));
    for (const form of ["utf8", "hex", "base64", "base64url"] as const) {
      expect(stored).not.toContain(Buffer.from("sk_live_51H8abc").toString(form));
    }
    await store.restart();
    ({ engine } = store);
    secrets = aNode(engine.records);
    expect(await secrets.get(dev, "stripe")).toEqual({
      ...{ name: "stripe", environment: "dev", version: 1, value: "sk_live_51H8abc" },
      ...{ createdAtMs: nowMs, isShared: false },
    });
  });

  it("gets a new version with each value; the last ten stay", async () => {
    for (let n = 1; n <= 12; n++) await secrets.put(dev, "s", `value ${n}`);
    const [info] = await secrets.list(dev);
    expect(info?.versions.map(({ version }) => version)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(await secrets.get(dev, "s")).toMatchObject({ version: 12, value: "value 12" });
    expect(await secrets.get(dev, "s", 3)).toMatchObject({ version: 3, value: "value 3" });
    for (const version of [0, 2, 13]) {
      await expect(secrets.get(dev, "s", version)).rejects.toMatchObject({
        code: "not_found",
        message: `secret "s" has no version ${version}; kept are 3 to 12`,
      });
    }
  });

  it("is gone with all its versions when it is deleted, and begins at 1 again", async () => {
    await secrets.put(dev, "s", "a");
    await secrets.delete(dev, "s");
    for (const call of [secrets.get(dev, "s"), secrets.get(dev, "s", 1), secrets.delete(dev, "s")]) {
      await expect(call).rejects.toMatchObject({ code: "not_found", message: 'secret "s" does not exist' });
    }
    expect(await secrets.put(dev, "s", "b")).toMatchObject({ currentVersion: 1, isShared: false });
  });

  it("may be any text of 1 to 65,536 bytes under any name that an address can hold", async () => {
    const name = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
      .filter((text) => text.trim() !== "" && !/\p{Cc}/u.test(text) && ![".", ".."].includes(text));
    await fc.assert(
      fc.asyncProperty(name, fc.string({ unit: "grapheme", minLength: 1 }), async (text, value) => {
        await secrets.put(dev, text, value);
        expect((await secrets.get(dev, text)).value).toBe(value);
      }),
      { numRuns: 50 },
    );
    const longest = "ü".repeat(limits.secret.valueMaxBytes / 2);
    await secrets.put(dev, "longest", longest);
    expect((await secrets.get(dev, "longest")).value).toBe(longest);
  });

  it.each([
    ["", "a", "secret name must not be empty"],
    ["x".repeat(256), "a", "secret name has 256 bytes"],
    ["a\nb", "a", "secret name must not have control characters"],
    ["\u0085", "a", "secret name must not"],
    ["..", "a", 'secret name must not be ".."'],
    ["s", "", "the secret has 0 bytes; must be >= 1"],
    ["s", "x".repeat(65_537), "the secret has 65537 bytes; must be >= 1 and <= 65536"],
    ["s", "\ud800", "the secret is not well-formed Unicode"],
  ])("is not made of the name %j and the value %.10j", async (name, value, message) => {
    const error = await secrets.put(dev, name, value).catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: "invalid_argument", message: expect.stringContaining(message) });
    expect(await secrets.list(dev)).toEqual([]);
  });

  it("is refused when its text was changed in the store, or put in the place of another one", async () => {
    await secrets.put(dev, "a", "value of a");
    await secrets.put(dev, "b", "value of b");
    const [a, b] = await engine.records.list("secret", "dev");
    if (!a || !b) throw new Error("two secrets were put");
    await engine.records.replace(b, a.document, b.version);
    await expect(secrets.get(dev, "b")).rejects.toMatchObject({ code: "internal" });
  });

  it("of a later release, which may say more about who may read it, is not given out", async () => {
    await secrets.put(dev, "s", "a");
    const [record] = await engine.records.list("secret", "dev");
    if (!record) throw new Error("a secret was put");
    await engine.records.replace(record, { ...record.document, readersOnly: ["x"] }, record.version);
    await expect(secrets.get(dev, "s")).rejects.toMatchObject({ code: "failed_precondition" });
  });

  it("cannot be opened any more when its environment has been destroyed, not even from a copy of the store", async () => {
    await secrets.put(feature, "s", "a");
    const [copy] = await engine.records.list("secret", "FEAT-X");
    await secrets.delete(feature, "s");
    await engine.records.remove({ kind: "data-key", environment: "FEAT-X", name: "data-key" });
    await engine.records.create({ kind: "secret", environment: "FEAT-X", name: "s" }, copy?.document ?? {});
    await expect(secrets.get(feature, "s")).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("secrets of two nodes", () => {
  it("lose no version when both put at once", async () => {
    const [one, two] = [aNode(engine.records), aNode(engine.secondHandle(silentBus).records)];
    for (let round = 0; round < 3; round++) {
      await Promise.all([one.put(dev, "s", `one ${round}`), two.put(dev, "s", `two ${round}`)]);
    }
    const values = await Promise.all([1, 2, 3, 4, 5, 6].map((version) => one.get(dev, "s", version)));
    expect(values.map(({ value }) => value).sort()).toEqual(["one 0", "one 1", "one 2", "two 0", "two 1", "two 2"]);
  });

  it("take many puts of one secret at once", async () => {
    await Promise.all(Array.from({ length: 30 }, (_, n) => secrets.put(dev, "s", `${n}`)));
    expect(await secrets.get(dev, "s")).toMatchObject({ version: 30, value: "29" });
  });
});

describe("shared secrets", () => {
  it("are read by environments that read from there, and by no others; the answer says whose it is", async () => {
    await secrets.put(dev, "stripe", "of dev", { isShared: true });
    expect(await secrets.get(feature, "stripe")).toMatchObject({ environment: "dev", value: "of dev", isShared: true });
    await expect(secrets.get(prod, "stripe")).rejects.toMatchObject({ code: "not_found" });
    expect(await secrets.list(feature)).toEqual([]);
  });

  it("are hidden by one's own secret of the name, shared or not, whatever versions that has", async () => {
    await secrets.put(dev, "stripe", "of dev", { isShared: true });
    await secrets.put(dev, "stripe", "of dev, again");
    await secrets.put(feature, "stripe", "own");
    expect(await secrets.get(feature, "stripe")).toMatchObject({ environment: "FEAT-X", value: "own" });
    await expect(secrets.get(feature, "stripe", 2)).rejects.toMatchObject({ code: "not_found" });
    await secrets.delete(feature, "stripe");
    expect(await secrets.get(feature, "stripe", 1)).toMatchObject({ environment: "dev", value: "of dev" });
  });

  it("that are not shared look as if they did not exist; the next environment is asked", async () => {
    await secrets.put(dev, "stripe", "of dev");
    const missing = await secrets.get(feature, "nothing").catch((error: Error) => error.message);
    await expect(secrets.get(feature, "stripe")).rejects.toThrow(missing.toString().replace("nothing", "stripe"));
    await secrets.put(prod, "stripe", "of prod", { isShared: true });
    expect(await secrets.get(feature, "stripe")).toMatchObject({ environment: "prod" });
  });

  it("stay shared with a new version until it says otherwise", async () => {
    await secrets.put(dev, "s", "a", { isShared: true });
    expect(await secrets.put(dev, "s", "b")).toMatchObject({ isShared: true });
    expect(await secrets.put(dev, "s", "c", { isShared: false })).toMatchObject({ isShared: false });
    await expect(secrets.get(feature, "s")).rejects.toMatchObject({ code: "not_found" });
  });

  it("of an environment that has gone are not read, and are not changed from elsewhere", async () => {
    await secrets.put(dev, "s", "a", { isShared: true });
    await expect(secrets.delete(feature, "s")).rejects.toMatchObject({ code: "not_found" });
    await secrets.put(feature, "s", "own");
    expect(await secrets.get(dev, "s")).toMatchObject({ value: "a" });
    await secrets.delete(feature, "s");
    known.delete("dev");
    await expect(secrets.get(feature, "s")).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("a credential", () => {
  const selected = { prefix: "app/" };
  const role = (role: "read" | "write" | "read-write") => withGrants({ resource: "secret", role, secret: selected });
  const denied = { code: "permission_denied" };

  it("reads, writes and sees what its grants select, and deletes nothing", async () => {
    await secrets.put(dev, "app/a", "a");
    await secrets.put(dev, "other", "b");
    expect(await secrets.get(role("read"), "app/a")).toMatchObject({ value: "a" });
    await expect(secrets.get(role("read"), "other")).rejects.toMatchObject(denied);
    await expect(secrets.put(role("read"), "app/a", "x")).rejects.toMatchObject(denied);
    await expect(secrets.get(role("write"), "app/a")).rejects.toMatchObject(denied);
    await secrets.put(role("write"), "app/a", "x");
    await secrets.put(role("read-write"), "app/b", "y");
    expect((await secrets.list(role("write"))).map(({ name }) => name)).toEqual(["app/a", "app/b"]);
    await expect(secrets.delete(role("read-write"), "app/a")).rejects.toMatchObject(denied);
  });

  it("without a grant for secrets does nothing with them, and does not find out which there are", async () => {
    await secrets.put(dev, "s", "a");
    const stranger = withGrants({ resource: "queue", role: "send", queue: { all: true } });
    for (const call of [
      () => secrets.list(stranger),
      () => secrets.get(stranger, "s"),
      () => secrets.get(stranger, "nothing"),
      () => secrets.put(stranger, "s", "x"),
      () => secrets.delete(stranger, "s"),
      () => secrets.find(stranger, "s"),
      () => secrets.findAll(stranger),
    ]) {
      await expect(call()).rejects.toMatchObject(denied);
    }
  });

  it("of one environment has nothing of another that does not share", async () => {
    await secrets.put(dev, "s", "a");
    await expect(secrets.get(prod, "s")).rejects.toMatchObject({ code: "not_found" });
    expect(await secrets.list(prod)).toEqual([]);
  });
});

describe("a version", () => {
  it("is put only where there is none, or where there is one, when its maker says so", async () => {
    await expect(secrets.put(dev, "s", "a", { isNew: false })).rejects.toMatchObject({ code: "not_found" });
    const both = [secrets.put(dev, "s", "a", { isNew: true }), secrets.put(dev, "s", "b", { isNew: true })];
    const outcomes = await Promise.allSettled(both);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(outcomes[1]).toMatchObject({ reason: { code: "already_exists", message: 'secret "s" exists already' } });
    expect(await secrets.put(dev, "s", "c", { isNew: false })).toMatchObject({ currentVersion: 2 });
    expect(await secrets.get(dev, "s", 1)).toMatchObject({ value: "a" });
  });

  it("of the same token is put once; another value, or another form, under it is refused", async () => {
    const put = (value: string, form?: "bytes") => secrets.put(dev, "s", value, { token: "t", form });
    expect([await put("a"), await put("a")]).toMatchObject([{ currentVersion: 1 }, { currentVersion: 1 }]);
    const other = { code: "already_exists", subject: "version" };
    await expect(put("b")).rejects.toMatchObject(other);
    await expect(put("a", "bytes")).rejects.toMatchObject(other);
    await secrets.put(dev, "s", "b");
    expect(await put("a")).toMatchObject({ currentVersion: 2 });
  });

  it("keeps its form and what its maker calls it, which lists do not show", async () => {
    await secrets.put(dev, "s", "a,b", { form: "list", token: "t" });
    await secrets.put(dev, "s", "c");
    expect((await secrets.find(dev, "s")).versions).toEqual([
      { version: 1, createdAtMs: nowMs, form: "list", token: "t" },
      { version: 2, createdAtMs: nowMs, form: undefined, token: undefined },
    ]);
    expect((await secrets.list(dev))[0]?.versions[0]).toEqual({ version: 1, createdAtMs: nowMs });
  });
});

describe("all that a credential finds", () => {
  it("are its environment's own and those that are shared with it, of two of one name the own", async () => {
    await secrets.put(dev, "b", "x", { isShared: true });
    await secrets.put(dev, "a", "x", { isShared: true });
    await secrets.put(dev, "private", "x");
    await secrets.put(prod, "c", "x", { isShared: true });
    for (const value of ["x", "y"]) await secrets.put(feature, "b", value);
    const found = async (principal: Principal) =>
      (await secrets.findAll(principal)).map(({ name, currentVersion }) => [name, currentVersion]);
    expect(await found(feature)).toEqual([
      ["a", 1],
      ["b", 2],
      ["c", 1],
    ]);
    expect((await found(dev)).map(([name]) => name)).toEqual(["a", "b", "private"]);
    const own = withGrants({ resource: "secret", role: "read", secret: { prefix: "priv" } });
    expect((await found(own)).map(([name]) => name)).toEqual(["private"]);
    expect(await secrets.find(feature, "c")).toMatchObject({ currentVersion: 1 });
    await expect(secrets.find(feature, "private")).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("an environment", () => {
  it("has a bounded number of secrets; a new version of one that is there still fits", async () => {
    await secrets.put(dev, "s 0", "x");
    const [record] = await engine.records.list("secret", "dev");
    for (let n = 1; n < limits.secret.perEnvironment; n++) {
      await engine.records.create({ kind: "secret", environment: "dev", name: `s ${n}` }, record?.document ?? {});
    }
    await expect(secrets.put(dev, "one more", "x")).rejects.toMatchObject({
      code: "limit_exceeded",
      message: 'environment "dev" has 1000 secrets, the most it may have',
    });
    expect(await secrets.put(dev, "s 0", "y")).toMatchObject({ currentVersion: 2 });
    await secrets.put(prod, "one more", "x");
  });

  it("has a bounded number of bytes in them; old versions count", async () => {
    const value = "x".repeat(limits.secret.valueMaxBytes);
    let full: Error | undefined;
    let puts = 0;
    for (; puts < 300 && !full; puts++) {
      full = await secrets.put(dev, `s ${Math.floor(puts / 10)}`, value).then(
        () => undefined,
        (error: Error) => error,
      );
    }
    expect(full).toMatchObject({ code: "limit_exceeded", message: expect.stringMatching(/must be <= 16777216$/) });
    expect(puts).toBeGreaterThan(180);
    await secrets.delete(dev, "s 0");
    await secrets.put(dev, "s 1", value);
  });
});
