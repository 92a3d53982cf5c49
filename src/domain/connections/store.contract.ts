import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits } from "../limits.ts";
import { type EngineSubject, type OpenSubject, oneReopen } from "../records/store.contract.ts";
import type { Announcement, PresenceStatus } from "./store.ts";

const { offlineKeptMs } = limits.connection;
const startMs = 1_800_000_000_000;
const startSecond = startMs / 1000;

/** The laws of `PresenceStore`. */
export function presenceStoreContract(name: string, open: OpenSubject): void {
  describe(`presence in ${name}`, () => {
    let subject: EngineSubject;
    let count = 0;
    beforeAll(async () => {
      subject = await open();
    });
    afterAll(() => subject.close());
    const one = () => subject.handles[0].presence;
    const two = () => subject.handles[1].presence;
    const anEnvironment = () => `E${++count}`;
    const of = (environment: string, userId: string, status: PresenceStatus, atMs = startMs): Announcement => {
      return { environment, userId, status, atMs };
    };
    const read = async (environment: string) => {
      const rows = await two().read(undefined, 10_000);
      return rows.filter((row) => row.environment === environment);
    };
    /** Gone for so long that it may be forgotten. */
    const goAndBeForgotten = async (environment: string, userId: string) => {
      const [seq = 0] = await one().announce([of(environment, userId, "OFFLINE")]);
      await two().told([{ environment, userId, seq }]);
      while (await one().sweep(startMs + offlineKeptMs + 1));
      return seq;
    };

    it("begins at the second of the announcement and then grows by one at least, whatever the clock says", async () => {
      const environment = anEnvironment();
      const announce = async (status: PresenceStatus, atMs: number) =>
        (await one().announce([of(environment, "u", status, atMs)]))[0];
      expect(await announce("ONLINE", startMs + 999)).toBe(startSecond);
      expect(await announce("OFFLINE", startMs + 999)).toBe(startSecond + 1);
      expect(await announce("ONLINE", startMs - 3_600_000)).toBe(startSecond + 2);
      expect(await announce("OFFLINE", startMs + 60_000)).toBe(startSecond + 60);
    });

    it("reads what is ONLINE or not told, with what was announced last, through both handles", async () => {
      const environment = anEnvironment();
      const names = ["stays", "left", "left untold"];
      const online = names.map((userId) => of(environment, userId, "ONLINE"));
      const seqs = await one().announce(online);
      await one().told(online.map(({ userId }, n) => ({ environment, userId, seq: seqs[n] ?? 0 })));
      const [seq = 0] = await one().announce([of(environment, "left", "OFFLINE", startMs + 5000)]);
      await one().announce([of(environment, "left untold", "OFFLINE", startMs + 5000)]);
      await two().told([{ environment, userId: "left", seq }]);
      expect(await read(environment)).toEqual([
        { ...of(environment, "left untold", "OFFLINE", startMs + 5000), seq: startSecond + 5, isTold: false },
        { ...of(environment, "stays", "ONLINE"), seq: startSecond, isTold: true },
      ]);
    });

    it("marks nothing as told that was announced since", async () => {
      const environment = anEnvironment();
      const [seq = 0] = await one().announce([of(environment, "u", "ONLINE")]);
      await one().announce([of(environment, "u", "OFFLINE")]);
      await one().told([{ environment, userId: "u", seq }]);
      expect(await read(environment)).toMatchObject([{ status: "OFFLINE", isTold: false }]);
    });

    it("reads in pages, without a gap and without a repeat", async () => {
      const environments = [anEnvironment(), anEnvironment()];
      const all = environments.flatMap((environment) =>
        ["a", "b", "\0", "ü", "😀"].map((userId) => of(environment, userId, "ONLINE")),
      );
      await one().announce(all);
      const found: string[] = [];
      let page = await one().read(undefined, 3);
      while (page.length > 0) {
        found.push(...page.map(({ environment, userId }) => `${environment} ${userId}`));
        page = await two().read(page.at(-1), 3);
      }
      const expected = all.map(({ environment, userId }) => `${environment} ${userId}`);
      expect(found.filter((key) => expected.includes(key)).sort()).toEqual(expected.sort());
    });

    it("forgets who is OFFLINE and told after its time, and nobody else", async () => {
      const environment = anEnvironment();
      await one().announce([of(environment, "online", "ONLINE"), of(environment, "untold", "OFFLINE")]);
      await goAndBeForgotten(environment, "gone");
      expect(await read(environment)).toMatchObject([{ userId: "online" }, { userId: "untold" }]);
      // A user whose time is not over goes on by one; a new one would begin above whoever was forgotten.
      const [seq = 0] = await one().announce([of(environment, "late", "OFFLINE", startMs + 2)]);
      await one().told([{ environment, userId: "late", seq }]);
      await one().announce([of(environment, "swept", "OFFLINE", startMs + 9000)]);
      await goAndBeForgotten(environment, "swept");
      expect(await one().announce([of(environment, "late", "ONLINE", 0)])).toEqual([seq + 1]);
    });

    it("never goes back for a user who was forgotten, not even under a clock that was set back", async () => {
      const environment = anEnvironment();
      const flaps = Array.from({ length: 20 }, (_, n) => of(environment, "u", n % 2 === 0 ? "ONLINE" : "OFFLINE"));
      for (const flap of flaps) await one().announce([flap]);
      const seq = await goAndBeForgotten(environment, "u");
      expect(seq).toBeGreaterThanOrEqual(startSecond + 20);
      expect((await one().announce([of(environment, "u", "ONLINE", startMs - 1e9)]))[0]).toBeGreaterThan(seq);
      await goAndBeForgotten(environment, "u");
      await subject.reopen();
      expect((await one().announce([of(environment, "u", "ONLINE", 0)]))[0]).toBeGreaterThan(seq + 1);
    });

    it("goes on above what an original gave after the backup that was put back", async () => {
      const environment = anEnvironment();
      const [seq = 0] = await one().announce([of(environment, "u", "ONLINE", startMs + 60_000)]);
      let last = 0;
      await subject.restore(async () => {
        [last = 0] = await one().announce([of(environment, "u", "OFFLINE", startMs + 65_000)]);
      });
      expect(await read(environment)).toMatchObject([{ status: "ONLINE", seq }]);
      expect((await one().announce([of(environment, "u", "OFFLINE", startMs + 66_000)]))[0]).toBeGreaterThan(last);
    });

    it("goes with its environment, which takes nothing more from then on", async () => {
      const environment = anEnvironment();
      const record = await subject.handles[0].records.create(
        { kind: "environment", environment, name: environment },
        {},
      );
      await one().announce(Array.from({ length: 1200 }, (_, n) => of(environment, `u${n}`, "ONLINE")));
      while (await subject.handles[1].environments.forget({ name: environment, id: record.id }));
      expect(await read(environment)).toEqual([]);
      expect(await one().announce([of(environment, "late", "ONLINE")])).toEqual([0]);
      expect(await read(environment)).toEqual([]);
      await subject.handles[0].records.create({ kind: "environment", environment, name: environment }, {});
      expect((await one().announce([of(environment, "u1", "ONLINE")]))[0]).toBeGreaterThan(startSecond);
    });

    it("knows after any steps, a reopen too, what a list of the last announcements knows", async () => {
      const user = fc.constantFrom("a", "b", "c");
      const step = fc.oneof(
        {
          weight: 6,
          arbitrary: fc.record({ act: fc.constant("announce"), user, isOnline: fc.boolean(), s: fc.nat(9) }),
        },
        { weight: 4, arbitrary: fc.record({ act: fc.constant("told"), user, isOnline: fc.boolean(), s: fc.nat(2) }) },
        { weight: 1, arbitrary: fc.record({ act: fc.constant("reopen"), user, isOnline: fc.boolean(), s: fc.nat(0) }) },
      );
      await fc.assert(
        fc.asyncProperty(oneReopen(fc.array(step, { maxLength: 20 })), async (steps) => {
          const environment = anEnvironment();
          const model = new Map<string, { status: PresenceStatus; seq: number; isTold: boolean }>();
          for (const { act, user: userId, isOnline, s } of steps) {
            const last = model.get(userId);
            if (act === "reopen") await subject.reopen();
            else if (act === "told" && last) {
              const seq = last.seq - s;
              await two().told([{ environment, userId, seq }]);
              if (s === 0) last.isTold = true;
            } else if (act === "announce") {
              const status = isOnline ? "ONLINE" : "OFFLINE";
              const [seq = 0] = await one().announce([of(environment, userId, status, startMs + s * 1000)]);
              // Below the first one only a forgotten user's last may be.
              if (last) expect(seq).toBe(Math.max(last.seq + 1, startSecond + s));
              model.set(userId, { status, seq, isTold: false });
            }
          }
          const expected = [...model]
            .filter(([, { status, isTold }]) => status === "ONLINE" || !isTold)
            .sort(([a], [b]) => (a < b ? -1 : 1));
          expect(
            (await read(environment)).map(({ userId, status, seq, isTold }) => [userId, { status, seq, isTold }]),
          ).toEqual(expected);
        }),
        { numRuns: 15 },
      );
    });
  });
}
