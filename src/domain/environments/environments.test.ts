import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ownOf } from "../../../test/support/built-ins.ts";
import { anEngine, type TestEngine } from "../../../test/support/engine.ts";
import type { EmbeddedEngine } from "../../engines/embedded/index.ts";
import { openPrincipal } from "../auth/open-access.ts";
import type { Principal } from "../auth/principal.ts";
import { silentBus } from "../bus.ts";
import { createCaches } from "../cache/caches.ts";
import type { Engine } from "../engine.ts";
import { limits } from "../limits.ts";
import { createQueues } from "../queues/queues.ts";
import { builtInQueues } from "./built-ins.ts";
import { createEnvironments } from "./environments.ts";

const operator = openPrincipal;
const superUserOf = (environment: string): Principal => ({ ...operator, kind: "key", environment, isOperator: false });

let store: TestEngine;
let engine: EmbeddedEngine;
let elapsedMs = 0;
const wallMs = () => 1_800_000_000_000 + elapsedMs;

beforeAll(async () => {
  store = await anEngine({ wallMs });
  ({ engine } = store);
});
afterEach(() => store.empty());
afterAll(() => store[Symbol.asyncDispose]());

/** The services that hold something of environments, put together as the server does it. */
async function aNode(on: Engine = engine) {
  const environments = createEnvironments(on, wallMs);
  await environments.start();
  const caches = createCaches(on, { defaultDurability: "disk", environments, wallMs });
  const queues = createQueues(on, wallMs);
  await caches.start();
  await queues.start();
  environments.onFilled(async () => {
    await caches.refresh();
    await queues.refresh();
  });
  const gone: string[] = [];
  environments.onGone((name) => {
    gone.push(name);
    caches.forgetEnvironment(name);
    queues.forgetEnvironment(name);
  });
  return { environments, caches, queues, gone };
}

describe("making environments", () => {
  it("keeps the case of a name: FEAT-ABP-1734 and feat-abp-1734 are two", async () => {
    const { environments } = await aNode();
    await environments.create(operator, "FEAT-ABP-1734");
    await environments.create(operator, "feat-abp-1734", { settings: { cacheDurability: "memory" } });
    expect(environments.known("FEAT-ABP-1734")).toEqual({
      ...{ name: "FEAT-ABP-1734", createdAtMs: wallMs(), secretsFrom: [], settings: {}, state: "live" },
    });
    expect(environments.list(operator).map(({ name }) => name)).toEqual(["FEAT-ABP-1734", "feat-abp-1734"]);
    expect(environments.known("Feat-ABP-1734")).toBeUndefined();
  });

  it.each(["", "a b", "a_b", "ä", "a/b", ".", "x".repeat(64)])("refuses the name %j", async (name) => {
    const { environments } = await aNode();
    await expect(environments.create(operator, name)).rejects.toMatchObject({ code: "invalid_argument" });
    await expect(environments.ensure(name)).rejects.toMatchObject({ code: "invalid_argument" });
  });

  it("is for operators alone, as all else is", async () => {
    const { environments } = await aNode();
    await environments.create(operator, "A");
    const superUser = superUserOf("A");
    const refused = { code: "permission_denied" };
    await expect(environments.create(superUser, "B")).rejects.toMatchObject(refused);
    await expect(environments.update(superUser, "A", {})).rejects.toMatchObject(refused);
    await expect(environments.destroy(superUser, "A")).rejects.toMatchObject(refused);
    expect(() => environments.list(superUser)).toThrow(expect.objectContaining(refused));
  });

  it("makes one of many that ask for the same name at once", async () => {
    const { environments } = await aNode();
    const tries = await Promise.allSettled([1, 2, 3].map(() => environments.create(operator, "A")));
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await expect(environments.create(operator, "A")).rejects.toMatchObject({ code: "already_exists" });
    await environments.ensure("A");
    expect(environments.list(operator)).toHaveLength(1);
  });

  it("copies settings, caches and queues of another, without what is in them", async () => {
    const { environments, caches, queues } = await aNode();
    await environments.create(operator, "dev", { settings: { messageMaxBytes: 1000, cacheDurability: "memory" } });
    const dev = superUserOf("dev");
    const disk = await caches.create(dev, "on disk", "disk");
    await caches.create(dev, "in memory");
    await engine.items.disk.set(disk, new Uint8Array([1]), {
      value: new Uint8Array([2]),
      expiresAtMs: wallMs() + 1000,
    });
    await queues.create(dev, "dead");
    await queues.create(dev, "jobs", { visibilityMs: 7000, deadLetter: { queue: "dead", maxReceives: 3 } });
    // A ring: neither can be made before the other.
    await queues.update(dev, "dead", { deadLetter: { queue: "jobs", maxReceives: 9 } });
    elapsedMs += 1000;
    const made = await environments.create(operator, "FEAT-X", { from: "dev", settings: { messageMaxBytes: 2000 } });
    expect(made).toMatchObject({ copiedFrom: "dev", settings: { messageMaxBytes: 2000, cacheDurability: "memory" } });
    const copy = superUserOf("FEAT-X");
    const namesOf = (principal: Principal) =>
      caches.list(principal).map(({ cache, durability }) => [cache, durability]);
    expect(namesOf(copy)).toEqual(namesOf(dev));
    const settingsOf = (principal: Principal) =>
      queues.list(principal).map(({ queue, visibilityMs, deadLetter }) => [queue, visibilityMs, deadLetter]);
    expect(settingsOf(copy)).toEqual(settingsOf(dev));
    expect(settingsOf(copy)).toHaveLength(2 + Object.keys(builtInQueues).length);
    const [inMemory, onDisk] = ownOf(caches.list(copy).map((cache) => ({ ...cache, name: cache.cache })));
    expect(inMemory?.createdAtMs).toBe(wallMs());
    expect(onDisk && (await engine.items.disk.get(onDisk, new Uint8Array([1]), wallMs()))).toBeUndefined();
    await expect(environments.create(operator, "Y", { from: "nothing" })).rejects.toMatchObject({ code: "not_found" });
  });

  it("leaves nothing of a copy that does not come to its end, at once or after a crash", async () => {
    const broken: Engine = {
      ...engine,
      records: {
        ...engine.records,
        create: (key, document) =>
          key.environment === "FEAT-X" && key.name === "second"
            ? Promise.reject(new Error("the power went"))
            : engine.records.create(key, document),
      },
    };
    const { environments, caches } = await aNode(broken);
    await environments.create(operator, "dev");
    for (const name of ["first", "second"]) await caches.create(superUserOf("dev"), name);
    await expect(environments.create(operator, "FEAT-X", { from: "dev" })).rejects.toThrow("the power went");
    expect(await engine.environments.names()).toEqual(["dev"]);
    // As a crash leaves it.
    const document = { createdAtMs: 1, secretsFrom: [], settings: {}, state: "making" };
    await engine.records.create({ kind: "environment", environment: "HALF", name: "HALF" }, document);
    await engine.records.create({ kind: "cache", environment: "HALF", name: "first" }, { durability: "disk" });
    const restarted = await aNode();
    expect(restarted.environments.known("HALF")).toBeUndefined();
    expect(restarted.environments.list(operator).map(({ name }) => name)).toEqual(["dev"]);
    await restarted.environments.resume();
    expect(await engine.environments.names()).toEqual(["dev"]);
  });

  it("gives environments of older data their own records at the start", async () => {
    await engine.records.create({ kind: "cache", environment: "dev", name: "c" }, { durability: "disk" });
    const { environments } = await aNode();
    expect(environments.known("dev")).toMatchObject({ name: "dev", state: "live" });
    expect((await aNode()).environments.known("dev")).toEqual(environments.known("dev"));
  });
});

describe("settings", () => {
  it("change one by one; null goes back to the server's configuration", async () => {
    const { environments, caches } = await aNode();
    await environments.create(operator, "A", { settings: { cacheDurability: "memory" } });
    const rates = { token: { callsPerSecond: 5 } };
    await environments.update(operator, "A", { settings: { messageMaxBytes: 5, rates } });
    expect(environments.known("A")?.settings).toEqual({ cacheDurability: "memory", messageMaxBytes: 5, rates });
    expect((await caches.create(superUserOf("A"), "c")).durability).toBe("memory");
    await environments.update(operator, "A", { settings: { cacheDurability: null, rates: null } });
    expect(environments.known("A")?.settings).toEqual({ messageMaxBytes: 5 });
    expect((await caches.create(superUserOf("A"), "d")).durability).toBe("disk");
    await store.restart();
    ({ engine } = store);
    expect((await aNode()).environments.known("A")?.settings).toEqual({ messageMaxBytes: 5 });
  });

  it.each([
    [{ messageMaxBytes: 0 }, "messageMaxBytes 0 must be"],
    [{ messageMaxBytes: limits.environment.messageMaxBytes + 1 }, "must be a whole number that is >= 1 and <= 1048576"],
    [{ rates: { token: { callsPerSecond: -1 } } }, "rates.token.callsPerSecond: "],
  ])("refuse %j", async (settings, message) => {
    const { environments } = await aNode();
    await environments.create(operator, "A");
    const refused = { code: "invalid_argument", message: expect.stringContaining(message) };
    await expect(environments.create(operator, "B", { settings })).rejects.toMatchObject(refused);
    await expect(environments.update(operator, "A", { settings })).rejects.toMatchObject(refused);
  });

  it("name environments whose secrets may be read: others, that are there, until they go", async () => {
    const { environments } = await aNode();
    await environments.create(operator, "dev");
    await environments.create(operator, "other");
    await environments.create(operator, "A", { secretsFrom: ["dev", "other", "dev"] });
    expect(environments.known("A")?.secretsFrom).toEqual(["dev", "other"]);
    for (const secretsFrom of [["nothing"], ["A"], Array.from({ length: 11 }, (_, n) => `E${n}`)]) {
      const refused = { code: "invalid_argument", message: expect.stringContaining("secretsFrom") };
      await expect(environments.update(operator, "A", { secretsFrom })).rejects.toMatchObject(refused);
    }
    await environments.destroy({ ...operator, environment: "A" }, "dev");
    expect(environments.known("A")?.secretsFrom).toEqual(["other"]);
    await environments.create(operator, "dev");
    expect(environments.known("A")?.secretsFrom).toEqual(["other"]);
  });
});

it("an environment that goes while another is made to read its secrets is not named there", async () => {
  const { environments } = await aNode();
  await environments.create(operator, "target");
  const destroyed = environments.destroy(operator, "target");
  const made = environments.create(operator, "A", { secretsFrom: ["target"] });
  await Promise.all([destroyed, made]);
  expect(environments.known("A")?.secretsFrom).toEqual([]);
});

describe("what every environment has", () => {
  const served = { visibilityMs: 720_000, retentionMs: 4 * 24 * 3_600_000 };
  const expected = [
    ["messages", { ...served, deadLetter: { queue: "messages-dlq", maxReceives: 5 } }],
    ["messages-dlq", { visibilityMs: 30_000, retentionMs: 14 * 24 * 3_600_000, deadLetter: undefined }],
    ["notifications", { ...served, deadLetter: { queue: "notifications-dlq", maxReceives: 5 } }],
    ["notifications-dlq", { visibilityMs: 30_000, retentionMs: 14 * 24 * 3_600_000, deadLetter: undefined }],
  ];

  it("is there at once: made, ensured, or of older data", async () => {
    await engine.records.create({ kind: "api-key", environment: "OLDER", name: "x" }, {});
    await engine.records.create({ kind: "environment", environment: "OLD", name: "OLD" }, anOldDocument);
    const { environments, caches, queues } = await aNode();
    await environments.create(operator, "NEW");
    await environments.ensure("ENSURED");
    for (const environment of ["OLDER", "OLD", "NEW", "ENSURED"]) {
      const principal = superUserOf(environment);
      expect(caches.list(principal)).toMatchObject([{ cache: "events", durability: "disk" }]);
      const found = queues.list(principal).map(({ queue, visibilityMs, retentionMs, deadLetter }) => {
        return [queue, { visibilityMs, retentionMs, deadLetter }];
      });
      expect(found).toEqual(expected);
    }
  });

  it("leaves what was there under its names, and settings that somebody changed, at the next start too", async () => {
    await engine.records.create({ kind: "environment", environment: "OLD", name: "OLD" }, anOldDocument);
    await engine.records.create(
      { kind: "queue", environment: "OLD", name: "messages" },
      { visibilityMs: 7, delayMs: 0, retentionMs: 60_000, createdAtMs: 1 },
    );
    const first = await aNode();
    await first.queues.update(superUserOf("OLD"), "notifications", { visibilityMs: 8 });
    const { queues, environments } = await aNode();
    const visibilities = () => queues.list(superUserOf("OLD")).map(({ visibilityMs }) => visibilityMs);
    expect(visibilities()).toEqual([7, 30_000, 8, 30_000]);
    await environments.create(operator, "COPY", { from: "OLD" });
    expect(queues.list(superUserOf("COPY")).map(({ visibilityMs }) => visibilityMs)).toEqual([7, 30_000, 8, 30_000]);
  });

  it("cannot be deleted, but flushed and purged", async () => {
    const { environments, caches, queues } = await aNode();
    await environments.create(operator, "A");
    const me = superUserOf("A");
    const builtIn = (what: string) => ({
      code: "failed_precondition",
      message: `${what} is built in: it cannot be deleted`,
    });
    await expect(caches.delete(me, "events")).rejects.toMatchObject(builtIn('cache "events"'));
    for (const name of Object.keys(builtInQueues)) {
      await expect(queues.delete(me, name)).rejects.toMatchObject(builtIn(`queue "${name}"`));
    }
    const [before] = caches.list(me);
    await caches.flush(me, "events");
    await queues.purge(me, "messages");
    expect(caches.list(me)[0]?.cacheId).toBeGreaterThan(before?.cacheId ?? 0);
    await expect(caches.create(me, "events")).rejects.toMatchObject({ code: "invalid_argument" });
  });

  it("goes with its environment, and is made for many at a start in one commit", async () => {
    for (let n = 0; n < 100; n++) {
      await engine.records.create({ kind: "environment", environment: `E${n}`, name: `E${n}` }, anOldDocument);
    }
    const commits = () => engine.stats().commits;
    const before = commits();
    const { environments } = await aNode();
    expect(commits() - before).toBe(1);
    await environments.destroy(operator, "E7");
    expect(await engine.environments.names()).not.toContain("E7");
    await aNode();
    expect(await engine.environments.names()).not.toContain("E7");
  });
});

const anOldDocument = { createdAtMs: 1, secretsFrom: [], settings: {}, state: "live" };

describe("destroying", () => {
  it("tells at once who holds something of it, and answers when nothing is left", async () => {
    const { environments, caches, queues, gone } = await aNode();
    await environments.create(operator, "A");
    await caches.create(superUserOf("A"), "c");
    await queues.create(superUserOf("A"), "q");
    let isKnown: boolean | undefined;
    environments.onGone((name) => {
      isKnown ??= environments.known(name) !== undefined;
    });
    await environments.destroy(operator, "A");
    expect([isKnown, gone]).toEqual([false, ["A", "A"]]);
    expect([caches.list(superUserOf("A")), queues.list(superUserOf("A"))]).toEqual([[], []]);
    expect(await engine.environments.names()).toEqual([]);
    await expect(environments.destroy(operator, "A")).rejects.toMatchObject({ code: "not_found" });
    await expect(environments.update(operator, "A", {})).rejects.toMatchObject({ code: "not_found" });
  });

  it("refuses an operator's own environment: somebody must be left to let others in", async () => {
    const { environments } = await aNode();
    await environments.ensure("dev");
    await expect(environments.destroy(operator, "dev")).rejects.toMatchObject({
      ...{ code: "failed_precondition", message: expect.stringContaining("your own credential") },
    });
    expect(environments.known("dev")).toBeDefined();
  });

  it("goes on after a crash, and lets nobody in meanwhile", async () => {
    const stopped: Engine = {
      ...engine,
      environments: { ...engine.environments, forget: () => Promise.reject(new Error("the power went")) },
    };
    const before = await aNode(stopped);
    await before.environments.create(operator, "A");
    await before.caches.create(superUserOf("A"), "c");
    await expect(before.environments.destroy(operator, "A")).rejects.toThrow("the power went");
    expect(before.environments.known("A")).toBeUndefined();
    await store.restart();
    ({ engine } = store);
    const { environments } = await aNode();
    expect(environments.known("A")).toBeUndefined();
    expect(environments.list(operator)).toMatchObject([{ name: "A", state: "destroying" }]);
    await expect(environments.create(operator, "A")).rejects.toMatchObject({ code: "already_exists" });
    await environments.resume();
    expect(await engine.environments.names()).toEqual([]);
    await environments.create(operator, "A");
  });

  it("ensures an environment whose destruction a crash had interrupted: it is made anew, empty", async () => {
    const document = { createdAtMs: 1, secretsFrom: [], settings: {}, state: "destroying" };
    await engine.records.create({ kind: "environment", environment: "dev", name: "dev" }, document);
    await engine.records.create({ kind: "cache", environment: "dev", name: "old" }, { durability: "disk" });
    const { environments } = await aNode();
    await environments.ensure("dev");
    expect(environments.known("dev")).toMatchObject({ createdAtMs: wallMs(), state: "live" });
    expect(ownOf(await engine.records.list("cache", "dev"))).toEqual([]);
  });

  it("takes away one that its maker is not done with", async () => {
    const [held, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const records: Engine["records"] = {
      ...engine.records,
      async replace(key, ...rest) {
        if (key.name === "A") {
          held.resolve();
          await released.promise;
        }
        return engine.records.replace(key, ...rest);
      },
    };
    const { environments } = await aNode({ ...engine, records });
    await environments.create(operator, "friend");
    const ending = environments.destroy(operator, "friend");
    // It is there, but names one that has gone meanwhile: that is put right before its maker hears of it.
    const made = environments.create(operator, "A", { secretsFrom: ["friend"] });
    await held.promise;
    const destroyed = environments.destroy(operator, "A");
    released.resolve();
    await Promise.allSettled([ending, made, destroyed]);
    expect(await engine.environments.names()).toEqual([]);
    await destroyed;
  });

  it("two who destroy the same one both hear when it is gone", async () => {
    const { environments } = await aNode();
    await environments.create(operator, "A");
    await Promise.all([environments.destroy(operator, "A"), environments.destroy(operator, "A")]);
    expect(await engine.environments.names()).toEqual([]);
  });
});

describe("two nodes over one store, without a single hint", () => {
  it("see within their tick what the other made, changed and destroyed", async () => {
    const [one, two] = [await aNode(engine.secondHandle(silentBus)), await aNode(engine.secondHandle(silentBus))];
    await one.environments.create(operator, "A");
    expect(two.environments.known("A")).toBeUndefined();
    await two.environments.refresh();
    await two.environments.update(operator, "A", { settings: { messageMaxBytes: 7 } });
    // It does not know of the change, and must not undo it.
    await one.environments.update(operator, "A", { settings: { cacheDurability: "memory" } });
    expect(one.environments.known("A")?.settings).toEqual({ messageMaxBytes: 7, cacheDurability: "memory" });
    await one.environments.destroy(operator, "A");
    expect(two.gone).toEqual([]);
    await two.environments.refresh();
    expect([two.gone, two.environments.known("A")]).toEqual([["A"], undefined]);
  });

  it("a node that is late does not touch an environment that was made anew meanwhile", async () => {
    const [one, two] = [await aNode(engine.secondHandle(silentBus)), await aNode(engine.secondHandle(silentBus))];
    await one.environments.create(operator, "A");
    await two.environments.refresh();
    const key = { kind: "environment", environment: "A", name: "A" };
    const old = await engine.records.read(key);
    if (!old) throw new Error("it is there");
    await engine.records.replace(key, { ...old.document, state: "destroying" }, old.version);
    await two.environments.refresh();
    while (await engine.environments.forget(old));
    await one.environments.refresh();
    await one.environments.create(operator, "A");
    await one.caches.create(superUserOf("A"), "c");
    await two.environments.resume();
    await two.environments.refresh();
    expect(two.environments.known("A")).toEqual(one.environments.known("A"));
    expect(ownOf(await engine.records.list("cache", "A"))).toHaveLength(1);
  });
});
