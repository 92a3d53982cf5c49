import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits } from "../limits.ts";
import { type EngineSubject, type OpenSubject, oneReopen } from "../records/store.contract.ts";
import type { Position } from "../topics/position.ts";
import type { HistoryBounds, TopicItem, TopicKey } from "../topics/store.ts";
import type {
  Cursor,
  DeadLetter,
  DeliveryEntry,
  FailureEntry,
  SubscriptionAlarm,
  SubscriptionChange,
  SubscriptionKey,
  SubscriptionStore,
} from "./store.ts";

const encoder = new TextEncoder();
const all = { maxItems: 100_000, maxBytes: 1e9 };
const noCounters = { delivered: 0, failures: 0, dead: 0, replayed: 0, dropped: 0, missed: 0 };
/** What a dead letter counts beside its value and attributes. */
const overheadBytes = 256;
const history: HistoryBounds = { maxItems: 16, maxBytes: 1e6, maxAgeMs: 1e6, environmentMaxBytes: 1e6 };
const deadLetters = { perWebhook: 10, environmentMaxBytes: 20 * 1000, keptMs: 1e6 };

const textItem = (
  position: Position,
  text = `item ${position.sequence}`,
  more: Partial<TopicItem> = {},
): TopicItem => ({
  ...position,
  value: { isText: true, bytes: encoder.encode(text) },
  attributes: undefined,
  tokenId: "",
  publishedAtMs: 1,
  ...more,
});
const delivery = (position: Position, more: Partial<DeliveryEntry> = {}): DeliveryEntry => ({
  topic: "t",
  ...position,
  outcome: "delivered",
  atMs: 1000 + position.sequence,
  attempts: 1,
  status: 200,
  latencyMs: 3,
  isReplay: false,
  ...more,
});
const failure = (position: Position, more: Partial<FailureEntry> = {}): FailureEntry => ({
  topic: "t",
  ...position,
  atMs: 1000 + position.sequence,
  attempt: 1,
  status: 503,
  latencyMs: 4,
  error: "the receiver answered 503",
  answer: undefined,
  ...more,
});
type NewDeadLetter = Omit<DeadLetter, "id" | "isReplaying">;
const death = (item: TopicItem, more: Partial<NewDeadLetter> = {}): NewDeadLetter => ({
  topic: "t",
  item,
  reason: "refused",
  diedAtMs: 2000,
  attempts: 1,
  error: "the receiver answered 404",
  status: 404,
  ...more,
});

/** A cache with a topic, a subscription of it, and short ways to use them. */
interface Place {
  readonly environment: string;
  readonly topic: TopicKey;
  readonly key: SubscriptionKey;
  /** Of the topic's first page. */
  at(sequence: number): Position;
  cursor(sequence: number, pending?: readonly number[]): Cursor;
}

let places = 0;

/** The laws of `SubscriptionStore`. */
export function subscriptionStoreContract(name: string, open: OpenSubject): void {
  let subject: EngineSubject;
  const one = (): SubscriptionStore => subject.handles[0].subscriptions;
  const two = (): SubscriptionStore => subject.handles[1].subscriptions;

  async function addSubscription(environment: string, text: string): Promise<SubscriptionKey> {
    const { id } = await subject.handles[0].records.create({ kind: "subscription", environment, name: text }, {});
    return { environment, id };
  }

  /** Opens it at the beginning of the topic, or at `sequence`. */
  async function aPlace(sequence = 0): Promise<Place> {
    const environment = `place ${places++}`;
    const { records } = subject.handles[0];
    await records.create({ kind: "environment", environment, name: environment }, {});
    const cache = await records.create({ kind: "cache", environment, name: "c" }, { durability: "disk" });
    const topic = { cache: { environment, cache: "c", cacheId: cache.id }, topic: "t" };
    const { page } = await subject.handles[0].topics.disk.head(topic);
    const at = (n: number) => ({ page, sequence: n });
    const cursor = (n: number, pending: readonly number[] = []) => ({
      key: topic,
      position: at(n),
      pending: pending.map(at),
    });
    const key = await addSubscription(environment, "w");
    await one().open(key, cursor(sequence));
    return { environment, topic, key, at, cursor };
  }

  const publish = async ({ topic }: Place, count: number, text = "value") => {
    const value = { isText: true, bytes: encoder.encode(text) };
    const item = { key: topic, value, attributes: undefined, tokenId: "", publishedAtMs: 1, messageId: undefined };
    await subject.handles[0].topics.disk.append(Array.from({ length: count }, () => item));
  };
  const sequencesOf = async ({ key }: Place, isReplaying?: true) =>
    (await two().deadLetters(key, { ...all, ...(isReplaying && { isReplaying }) })).map(({ item }) => item.sequence);
  const saveDead = ({ key, at }: Place, sequences: readonly number[], more: Partial<NewDeadLetter> = {}) =>
    one().save([{ key, dead: sequences.map((sequence) => death(textItem(at(sequence)), more)) }]);
  const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, n) => first + n);

  /** Trims until nothing is left to do; the alarms, by subscription id. */
  async function trimAll(nowMs: number): Promise<Map<number, SubscriptionAlarm>> {
    const alarms = new Map<number, SubscriptionAlarm>();
    for (let hasMore = true; hasMore; ) {
      const step = await two().trim(nowMs);
      for (const alarm of step.alarms) {
        expect(alarms.has(alarm.key.id)).toBe(false);
        alarms.set(alarm.key.id, alarm);
      }
      hasMore = step.hasMore;
    }
    return alarms;
  }

  describe(`subscriptions of ${name}`, () => {
    beforeAll(async () => {
      subject = await open();
    });
    afterAll(() => subject.close());

    it("opens with the start it is given, and from then on with what was saved", async () => {
      const { key, cursor } = await aPlace(3);
      const state = { cursor: cursor(3), counters: noCounters, deadLetters: { count: 0, bytes: 0, replaying: 0 } };
      expect(await two().open(key, cursor(9))).toEqual(state);
      await one().save([{ key, cursor: cursor(5, [2, 4]) }]);
      expect(await two().state(key)).toEqual({ ...state, cursor: cursor(5, [2, 4]) });
      await subject.reopen();
      expect(await one().open(key, cursor(9))).toEqual({ ...state, cursor: cursor(5, [2, 4]) });
    });

    it("a cursor may move to another topic, and another incarnation of the cache", async () => {
      const { key, topic } = await aPlace();
      const flushed = { cache: { ...topic.cache, cacheId: topic.cache.cacheId + 1e6 }, topic: "näxt" };
      const pending = [
        { page: 7, sequence: 1 },
        { page: 7, sequence: 3 },
        { page: 8, sequence: 1 },
      ];
      const cursor = { key: flushed, position: { page: 8, sequence: 1 }, pending };
      await one().save([{ key, cursor }]);
      expect((await two().state(key)).cursor).toEqual(cursor);
    });

    it("keeps as many pending positions as a subscription may have", async () => {
      const { key, cursor } = await aPlace();
      const wide = cursor(
        5000,
        upTo(2 * limits.webhook.pendingMax).filter((n) => n % 2 === 0),
      );
      await one().save([{ key, cursor: wide }]);
      expect((await two().state(key)).cursor).toEqual(wide);
    });

    it("knows nothing of an id without a record", async () => {
      const { environment, cursor } = await aPlace();
      const nobody = { environment, id: 987_654_321 };
      const calls: (() => Promise<unknown>)[] = [
        () => one().open(nobody, cursor(0)),
        () => one().state(nobody),
        () => one().deliveries(nobody, 1),
        () => one().failures(nobody, 1),
        () => one().deadLetters(nobody, all),
        () => one().replay(nobody, "all"),
        () => one().drop(nobody, 1),
      ];
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "not_found" });
      await expect(one().state(await addSubscription(environment, "never opened"))).rejects.toMatchObject({
        code: "not_found",
      });
    });

    it("saves what several subscriptions have to say at once, and passes over those that are gone", async () => {
      const [first, second, gone] = [await aPlace(), await aPlace(), await aPlace()];
      await subject.handles[1].records.remove({ kind: "subscription", environment: gone.environment, name: "w" });
      const change = ({ key, cursor, at }: Place): SubscriptionChange => ({
        key,
        cursor: cursor(2),
        deliveries: [delivery(at(1)), delivery(at(2), { outcome: "dead", status: undefined })],
        failures: [failure(at(2))],
        dead: [death(textItem(at(2)))],
        missed: 4,
      });
      await one().save([change(gone), change(first), change(gone), change(second)]);
      for (const place of [first, second]) {
        const { cursor, counters, deadLetters } = await two().state(place.key);
        expect(cursor).toEqual(place.cursor(2));
        expect(counters).toEqual({ ...noCounters, delivered: 1, failures: 1, dead: 1, missed: 4 });
        expect(deadLetters).toMatchObject({ count: 1, replaying: 0 });
      }
    });

    it("answers deliveries and failures as they were saved, the newest first, page by page", async () => {
      const { key, at } = await aPlace();
      const deliveries = [
        delivery(at(1)),
        delivery(at(2), { outcome: "dead", status: undefined, attempts: 12, latencyMs: 5.25 }),
        delivery(at(1), { isReplay: true, topic: "before" }),
      ];
      const failures = [failure(at(2), { answer: "no, thanks ü" }), failure(at(2), { attempt: 2, status: undefined })];
      await one().save([{ key, deliveries: deliveries.slice(0, 1), failures: failures.slice(0, 1) }]);
      await two().save([{ key, deliveries: deliveries.slice(1), failures: failures.slice(1) }]);
      const numbered = await two().deliveries(key, 10);
      expect(numbered.map(({ number: _, ...entry }) => entry)).toEqual(deliveries.toReversed());
      expect((await one().failures(key, 10)).map(({ number: _, ...entry }) => entry)).toEqual(failures.toReversed());
      expect(await one().deliveries(key, 1)).toEqual(numbered.slice(0, 1));
      expect(await one().deliveries(key, 5, numbered[0]?.number)).toEqual(numbered.slice(1));
      expect(await one().deliveries(key, 5, numbered[2]?.number)).toEqual([]);
      expect((await one().state(key)).counters).toMatchObject({ delivered: 1, failures: 2 });
    });

    it("keeps the newest deliveries and failures, with numbers that grow over a restart", async () => {
      const { key, at } = await aPlace();
      const max = limits.webhook.logMax;
      const some = (first: number) => upTo(first + 299, first);
      for (let n = 1; n < 2 * max; n += 300) {
        const places = some(n).map(at);
        await one().save([
          { key, deliveries: places.map((p) => delivery(p)), failures: places.map((p) => failure(p)) },
        ]);
      }
      await subject.reopen();
      await one().save([{ key, deliveries: [delivery(at(9999))], failures: [failure(at(9999))] }]);
      for (const list of [await two().deliveries(key, 2 * max), await two().failures(key, 2 * max)]) {
        expect(list).toHaveLength(max);
        expect(list.map(({ sequence }) => sequence)).toEqual([9999, ...upTo(2100, 2100 - max + 2).toReversed()]);
        expect(list.map(({ number }) => number)).toEqual(upTo(2101, 2101 - max + 1).toReversed());
      }
      expect((await two().state(key)).counters).toMatchObject({ delivered: 2101, failures: 2101 });
    });

    it("keeps dead letters with all of their item, the oldest first", async () => {
      const { key, at } = await aPlace();
      const bytes = Uint8Array.from({ length: 300 }, (_, n) => n % 256);
      const attributes = { kind: { type: "String", value: "ä" } };
      const items = [
        textItem(at(1), "", { value: { isText: false, bytes: new Uint8Array() } }),
        textItem(at(2), "x", { value: { isText: false, bytes }, tokenId: "user-ü", publishedAtMs: 77 }),
        textItem(at(3), "text", { attributes }),
      ];
      const letters = items.map((item, n) =>
        death(item, n === 1 ? { status: undefined, reason: "deadline", error: "" } : {}),
      );
      await one().save([{ key, dead: letters }]);
      const found = await two().deadLetters(key, all);
      expect(found).toEqual(letters.map((letter, n) => ({ ...letter, id: found[n]?.id, isReplaying: false })));
      expect(found[0]?.id).toBeLessThan(found[1]?.id ?? 0);
      expect(found[1]?.id).toBeLessThan(found[2]?.id ?? 0);
      const bytesOfAll = 300 + 4 + JSON.stringify(attributes).length + 3 * overheadBytes;
      expect((await one().state(key)).deadLetters).toEqual({ count: 3, bytes: bytesOfAll, replaying: 0 });
      await subject.reopen();
      expect(await one().deadLetters(key, all)).toEqual(found);
    });

    it("bounds an answer with dead letters by number and by bytes", async () => {
      const place = await aPlace();
      await one().save([{ key: place.key, dead: upTo(5).map((n) => death(textItem(place.at(n), "x".repeat(100)))) }]);
      const ids = (await one().deadLetters(place.key, all)).map(({ id }) => id);
      const read = async (maxItems: number, maxBytes: number, afterId?: number) =>
        (await two().deadLetters(place.key, { maxItems, maxBytes }, afterId)).map(({ id }) => ids.indexOf(id));
      expect(await read(2, 1e9)).toEqual([0, 1]);
      expect(await read(9, 201)).toEqual([0, 1, 2]);
      expect(await read(9, 1)).toEqual([0]);
      expect(await read(9, 1e9, ids[2])).toEqual([3, 4]);
      expect(await read(0, 1e9)).toEqual([]);
    });

    it("names each topic once that dead letters are of", async () => {
      const [place, other] = [await aPlace(), await aPlace()];
      for (const topic of ["t2", "t", "t2", "ü"]) await saveDead(place, [1, 2], { topic });
      expect(new Set(await two().deadTopics(place.key))).toEqual(new Set(["t", "t2", "ü"]));
      expect(await two().deadTopics(place.key)).toHaveLength(3);
      expect(await two().deadTopics(other.key)).toEqual([]);
    });

    it("marks one dead letter or all for a replay, and answers only those on wish", async () => {
      const place = await aPlace();
      await saveDead(place, upTo(4));
      const ids = (await one().deadLetters(place.key, all)).map(({ id }) => id);
      const other = await aPlace();
      expect(await one().replay(other.key, ids[0] ?? 0)).toBe(0);
      expect(await one().replay(place.key, ids[2] ?? 0)).toBe(1);
      expect(await two().replay(place.key, ids[2] ?? 0)).toBe(0);
      expect(await sequencesOf(place, true)).toEqual([3]);
      expect((await two().state(place.key)).deadLetters).toMatchObject({ count: 4, replaying: 1 });
      expect(await two().replay(place.key, "all")).toBe(3);
      expect(await sequencesOf(place, true)).toEqual([1, 2, 3, 4]);
      expect((await two().state(place.key)).deadLetters).toMatchObject({ count: 4, replaying: 4 });
    });

    it("a replay that was delivered takes its dead letter away; one that failed says why and waits no longer", async () => {
      const place = await aPlace();
      await saveDead(place, upTo(3));
      await one().replay(place.key, "all");
      const [first, second] = await two().deadLetters(place.key, all);
      const failed = { reason: "deadline" as const, diedAtMs: 5000, attempts: 9, error: "timeout", status: undefined };
      await one().save([
        {
          key: place.key,
          deliveries: [
            delivery(place.at(1), { isReplay: true }),
            delivery(place.at(2), { isReplay: true, outcome: "dead" }),
          ],
          replayed: [first?.id ?? 0, first?.id ?? 0, 999_999],
          failedReplays: [
            { id: second?.id ?? 0, ...failed },
            { id: 999_999, ...failed },
          ],
        },
      ]);
      const left = await two().deadLetters(place.key, all);
      expect(left.map(({ item }) => item.sequence)).toEqual([2, 3]);
      expect(left[0]).toEqual({ ...second, ...failed, isReplaying: false });
      const { counters, deadLetters } = await two().state(place.key);
      expect(counters).toEqual({ ...noCounters, dead: 3, replayed: 1 });
      expect(deadLetters).toMatchObject({ count: 2, replaying: 1 });
    });

    it("drops one dead letter or all, and tells no alarm of it", async () => {
      const place = await aPlace();
      await saveDead(place, upTo(4));
      const ids = (await one().deadLetters(place.key, all)).map(({ id }) => id);
      await one().replay(place.key, ids[1] ?? 0);
      expect(await one().drop((await aPlace()).key, ids[1] ?? 0)).toBe(0);
      expect(await one().drop(place.key, ids[1] ?? 0)).toBe(1);
      expect(await two().drop(place.key, ids[1] ?? 0)).toBe(0);
      expect(await sequencesOf(place)).toEqual([1, 3, 4]);
      expect((await two().state(place.key)).deadLetters).toMatchObject({ count: 3, replaying: 0 });
      expect(await two().drop(place.key, "all")).toBe(3);
      const { counters, deadLetters } = await one().state(place.key);
      expect(deadLetters).toEqual({ count: 0, bytes: 0, replaying: 0 });
      expect(counters).toEqual({ ...noCounters, dead: 4, dropped: 4 });
      expect((await trimAll(0)).has(place.key.id)).toBe(false);
    });

    it("marks and drops more than one step frees", async () => {
      const place = await aPlace();
      await saveDead(place, upTo(1300));
      expect(await one().replay(place.key, "all")).toBe(1300);
      expect((await two().state(place.key)).deadLetters).toMatchObject({ count: 1300, replaying: 1300 });
      expect(await two().drop(place.key, "all")).toBe(1300);
      expect((await two().state(place.key)).deadLetters).toEqual({ count: 0, bytes: 0, replaying: 0 });
    });

    it("what lies under a subscription goes with its record: a new one of the same name has none of it", async () => {
      const place = await aPlace();
      await one().save([{ key: place.key, cursor: place.cursor(2), deliveries: [delivery(place.at(1))], missed: 1 }]);
      await saveDead(place, upTo(600));
      const path = { kind: "subscription", environment: place.environment, name: "w" };
      await subject.handles[1].records.remove(path);
      await expect(one().state(place.key)).rejects.toMatchObject({ code: "not_found" });
      await expect(one().deadLetters(place.key, all)).rejects.toMatchObject({ code: "not_found" });
      await trimAll(0);
      const { id } = await subject.handles[0].records.create(path, {});
      const state = await one().open({ environment: place.environment, id }, place.cursor(7));
      expect(state).toMatchObject({
        cursor: place.cursor(7),
        counters: noCounters,
        deadLetters: { count: 0, bytes: 0 },
      });
      expect(await one().deliveries({ environment: place.environment, id }, 10)).toEqual([]);
    });

    it("a restored backup has the cursors and dead letters of its time", async () => {
      const place = await aPlace();
      await one().save([{ key: place.key, cursor: place.cursor(4, [2]), deliveries: [delivery(place.at(1))] }]);
      await saveDead(place, [3]);
      const before = await one().state(place.key);
      await subject.restore(async () => {
        await one().save([{ key: place.key, cursor: place.cursor(9) }]);
        await saveDead(place, [7, 8]);
      });
      expect(await two().open(place.key, place.cursor(0))).toEqual(before);
      expect(await sequencesOf(place)).toEqual([3]);
    });

    it("an environment that is forgotten leaves nothing", async () => {
      const [place, kept] = [await aPlace(), await aPlace()];
      for (const one of [place, kept]) await saveDead(one, upTo(700));
      const own = await subject.handles[0].records.read({
        kind: "environment",
        environment: place.environment,
        name: place.environment,
      });
      while (await subject.handles[1].environments.forget({ name: place.environment, id: own?.id ?? 0 }));
      await expect(two().state(place.key)).rejects.toMatchObject({ code: "not_found" });
      await one().save([{ key: place.key, cursor: place.cursor(3), dead: [death(textItem(place.at(1)))] }]);
      await expect(one().open(place.key, place.cursor(0))).rejects.toMatchObject({ code: "not_found" });
      expect(await sequencesOf(kept)).toHaveLength(700);
    });
  });
  describe(`dead letters of ${name}`, () => {
    beforeAll(async () => {
      subject = await open({ history, deadLetters });
    });
    afterAll(() => subject.close());

    it("what the history drops while a cursor needs it becomes a dead letter, and is told once", async () => {
      const place = await aPlace(5);
      const other = await addSubscription(place.environment, "other");
      await one().open(other, place.cursor(9));
      await publish(place, 24);
      const letters = await two().deadLetters(place.key, all);
      expect(letters.map(({ item }) => item.sequence)).toEqual([6, 7, 8]);
      expect(letters[0]).toEqual({
        id: letters[0]?.id,
        topic: "t",
        item: textItem(place.at(6), "value"),
        reason: "history",
        diedAtMs: letters[0]?.diedAtMs,
        attempts: 0,
        error: "the history could not keep it any longer",
        status: undefined,
        isReplaying: false,
      });
      const { counters, deadLetters: sums, cursor } = await two().state(place.key);
      expect(counters).toEqual({ ...noCounters, dead: 3 });
      expect(sums).toEqual({ count: 3, bytes: 3 * (5 + overheadBytes), replaying: 0 });
      expect(cursor).toEqual(place.cursor(5));
      await subject.reopen();
      const alarms = await trimAll(0);
      expect(alarms.get(place.key.id)).toEqual({ key: place.key, history: 3, dropped: 0 });
      expect(alarms.has(other.id)).toBe(false);
      expect(await trimAll(0)).toEqual(new Map());
      expect(await sequencesOf({ ...place, key: other })).toEqual([]);
    });

    it("of what a cursor has passed only the pending items become dead letters", async () => {
      const place = await aPlace();
      await publish(place, 16);
      await one().save([{ key: place.key, cursor: place.cursor(16, [2, 3, 12]) }]);
      await publish(place, 8);
      expect(await sequencesOf(place)).toEqual([2, 3]);
      await publish(place, 8);
      expect(await sequencesOf(place)).toEqual([2, 3, 12]);
      expect((await one().state(place.key)).counters).toMatchObject({ dead: 3 });
    });

    it("an item that the history dropped on its way is no dead letter once it is delivered, and one if it is refused", async () => {
      const place = await aPlace();
      await publish(place, 20);
      expect(await sequencesOf(place)).toEqual([1, 2, 3, 4]);
      const refused = { outcome: "dead" as const, status: 404 };
      await one().save([
        {
          key: place.key,
          cursor: place.cursor(3),
          deliveries: [
            delivery(place.at(1)),
            delivery(place.at(2), refused),
            delivery(place.at(3), { isReplay: true }),
          ],
          dead: [death(textItem(place.at(2)))],
        },
      ]);
      const left = await two().deadLetters(place.key, all);
      expect(left.map(({ item, reason }) => [item.sequence, reason])).toEqual([
        [3, "history"],
        [4, "history"],
        [2, "refused"],
      ]);
      const { counters, deadLetters: sums } = await two().state(place.key);
      expect(counters).toMatchObject({ delivered: 1, dead: 3 });
      expect(sums.count).toBe(3);
    });

    it("age and the environment's budget drop no needed item either", async () => {
      const [old, large] = [await aPlace(2), await aPlace(1)];
      const other = { ...old, topic: { ...old.topic, topic: "other" } };
      await publish(old, 4);
      await publish(other, 3);
      await publish(old, 2);
      while (await subject.handles[0].topics.disk.trim(history.maxAgeMs + 1));
      expect(await sequencesOf(old)).toEqual([3, 4, 5, 6]);
      for (let n = 0; n < 6; n++) await publish(large, 1, "x".repeat(300_000));
      while (await subject.handles[0].topics.disk.trim(0));
      const { items } = await subject.handles[0].topics.disk.read(large.topic, large.at(0), all);
      expect(await sequencesOf(large)).toEqual([]);
      expect((await two().state(large.key)).counters).toMatchObject({
        dead: 6 - items.length - 1,
        dropped: 6 - items.length - 1,
      });
    });

    it("a flushed or deleted cache takes its items with it", async () => {
      const [flushed, deleted] = [await aPlace(), await aPlace()];
      for (const place of [flushed, deleted]) await publish(place, 10);
      const path = (place: Place) => ({ kind: "cache", environment: place.environment, name: "c" });
      await subject.handles[0].records.renew(path(flushed));
      await subject.handles[0].records.remove(path(deleted));
      for (let n = 0; n < 5; n++) while (await subject.handles[0].topics.disk.trim(history.maxAgeMs + 1));
      for (const place of [flushed, deleted]) expect(await sequencesOf(place)).toEqual([]);
    });

    it("a subscription that is gone keeps no item", async () => {
      const place = await aPlace();
      await publish(place, 16);
      await subject.handles[0].records.remove({ kind: "subscription", environment: place.environment, name: "w" });
      await publish(place, 16);
      const kept = await addSubscription(place.environment, "w");
      await one().open(kept, place.cursor(32));
      await publish(place, 16);
      const alarms = await trimAll(0);
      for (const { id } of [place.key, kept]) expect(alarms.has(id)).toBe(false);
      expect(await sequencesOf({ ...place, key: kept })).toEqual([]);
    });

    it("past the number that one may have the oldest go, with an alarm", async () => {
      const place = await aPlace();
      await saveDead(place, upTo(8));
      await one().replay(place.key, "all");
      await saveDead(place, upTo(13, 9));
      expect(await sequencesOf(place)).toEqual(upTo(13, 4));
      const { counters, deadLetters: sums } = await two().state(place.key);
      expect(counters).toEqual({ ...noCounters, dead: 13, dropped: 3 });
      expect(sums).toMatchObject({ count: 10, replaying: 5 });
      await saveDead(place, upTo(40, 14));
      expect(await sequencesOf(place)).toEqual(upTo(40, 31));
      expect((await trimAll(0)).get(place.key.id)).toEqual({ key: place.key, history: 0, dropped: 30 });
      expect((await trimAll(0)).size).toBe(0);
    });

    it("past the environment's bytes the oldest of all its subscriptions go", async () => {
      const [place, far] = [await aPlace(), await aPlace()];
      const second = { ...place, key: await addSubscription(place.environment, "second") };
      await one().open(second.key, second.cursor(0));
      const large = (at: Position) => textItem(at, "x".repeat(3000 - overheadBytes));
      const save = ({ key, at }: Place, n: number) =>
        one().save([{ key, dead: [death(large(at(n)), { diedAtMs: 2000 + n })] }]);
      for (const n of upTo(6)) await save(n % 2 === 0 ? place : second, n);
      for (const n of upTo(6)) await save(far, n);
      expect(await sequencesOf(second)).toEqual([1, 3, 5]);
      await save(place, 7);
      await save(place, 8);
      expect(await sequencesOf(second)).toEqual([3, 5]);
      expect(await sequencesOf(place)).toEqual([4, 6, 7, 8]);
      expect(await sequencesOf(far)).toEqual(upTo(6));
      const alarms = await trimAll(0);
      expect(alarms.get(second.key.id)).toMatchObject({ dropped: 1 });
      expect(alarms.get(place.key.id)).toMatchObject({ dropped: 1 });
    });

    it("drops what has been dead too long, and keeps what died anew in a replay", async () => {
      const place = await aPlace();
      await saveDead(place, [1, 2], { diedAtMs: 1000 });
      await saveDead(place, [3], { diedAtMs: 5000 });
      const [first] = await one().deadLetters(place.key, all);
      await one().replay(place.key, first?.id ?? 0);
      const anew = { reason: "refused" as const, diedAtMs: 9000, attempts: 1, error: "no", status: 400 };
      await one().save([{ key: place.key, failedReplays: [{ id: first?.id ?? 0, ...anew }] }]);
      expect((await trimAll(999 + deadLetters.keptMs)).size).toBe(0);
      expect((await trimAll(1000 + deadLetters.keptMs)).get(place.key.id)).toEqual({
        key: place.key,
        history: 0,
        dropped: 1,
      });
      expect(await sequencesOf(place)).toEqual([1, 3]);
      expect((await trimAll(9000 + deadLetters.keptMs)).get(place.key.id)).toMatchObject({ dropped: 2 });
      expect((await two().state(place.key)).deadLetters).toEqual({ count: 0, bytes: 0, replaying: 0 });
    });

    it("trims more than one step may drop", async () => {
      const many = await Promise.all(upTo(70).map(() => aPlace()));
      for (const place of many) await saveDead(place, upTo(10), { diedAtMs: 1000 });
      const alarms = await trimAll(1000 + deadLetters.keptMs);
      for (const { key } of many) {
        expect(alarms.get(key.id)).toMatchObject({ dropped: 10 });
        expect((await two().state(key)).deadLetters).toEqual({ count: 0, bytes: 0, replaying: 0 });
      }
    });

    it("every item is in the log, done, or a dead letter, whatever the order of calls", async () => {
      await fc.assert(
        fc.asyncProperty(oneReopen(fc.array(subscriptionStep, { maxLength: 25 })), async (steps) => {
          await runAgainstModel(await aPlace(), steps);
        }),
        { numRuns: 15 },
      );
    });
  });

  async function runAgainstModel(place: Place, steps: readonly SubscriptionStep[]): Promise<void> {
    const sums = { ...noCounters };
    let [head, oldest, passed] = [0, 1, 0];
    let pending: number[] = [];
    let letters: { sequence: number; isReplaying: boolean }[] = [];
    const bury = (sequences: readonly number[]) => {
      sums.dead += sequences.length;
      letters.push(...sequences.map((sequence) => ({ sequence, isReplaying: false })));
      sums.dropped += Math.max(0, letters.length - deadLetters.perWebhook);
      letters = letters.slice(-deadLetters.perWebhook);
    };
    for (const { act, count } of steps) {
      if (act === "reopen") await subject.reopen();
      if (act === "publish") {
        await publish(place, count);
        head += count;
        const { items } = await subject.handles[0].topics.disk.read(place.topic, place.at(0), all);
        const kept = items[0]?.sequence ?? oldest;
        bury(upTo(kept - 1, oldest).filter((n) => n > passed || pending.includes(n)));
        pending = pending.filter((n) => n >= kept);
        oldest = Math.max(oldest, kept);
        passed = Math.max(passed, oldest - 1);
      }
      if (act === "deliver") {
        const taken = upTo(Math.min(head, passed + count), Math.max(passed + 1, oldest));
        const waiting = taken.filter((n) => n % 3 === 0);
        const dead = taken.filter((n) => n % 3 === 1);
        const delivered = taken.filter((n) => n % 3 === 2);
        pending = [...pending, ...waiting];
        passed = Math.max(passed, taken.at(-1) ?? 0);
        sums.delivered += delivered.length;
        await subject.handles[1].subscriptions.save([
          {
            key: place.key,
            cursor: place.cursor(passed, pending),
            deliveries: [...delivered, ...dead].map((n) =>
              delivery(place.at(n), n % 3 === 2 ? {} : { outcome: "dead", status: 404 }),
            ),
            dead: dead.map((n) => death(textItem(place.at(n)))),
          },
        ]);
        bury(dead);
      }
      if (act === "replay") {
        expect(await one().replay(place.key, "all")).toBe(letters.filter((letter) => !letter.isReplaying).length);
        for (const letter of letters) letter.isReplaying = true;
      }
      if (act === "replayed") {
        const some = (await one().deadLetters(place.key, { ...all, isReplaying: true })).slice(0, count);
        await two().save([{ key: place.key, replayed: some.map(({ id }) => id) }]);
        const gone = letters.filter((letter) => letter.isReplaying).slice(0, count);
        letters = letters.filter((letter) => !gone.includes(letter));
        sums.replayed += some.length;
      }
      if (act === "drop") {
        expect(await two().drop(place.key, "all")).toBe(letters.length);
        sums.dropped += letters.length;
        letters = [];
      }
      const found = await two().deadLetters(place.key, all);
      expect(found.map(({ item, isReplaying }) => ({ sequence: item.sequence, isReplaying }))).toEqual(letters);
      const { counters, deadLetters: stored } = await one().state(place.key);
      expect(counters).toEqual(sums);
      expect(stored).toMatchObject({
        count: letters.length,
        replaying: letters.filter((letter) => letter.isReplaying).length,
      });
    }
  }
}

const subscriptionStep = fc.record({
  act: fc.oneof(
    {
      weight: 12,
      arbitrary: fc.constantFrom("publish", "deliver", "publish", "deliver", "replay", "replayed", "drop"),
    },
    { weight: 1, arbitrary: fc.constant("reopen") },
  ),
  count: fc.integer({ min: 1, max: 12 }),
});
type SubscriptionStep = typeof subscriptionStep extends fc.Arbitrary<infer T> ? T : never;
