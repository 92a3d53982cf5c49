import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../engine.ts";
import type { DeadLetterBounds } from "../subscriptions/store.ts";
import type { HistoryBounds } from "../topics/store.ts";
import type { RecordKey, StoredRecord } from "./store.ts";

/** What a contract asks of the engine it opens. */
export interface SubjectOptions {
  readonly history?: HistoryBounds;
  /** Byte budget of items per environment. */
  readonly itemsEnvironmentMaxBytes?: number;
  /** Byte budgets of `memory` items; those of an environment default to `itemsEnvironmentMaxBytes`. */
  readonly memoryItems?: { readonly cacheMaxBytes: number; readonly totalMaxBytes: number };
  /** Byte budget of queues per environment. */
  readonly queuesEnvironmentMaxBytes?: number;
  readonly deadLetters?: DeadLetterBounds;
}

/** An engine under contract, as two nodes see it. */
export interface EngineSubject {
  /** Two handles over the same state; other ones after `reopen` and `restore`. */
  readonly handles: readonly [Engine, Engine];
  /** Ends the engine and opens it again on what it kept. */
  reopen(): Promise<void>;
  /** Makes a backup, lets `meanwhile` go on with the original, then opens the backup in its place. */
  restore(meanwhile: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** Opens a fresh engine. */
export type OpenSubject = (options?: SubjectOptions) => Promise<EngineSubject>;

/** Steps without all `reopen` but the first: one takes as long as all else in a run, and the runs of a law share an engine anyway. */
export function oneReopen<Step extends { readonly act: string | { readonly kind: string } }>(
  steps: fc.Arbitrary<Step[]>,
): fc.Arbitrary<Step[]> {
  const isReopen = ({ act }: Step) => (typeof act === "string" ? act : act.kind) === "reopen";
  return steps.map((all) => all.filter((step, n) => !isReopen(step) || n === all.findIndex(isReopen)));
}

const key = (name: string, environment = "dev"): RecordKey => ({ kind: "cache", environment, name });

/** The laws of `RecordStore`. */
export function recordStoreContract(name: string, open: OpenSubject): void {
  describe(`records of ${name}`, () => {
    let subject: EngineSubject;
    beforeAll(async () => {
      subject = await open();
    });
    afterAll(() => subject.close());
    const one = () => subject.handles[0].records;
    const two = () => subject.handles[1].records;

    it("what one handle creates, the other reads, with version 1", async () => {
      const created = await one().create(key("created"), { durability: "disk", deep: { list: [1, "ü"] } });
      expect(created).toMatchObject({ ...key("created"), version: 1, document: { deep: { list: [1, "ü"] } } });
      expect(await two().read(key("created"))).toEqual(created);
      expect(await two().read(key("created", "prod"))).toBeUndefined();
    });

    it("of many that create the same record, one wins", async () => {
      const tries = [one(), two(), one(), two()].map((records) => records.create(key("raced"), {}));
      const outcomes = await Promise.allSettled(tries);
      expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "already_exists" });
      }
    });

    it("replaces only the version that the caller read", async () => {
      const first = await one().create(key("replaced"), { n: 1 });
      const second = await two().replace(key("replaced"), { n: 2 }, 1);
      expect(second).toEqual({ ...first, version: 2, document: { n: 2 } });
      await expect(one().replace(key("replaced"), { n: 3 }, 1)).rejects.toMatchObject({ code: "failed_precondition" });
      await expect(one().replace(key("nothing"), {}, 1)).rejects.toMatchObject({ code: "not_found" });
      expect(await one().read(key("replaced"))).toEqual(second);
    });

    it("renews a record under a greater id and leaves the rest as it is", async () => {
      const first = await one().create(key("renewed"), { n: 1 });
      const renewed = await two().renew(key("renewed"));
      expect(renewed).toEqual({ ...first, id: renewed.id });
      expect(renewed.id).toBeGreaterThan(first.id);
      expect(await one().read(key("renewed"))).toEqual(renewed);
      await expect(one().renew(key("nothing"))).rejects.toMatchObject({ code: "not_found" });
    });

    it("removes and returns what was there; a second remove finds nothing", async () => {
      const created = await one().create(key("removed"), {});
      expect(await two().remove(key("removed"))).toEqual(created);
      expect(await one().read(key("removed"))).toBeUndefined();
      expect(await one().remove(key("removed"))).toBeUndefined();
      const again = await one().create(key("removed"), {});
      expect(again.id).toBeGreaterThan(created.id);
    });

    it("lists a kind by environment, then name", async () => {
      for (const [environment, text] of [
        ["b", "x"],
        ["a", "y"],
        ["a", "B"],
        ["a", "x"],
      ] as const) {
        await one().create({ kind: "listed", environment, name: text }, {});
      }
      const names = (all: readonly StoredRecord[]) => all.map((record) => `${record.environment}/${record.name}`);
      expect(names(await two().list("listed"))).toEqual(["a/B", "a/x", "a/y", "b/x"]);
      expect(names(await two().list("listed", "b"))).toEqual(["b/x"]);
    });

    it("keeps records, and never gives an id again, over a restart", async () => {
      const before = await one().create(key("kept"), { n: 1 });
      const last = await one().create(key("last"), {});
      await one().remove(key("last"));
      await subject.reopen();
      expect(await one().read(key("kept"))).toEqual(before);
      expect((await two().create(key("after"), {})).id).toBeGreaterThan(last.id);
    });

    it("a restored backup never gives an id that the original gave after it", async () => {
      let last: StoredRecord | undefined;
      await subject.restore(async () => {
        for (let n = 0; n < 50; n++) last = await one().create(key(`lost ${n}`), {});
      });
      expect(await one().read(key("lost 0"))).toBeUndefined();
      expect((await one().create(key("new"), {})).id).toBeGreaterThan(last?.id ?? Number.NaN);
    });

    it("behaves as a plain map, whatever the order of calls", async () => {
      await fc.assert(
        fc.asyncProperty(oneReopen(fc.array(recordStep, { maxLength: 40 })), async (steps) => {
          await runAgainstModel(subject, steps);
        }),
        { numRuns: 15 },
      );
    });
  });
}

const recordStep = fc.record({
  handle: fc.constantFrom(0 as const, 1 as const),
  name: fc.constantFrom("p", "q"),
  act: fc.oneof(
    { weight: 10, arbitrary: fc.constantFrom("create", "replace", "renew", "remove") },
    { weight: 1, arbitrary: fc.constant("reopen") },
  ),
  version: fc.integer({ min: 1, max: 3 }),
});
type RecordStep = typeof recordStep extends fc.Arbitrary<infer T> ? T : never;

let modelRuns = 0;

async function runAgainstModel(subject: EngineSubject, steps: readonly RecordStep[]): Promise<void> {
  const environment = `model ${modelRuns++}`;
  const model = new Map<string, StoredRecord>();
  let lastId = 0;
  for (const [n, step] of steps.entries()) {
    const records = subject.handles[step.handle].records;
    const at: RecordKey = { kind: "model", environment, name: step.name };
    const old = model.get(step.name);
    const code = (call: Promise<StoredRecord>) => call.catch((error) => error.code);
    if (step.act === "reopen") await subject.reopen();
    if (step.act === "create") {
      const created = await code(records.create(at, { n }));
      if (old) expect(created).toBe("already_exists");
      else model.set(step.name, { ...at, id: created.id, version: 1, document: { n } });
    }
    if (step.act === "replace") {
      const replaced = await code(records.replace(at, { n }, step.version));
      if (!old) expect(replaced).toBe("not_found");
      else if (old.version !== step.version) expect(replaced).toBe("failed_precondition");
      else model.set(step.name, { ...old, version: old.version + 1, document: { n } });
    }
    if (step.act === "renew") {
      const renewed = await code(records.renew(at));
      if (old) model.set(step.name, { ...old, id: renewed.id });
      else expect(renewed).toBe("not_found");
    }
    if (step.act === "remove") {
      expect(await records.remove(at)).toEqual(old);
      model.delete(step.name);
    }
    const now = model.get(step.name);
    if (now !== undefined && now.id !== old?.id) expect(now.id).toBeGreaterThan(lastId);
    lastId = Math.max(lastId, now?.id ?? 0);
    const names = [...model.keys()].sort();
    expect(await subject.handles[1].records.list("model", environment)).toEqual(names.map((text) => model.get(text)));
  }
}
