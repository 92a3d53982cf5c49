import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EngineSubject, type OpenSubject, oneReopen } from "../records/store.contract.ts";
import type { CacheKey, Durability } from "./cache.ts";
import { hashOf } from "./hash.ts";
import type { ItemStore, SetCondition } from "./store.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const nowMs = 1_000_000;
const expiresAtMs = nowMs + 60_000;
const item = (text: string, endMs = expiresAtMs) => ({ value: bytes(text), expiresAtMs: endMs });
const key = bytes("key");
const most = 2n ** 63n - 1n;
const least = -(2n ** 63n);

const ifValue = (ifAbsent: boolean, text: string, isEqual: boolean): SetCondition => ({
  ifAbsent,
  ifPresent: { compare: "value", with: bytes(text), isEqual },
});
const ifHash = (ifAbsent: boolean, text: string, isEqual: boolean): SetCondition => ({
  ifAbsent,
  ifPresent: { compare: "hash", with: hashOf(bytes(text)), isEqual },
});
const absent: SetCondition = { ifAbsent: true, ifPresent: false };
const present: SetCondition = { ifAbsent: false, ifPresent: true };

/** The laws of `ItemStore`'s calls that depend on what a key holds, and of all of them together; the others are in store.contract.ts. */
export function itemChangesContract(name: string, durability: Durability, open: OpenSubject): void {
  const isDurable = durability === "disk";

  describe(`changes of items of ${name}`, () => {
    let subject: EngineSubject;
    let caches = 0;
    beforeAll(async () => {
      subject = await open({ itemsEnvironmentMaxBytes: 100_000 });
    });
    afterAll(() => subject.close());
    const one = () => subject.handles[0].items[durability];
    const two = () => subject.handles[1].items[durability];
    async function newCache(): Promise<CacheKey> {
      const [environment, cache] = [`environment of changes ${caches}`, `cache of changes ${caches++}`];
      const record = await subject.handles[0].records.create(
        { kind: "cache", environment, name: cache },
        { durability },
      );
      return { environment, cache, cacheId: record.id };
    }
    async function textOf(cache: CacheKey, atMs = nowMs) {
      const found = await two().get(cache, key, atMs);
      return found && new TextDecoder().decode(found.value);
    }
    async function holdAList(cache: CacheKey) {
      const push = { end: "back", values: [bytes("a")], truncateTo: undefined } as const;
      const expiry = { expiresAtMs, isRefreshed: false };
      await subject.handles[0].lists[durability].push(cache, key, { ...push, expiry }, nowMs);
    }

    it.each([
      ["absent", absent, { nothing: true, same: false, other: false }],
      ["present", present, { nothing: false, same: true, other: true }],
      ["equal", ifValue(false, "same", true), { nothing: false, same: true, other: false }],
      ["present and different", ifValue(false, "same", false), { nothing: false, same: false, other: true }],
      ["absent or equal", ifValue(true, "same", true), { nothing: true, same: true, other: false }],
      ["absent or different", ifValue(true, "same", false), { nothing: true, same: false, other: true }],
      ["equal by hash", ifHash(false, "same", true), { nothing: false, same: true, other: false }],
      ["present and different by hash", ifHash(false, "same", false), { nothing: false, same: false, other: true }],
      ["absent or equal by hash", ifHash(true, "same", true), { nothing: true, same: true, other: false }],
      ["absent or different by hash", ifHash(true, "same", false), { nothing: true, same: false, other: true }],
      ["always", { ifAbsent: true, ifPresent: true }, { nothing: true, same: true, other: true }],
    ] as const)("setIf %s stores when it holds and else leaves value and end", async (_, condition, outcomes) => {
      for (const [held, isStored] of Object.entries(outcomes)) {
        const cache = await newCache();
        if (held !== "nothing") await one().set(cache, key, item(held, nowMs + 10));
        await two().get(cache, key, nowMs);
        expect(await one().setIf(cache, key, item("new"), condition, nowMs), held).toBe(isStored);
        expect(await textOf(cache), held).toBe(isStored ? "new" : held === "nothing" ? undefined : held);
        const endMs = isStored ? expiresAtMs : nowMs + 10;
        expect((await two().inspect(cache, key, nowMs))?.expiresAtMs, held).toBe(
          isStored || held !== "nothing" ? endMs : undefined,
        );
      }
    });

    it("an empty value is there, and equals an empty one", async () => {
      const cache = await newCache();
      await one().set(cache, key, item(""));
      expect(await one().setIf(cache, key, item("x"), absent, nowMs)).toBe(false);
      expect(await one().setIf(cache, key, item("x"), ifValue(false, "", true), nowMs)).toBe(true);
      expect(await textOf(cache)).toBe("x");
    });

    it("what has expired is absent, swept or not", async () => {
      const cache = await newCache();
      await one().set(cache, key, item("old", nowMs + 10));
      await two().get(cache, key, nowMs);
      expect(await one().setIf(cache, key, item("x"), present, nowMs + 10)).toBe(false);
      expect(await one().updateTtl(cache, key, { to: "overwrite", expiresAtMs }, nowMs + 10)).toBeUndefined();
      expect(await one().inspect(cache, key, nowMs + 10)).toBeUndefined();
      expect(await one().increment(cache, key, 5n, nowMs + 20, nowMs + 10)).toBe(5n);
      expect(await one().setIf(cache, key, item("x"), absent, nowMs + 20)).toBe(true);
      expect(await textOf(cache, nowMs + 20)).toBe("x");
    });

    it("of many who set a key where it is absent, through both handles, exactly one does", async () => {
      const cache = await newCache();
      const racers = Array.from({ length: 100 }, (_, n) => (n % 2 ? one() : two()));
      const results = await Promise.all(racers.map((store, n) => store.setIf(cache, key, item(`${n}`), absent, nowMs)));
      expect(results.filter((isStored) => isStored)).toHaveLength(1);
      expect(await textOf(cache)).toBe(`${results.indexOf(true)}`);
    });

    it("a thousand increments at once through both handles answer 1 to 1000, and are there after a restart", async () => {
      const cache = await newCache();
      const sums = await Promise.all(
        Array.from({ length: 1000 }, (_, n) => (n % 2 ? one() : two()).increment(cache, key, 1n, expiresAtMs, nowMs)),
      );
      expect(sums.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, n) => n + 1));
      if (isDurable) await subject.reopen();
      expect(await textOf(cache)).toBe("1000");
    });

    it("increment counts in whole numbers of 64 bits, and sets the end each time", async () => {
      const cache = await newCache();
      expect(await one().increment(cache, key, most, nowMs + 10, nowMs)).toBe(most);
      await expect(one().increment(cache, key, 1n, expiresAtMs, nowMs)).rejects.toMatchObject({
        code: "failed_precondition",
      });
      expect((await two().inspect(cache, key, nowMs))?.expiresAtMs).toBe(nowMs + 10);
      expect(await one().increment(cache, key, least, expiresAtMs, nowMs)).toBe(-1n);
      expect((await two().inspect(cache, key, nowMs))?.expiresAtMs).toBe(expiresAtMs);
      expect(await one().increment(cache, key, least + 1n, expiresAtMs, nowMs)).toBe(least);
      await expect(one().increment(cache, key, -1n, expiresAtMs, nowMs)).rejects.toMatchObject({
        code: "failed_precondition",
      });
      expect(await textOf(cache)).toBe(`${least}`);
    });

    it.each(["", "x", " 5", "+5", "-0", "007", "1.5", "1e3", `${most + 1n}`, "99999999999999999999"])(
      "increment refuses the text %j and leaves it",
      async (text) => {
        const cache = await newCache();
        await one().set(cache, key, item(text));
        await expect(one().increment(cache, key, 1n, expiresAtMs, nowMs)).rejects.toMatchObject({
          code: "failed_precondition",
        });
        expect(await textOf(cache)).toBe(text);
      },
    );

    it("updateTtl moves the end always, only later or only earlier, and never to the value's harm", async () => {
      const cache = await newCache();
      const move = (to: "overwrite" | "increase" | "decrease", endMs: number) =>
        one().updateTtl(cache, key, { to, expiresAtMs: endMs }, nowMs);
      const endMs = async () => (await two().inspect(cache, key, nowMs))?.expiresAtMs;
      expect(await move("overwrite", expiresAtMs)).toBeUndefined();
      await one().set(cache, key, item("value", nowMs + 100));
      await two().get(cache, key, nowMs);
      for (const [to, at, outcome] of [
        ["increase", 99, "not set"],
        ["increase", 100, "not set"],
        ["increase", 101, "set"],
        ["decrease", 101, "not set"],
        ["decrease", 50, "set"],
        ["overwrite", 50, "set"],
        ["overwrite", 200, "set"],
      ] as const) {
        expect(await move(to, nowMs + at), `${to} ${at}`).toBe(outcome);
      }
      expect(await endMs()).toBe(nowMs + 200);
      if (isDurable) await subject.reopen();
      expect(await endMs()).toBe(nowMs + 200);
      while (await one().sweep(nowMs + 199));
      expect(await textOf(cache, nowMs + 199)).toBe("value");
      expect(await textOf(cache, nowMs + 200)).toBeUndefined();
      while (await one().sweep(nowMs + 100_000));
      expect(await move("overwrite", expiresAtMs)).toBeUndefined();
    });

    it("a collection is told by its type, keeps its elements when its end moves, and is not compared or counted", async () => {
      const cache = await newCache();
      await holdAList(cache);
      expect(await two().inspect(cache, key, nowMs)).toEqual({ type: "list", expiresAtMs });
      expect(await one().setIf(cache, key, item("x"), absent, nowMs)).toBe(false);
      const refused = [
        one().setIf(cache, key, item("x"), ifValue(true, "a", false), nowMs),
        one().setIf(cache, key, item("x"), ifHash(true, "a", true), nowMs),
        one().increment(cache, key, 1n, expiresAtMs, nowMs),
      ];
      for (const call of refused) await expect(call).rejects.toMatchObject({ code: "failed_precondition" });
      expect(await one().updateTtl(cache, key, { to: "decrease", expiresAtMs: nowMs + 5 }, nowMs)).toBe("set");
      const lists = subject.handles[1].lists[durability];
      expect(await lists.length(cache, key, nowMs + 4)).toBe(1);
      expect(await lists.length(cache, key, nowMs + 5)).toBeUndefined();
      expect(await one().setIf(cache, key, item("x"), present, nowMs)).toBe(true);
      expect(await two().inspect(cache, key, nowMs)).toEqual({ type: "scalar", expiresAtMs });
      expect(await textOf(cache)).toBe("x");
    });

    it("a forgotten cache takes no change and has nothing", async () => {
      const cache = await newCache();
      await one().set(cache, key, item("1"));
      await two().forget(cache);
      const refused = [
        one().setIf(cache, key, item("x"), present, nowMs),
        one().setIf(cache, key, item("x"), absent, nowMs),
        one().increment(cache, key, 1n, expiresAtMs, nowMs),
        one().updateTtl(cache, key, { to: "overwrite", expiresAtMs }, nowMs),
      ];
      for (const call of refused) await expect(call).rejects.toMatchObject({ code: "not_found" });
      expect(await one().inspect(cache, key, nowMs)).toBeUndefined();
    });

    it("what has no room is refused and leaves what is there", async () => {
      const cache = await newCache();
      await one().set(cache, key, item("old"));
      const huge = { value: new Uint8Array(100_001), expiresAtMs };
      await expect(one().setIf(cache, key, huge, present, nowMs)).rejects.toMatchObject({ code: "limit_exceeded" });
      expect(await textOf(cache)).toBe("old");
    });

    it("agrees with a plain map, whatever the order of calls, across sweeps and restarts, also for reads that race with writes", async () => {
      await fc.assert(
        fc.asyncProperty(oneReopen(fc.array(step, { maxLength: 40 })), async (steps) => {
          const cache = await newCache();
          const model = new Model();
          for (const next of steps) {
            model.nowMs += next.passMs;
            if (next.act === "reopen" && isDurable) await subject.reopen();
            if (next.act === "sweep") while (await one().sweep(model.nowMs));
            const store = subject.handles[next.handle].items[durability];
            const racing = next.races ? store.get(cache, bytes(next.name), model.nowMs) : undefined;
            expect(await run(store, cache, next, model.nowMs)).toEqual(model.run(next));
            await racing;
            const other = subject.handles[1].items[durability];
            expect(await stateOf(other, cache, next.name, model.nowMs)).toEqual(model.held(next.name));
          }
        }),
        { numRuns: 20 },
      );
    });
  });
}

const values = ["", "1", "-7", "x", `${most}`];
const step = fc.record({
  handle: fc.constantFrom(0 as const, 1 as const),
  name: fc.constantFrom("a", "b"),
  races: fc.boolean(),
  passMs: fc.constantFrom(0, 0, 0, 5),
  act: fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom("set", "setIf", "increment", "updateTtl", "delete") },
    { weight: 2, arbitrary: fc.constant("sweep") },
    { weight: 1, arbitrary: fc.constant("reopen") },
  ),
  value: fc.constantFrom(...values),
  ttlMs: fc.integer({ min: 1, max: 20 }),
  amount: fc.constantFrom(1n, -1n, most, least),
  to: fc.constantFrom("overwrite" as const, "increase" as const, "decrease" as const),
  condition: fc.record({
    ifAbsent: fc.boolean(),
    ifPresent: fc.oneof(
      fc.boolean(),
      fc.record({ compare: fc.constantFrom("value", "hash"), text: fc.constantFrom(...values), isEqual: fc.boolean() }),
    ),
  }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function conditionOf({ condition: { ifAbsent, ifPresent } }: Step): SetCondition {
  if (typeof ifPresent === "boolean") return { ifAbsent, ifPresent };
  return (ifPresent.compare === "hash" ? ifHash : ifValue)(ifAbsent, ifPresent.text, ifPresent.isEqual);
}

/** What the call answers, "refused" for a failed precondition. */
async function run(store: ItemStore, cache: CacheKey, next: Step, atMs: number): Promise<unknown> {
  const [itemKey, endMs] = [bytes(next.name), atMs + next.ttlMs];
  if (next.act === "set") return store.set(cache, itemKey, item(next.value, endMs));
  if (next.act === "setIf") return store.setIf(cache, itemKey, item(next.value, endMs), conditionOf(next), atMs);
  if (next.act === "updateTtl") return store.updateTtl(cache, itemKey, { to: next.to, expiresAtMs: endMs }, atMs);
  if (next.act === "delete") return store.delete(cache, itemKey);
  if (next.act !== "increment") return undefined;
  return store.increment(cache, itemKey, next.amount, endMs, atMs).catch((error) => {
    expect(error).toMatchObject({ code: "failed_precondition" });
    return "refused";
  });
}

async function stateOf(store: ItemStore, cache: CacheKey, name: string, atMs: number) {
  const [found, state] = [await store.get(cache, bytes(name), atMs), await store.inspect(cache, bytes(name), atMs)];
  expect(state?.expiresAtMs).toBe(found?.expiresAtMs);
  return found && { text: new TextDecoder().decode(found.value), endMs: found.expiresAtMs };
}

class Model {
  readonly #items = new Map<string, { text: string; endMs: number }>();
  nowMs = 1_000_000;

  held(name: string): { text: string; endMs: number } | undefined {
    const held = this.#items.get(name);
    return held !== undefined && held.endMs > this.nowMs ? held : undefined;
  }

  run(next: Step): unknown {
    const [held, endMs] = [this.held(next.name), this.nowMs + next.ttlMs];
    const set = (text: string) => void this.#items.set(next.name, { text, endMs });
    if (next.act === "set") return set(next.value);
    if (next.act === "delete") return void this.#items.delete(next.name);
    if (next.act === "setIf") {
      if (!this.#holds(next, held?.text)) return false;
      set(next.value);
      return true;
    }
    if (next.act === "increment") {
      if (held !== undefined && !/^(0|-?[1-9]\d*)$/.test(held.text)) {
        return "refused";
      }
      const sum = BigInt(held?.text ?? 0) + next.amount;
      if (BigInt.asIntN(64, sum) !== sum) return "refused";
      set(`${sum}`);
      return sum;
    }
    if (next.act !== "updateTtl" || held === undefined) return undefined;
    const isMoved = { overwrite: true, increase: endMs > held.endMs, decrease: endMs < held.endMs }[next.to];
    if (isMoved) set(held.text);
    return isMoved ? "set" : "not set";
  }

  #holds({ condition: { ifAbsent, ifPresent } }: Step, text: string | undefined): boolean {
    if (text === undefined) return ifAbsent;
    return typeof ifPresent === "boolean" ? ifPresent : (text === ifPresent.text) === ifPresent.isEqual;
  }
}
