import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { aQueueStore, type QueueDomain, type TestQueueStore } from "../../../test/support/queues.ts";
import type { Grant } from "../auth/grants.ts";
import { openPrincipal as me } from "../auth/open-access.ts";
import type { Principal } from "../auth/principal.ts";
import { limits } from "../limits.ts";
import { createQueues, type Queues } from "./queues.ts";

let store: TestQueueStore;
let domain: QueueDomain;
let queues: Queues;
beforeAll(async () => {
  store = await aQueueStore();
});
beforeEach(async () => {
  domain = await store.domain();
  queues = domain.queues;
});
afterEach(() => store.empty());
afterAll(() => store[Symbol.asyncDispose]());

const withGrants = (...grants: Grant[]): Principal => ({ ...me, kind: "token", isSuperUser: false, grants });

describe("queues", () => {
  it("are made with the defaults, and are there again after a restart with their settings", async () => {
    await queues.create(me, "dead");
    const deadLetter = { queue: "dead", maxReceives: 3 };
    await queues.create(me, "orders", { visibilityMs: 1, delayMs: 2, retentionMs: 60_003, deadLetter });
    expect(queues.known("dev", "dead")).toMatchObject({
      visibilityMs: 30_000,
      delayMs: 0,
      retentionMs: 345_600_000,
      deadLetter: undefined,
    });
    const again = createQueues(domain.engine, domain.clock.wallMs);
    await again.start();
    expect(again.list(me)).toEqual(queues.list(me));
    expect(again.known("dev", "orders")).toMatchObject({
      visibilityMs: 1,
      delayMs: 2,
      retentionMs: 60_003,
      deadLetter,
    });
  });

  it.each([
    [{ visibilityMs: -1 }, "visibilityMs -1 must be a whole number that is >= 0 and <= 43200000"],
    [{ visibilityMs: limits.queue.visibilityMs.max + 1 }, "visibilityMs 43200001 must be"],
    [{ visibilityMs: 0.5 }, "visibilityMs 0.5 must be a whole number"],
    [{ visibilityMs: Number.NaN }, "visibilityMs NaN must be a whole number"],
    [{ delayMs: limits.queue.delayMs.max + 1 }, "delayMs 900001 must be"],
    [{ retentionMs: limits.queue.retentionMs.min - 1 }, "retentionMs 59999 must be"],
    [{ retentionMs: limits.queue.retentionMs.max + 1 }, "retentionMs 1209600001 must be"],
    [{ deadLetter: { queue: "other", maxReceives: 0 } }, "deadLetter.maxReceives 0 must be"],
    [{ deadLetter: { queue: "other", maxReceives: 1001 } }, "deadLetter.maxReceives 1001 must be"],
    [{ deadLetter: { queue: "q", maxReceives: 1 } }, 'queue "q" cannot be its own dead-letter queue'],
    [{ deadLetter: { queue: "none", maxReceives: 1 } }, 'the dead-letter queue "none" does not exist'],
    [{ deadLetter: { queue: "a b", maxReceives: 1 } }, 'queue name "a b" must be of the characters'],
    [{ waitMs: 20_001 }, "waitMs 20001 must be a whole number that is >= 0 and <= 20000"],
    [{ messageMaxBytes: 1023 }, "messageMaxBytes 1023 must be a whole number that is >= 1024 and <= 1048576"],
    [{ messageMaxBytes: 1_048_577 }, "messageMaxBytes 1048577 must be"],
    [{ deadLetterSources: Array(11).fill("other") }, "deadLetterSources has 11 queues; must be <= 10"],
    [{ deadLetterSources: ["a b"] }, 'queue name "a b" must be of the characters'],
    [{ tags: { "": "x" } }, "a tag's key has 0 characters; must be >= 1 and <= 128"],
    [{ tags: { ["k".repeat(129)]: "x" } }, "a tag's key has 129 characters"],
    [{ tags: { k: "v".repeat(257) } }, 'the value of tag "k" has 257 characters; must be <= 256'],
    [{ tags: { k: "\ud800" } }, "not well-formed Unicode"],
    [{ tags: JSON.parse('{"__proto__": "x"}') }, 'the tag "__proto__" is not allowed'],
    [{ tags: Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`k${n}`, ""])) }, "51 tags must be <= 50"],
  ])("refuse the settings %j, when made and when changed", async (settings, message) => {
    await queues.create(me, "other");
    const refusal = { code: "invalid_argument", message: expect.stringContaining(message) };
    await expect(queues.create(me, "q", settings)).rejects.toMatchObject(refusal);
    await queues.create(me, "q");
    await expect(queues.update(me, "q", settings)).rejects.toMatchObject(refusal);
    expect(queues.known("dev", "q")?.version).toBe(1);
  });

  it("have a wait, a size, sources and tags, and say when they were changed", async () => {
    const made = await queues.create(me, "q", { waitMs: 5000, deadLetterSources: [], tags: { team: "a", stage: "b" } });
    expect(made).toMatchObject({
      waitMs: 5000,
      messageMaxBytes: 262_144,
      deadLetterSources: [],
      createdAtMs: made.modifiedAtMs,
    });
    domain.advance(1000);
    await queues.update(me, "q", { deadLetterSources: null, messageMaxBytes: 1024, tags: { stage: null, new: "c" } });
    const again = createQueues(domain.engine, domain.clock.wallMs);
    await again.start();
    const changed = again.known("dev", "q");
    expect(changed).toMatchObject({ waitMs: 5000, messageMaxBytes: 1024, modifiedAtMs: made.createdAtMs + 1000 });
    expect([changed?.deadLetterSources, changed?.tags]).toEqual([undefined, { team: "a", new: "c" }]);
  });

  it("of before a setting was there have its default, and a copy was changed when it was made", async () => {
    const document = { visibilityMs: 1, delayMs: 2, retentionMs: 60_000, createdAtMs: 9, modifiedAtMs: 5 };
    await domain.engine.records.create({ kind: "queue", environment: "dev", name: "old" }, document);
    await queues.refresh();
    expect(queues.known("dev", "old")).toMatchObject({
      waitMs: 0,
      messageMaxBytes: 262_144,
      tags: {},
      modifiedAtMs: 9,
    });
  });

  it("take dead letters of the queues that they name, or of any", async () => {
    const rule = { deadLetter: { queue: "dead", maxReceives: 1 } };
    await queues.create(me, "dead", { deadLetterSources: ["q"] });
    await queues.create(me, "q", rule);
    const refusal = {
      code: "invalid_argument",
      message: expect.stringContaining('takes no dead letters of queue "r"'),
    };
    await expect(queues.create(me, "r", rule)).rejects.toMatchObject(refusal);
    await queues.update(me, "dead", { deadLetterSources: [] });
    await queues.create(me, "r");
    await expect(queues.update(me, "r", rule)).rejects.toMatchObject(refusal);
    await queues.update(me, "dead", { deadLetterSources: null });
    await queues.update(me, "r", rule);
  });

  it.each(["", "a b", "a.fifo", "ä", "x".repeat(81), "a/b"])("refuse the name %j", async (name) => {
    await expect(queues.create(me, name)).rejects.toMatchObject({ code: "invalid_argument" });
  });

  it("are made once when two callers want the same, and say when they are missing", async () => {
    const results = await Promise.allSettled([queues.create(me, "q"), queues.create(me, "q")]);
    expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    await expect(queues.create(me, "q")).rejects.toMatchObject({ code: "already_exists", subject: "queue" });
    for (const call of [
      () => queues.read(me, "none"),
      () => queues.update(me, "none", {}),
      () => queues.delete(me, "none"),
      () => queues.purge(me, "none"),
    ]) {
      await expect(call()).rejects.toMatchObject({
        code: "not_found",
        subject: "queue",
        message: 'queue "none" does not exist',
      });
    }
  });

  it("are as many as an environment may have, also when many are made at once", async () => {
    const made = await Promise.allSettled(
      Array.from({ length: limits.queue.perEnvironment + 1 }, (_, n) => queues.create(me, `q${n}`)),
    );
    expect(made.filter(({ status }) => status === "rejected")).toMatchObject([{ reason: { code: "limit_exceeded" } }]);
    await queues.create({ ...me, environment: "other" }, "q");
  });

  it("keep every change when they are changed by several at once", async () => {
    await queues.create(me, "dead");
    await queues.create(me, "q", { deadLetter: { queue: "dead", maxReceives: 2 } });
    await Promise.all([
      queues.update(me, "q", { visibilityMs: 1 }),
      queues.update(me, "q", { delayMs: 2 }),
      queues.update(me, "q", { deadLetter: null }),
    ]);
    expect(queues.known("dev", "q")).toMatchObject({ visibilityMs: 1, delayMs: 2, deadLetter: undefined, version: 4 });
  });

  it("cannot be deleted while others name them as their dead-letter queue, not even in the same moment", async () => {
    await queues.create(me, "dead");
    await queues.create(me, "a", { deadLetter: { queue: "dead", maxReceives: 2 } });
    await queues.create(me, "b", { deadLetter: { queue: "dead", maxReceives: 2 } });
    await expect(queues.delete(me, "dead")).rejects.toMatchObject({
      code: "failed_precondition",
      message: 'queue "dead" is the dead-letter queue of "a", "b": change those first',
    });
    await queues.update(me, "a", { deadLetter: null });
    await queues.delete(me, "b");
    const [deleted, made] = await Promise.allSettled([
      queues.delete(me, "dead"),
      queues.create(me, "c", { deadLetter: { queue: "dead", maxReceives: 2 } }),
    ]);
    expect([deleted.status, made]).toMatchObject(["fulfilled", { reason: { code: "invalid_argument" } }]);
  });

  it("are empty after a purge, with their settings, and after they were deleted and made anew", async () => {
    await queues.create(me, "q", { visibilityMs: 7 });
    await domain.send("q", "a");
    const before = queues.known("dev", "q");
    await queues.purge(me, "q");
    expect(queues.known("dev", "q")).toEqual({ ...before, queueId: expect.any(Number) });
    expect(await domain.take("q")).toEqual([]);
    await domain.send("q", "b");
    await queues.delete(me, "q");
    await queues.create(me, "q");
    expect(await domain.take("q")).toEqual([]);
  });

  it("are listed and shown to whom they concern", async () => {
    for (const name of ["b", "a", "c"]) await queues.create(me, name);
    const sender = withGrants({ resource: "queue", role: "send", queue: { name: "b" } });
    expect(queues.list(me).map(({ queue }) => queue)).toEqual(["a", "b", "c"]);
    expect(queues.list(sender).map(({ queue }) => queue)).toEqual(["b"]);
    expect((await queues.read(sender, "b")).queue).toBe("b");
    await expect(queues.read(sender, "a")).rejects.toMatchObject({ code: "permission_denied" });
    const topicsOnly = withGrants({ resource: "topic", role: "subscribe", cache: { all: true }, topic: { all: true } });
    expect(() => queues.list(topicsOnly)).toThrow("may not do queue.list");
    expect(queues.list({ ...me, environment: "other" })).toEqual([]);
  });

  it("are changed by super users only", async () => {
    await queues.create(me, "q");
    const worker = withGrants({ resource: "queue", role: "send-receive", queue: { all: true } });
    for (const call of [
      () => queues.create(worker, "r"),
      () => queues.update(worker, "q", {}),
      () => queues.delete(worker, "q"),
      () => queues.purge(worker, "q"),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: "permission_denied" });
    }
  });
});
