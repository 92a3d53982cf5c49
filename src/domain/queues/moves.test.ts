import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { aQueueStore, type QueueDomain, type TestQueueStore } from "../../../test/support/queues.ts";
import type { Principal } from "../auth/principal.ts";
import { createQueueMoves, type QueueMoves } from "./moves.ts";

let store: TestQueueStore;
let domain: QueueDomain;
let moves: QueueMoves;
beforeAll(async () => {
  store = await aQueueStore();
});
beforeEach(async () => {
  await store.empty();
  domain = await store.domain();
  moves = await aMover();
  await domain.queues.create(domain.me, "dead");
  await domain.queues.create(domain.me, "q", { deadLetter: { queue: "dead", maxReceives: 1 } });
});
afterAll(() => store[Symbol.asyncDispose]());

/** As after a restart: it knows what the store says. */
async function aMover(): Promise<QueueMoves> {
  const { engine, queues, messages: queueMessages, clock } = domain;
  const mover = createQueueMoves({ engine, queues, queueMessages, wallMs: clock.wallMs });
  await mover.start();
  return mover;
}

/** So many that queue `q` has given up. */
async function bury(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 10) {
    await domain.send("q", ...Array.from({ length: Math.min(left, 10) }, (_, n) => `${left} ${n}`));
    await domain.take("q", { visibilityMs: 0 });
  }
  expect(await domain.take("q")).toEqual([]);
}

const ready = async (queue: string) => (await domain.messages.counts(domain.me, queue)).ready;
const runOnce = (mover = moves) => mover.runOnce(domain.clock.steadyMs());
const newest = async (mover = moves, source = "dead") => (await mover.list(domain.me, source))[0];

describe("a move of dead letters", () => {
  it("brings each back to where it came from, and has ended when all that lay there are moved", async () => {
    await bury(12);
    const begun = await moves.begin(domain.me, "dead");
    expect(begun).toMatchObject({ source: "dead", status: "running", moved: 0, toMove: 12 });
    await runOnce();
    expect(await newest()).toMatchObject({ id: begun.id, status: "completed", moved: 12 });
    expect([await ready("q"), await ready("dead")]).toEqual([12, 0]);
  });

  it("keeps to its rate, makes up for a late step, and not for a very late one", async () => {
    await domain.send("dead", ...Array(10).fill("a"));
    await domain.send("dead", ...Array(10).fill("b"));
    await moves.begin(domain.me, "dead", { to: "q", perSecond: 2 });
    const movedAfter = async (ms: number) => {
      domain.advance(ms);
      await runOnce();
      return (await newest())?.moved;
    };
    expect(await movedAfter(0)).toBe(2);
    expect(await movedAfter(0)).toBe(2);
    expect(await movedAfter(700)).toBe(3);
    expect(await movedAfter(300)).toBe(4);
    expect(await movedAfter(2000)).toBe(8);
    expect(await movedAfter(60_000)).toBe(18);
    expect(await newest()).toMatchObject({ status: "running", moved: 18 });
  });

  it("does not move what dies again meanwhile once more", async () => {
    await bury(1);
    await moves.begin(domain.me, "dead", { perSecond: 1 });
    await runOnce();
    expect(await newest()).toMatchObject({ status: "completed", moved: 1 });
    await domain.take("q", { visibilityMs: 0 });
    expect(await domain.take("q")).toEqual([]);
    domain.advance(1000);
    await runOnce();
    expect(await ready("dead")).toBe(1);
  });

  it("goes on after a restart where it was, and a cancellation of before it holds", async () => {
    await domain.send("dead", ...Array(10).fill("a"));
    await domain.queues.create(domain.me, "other");
    await domain.send("other", "b");
    await moves.begin(domain.me, "dead", { to: "q", perSecond: 3 });
    const { id } = await moves.begin(domain.me, "other", { to: "q" });
    await moves.cancel(domain.me, "other", id);
    await runOnce();
    const next = await aMover();
    expect(await newest(next)).toMatchObject({ status: "running", moved: 3, perSecond: 3, to: "q" });
    await runOnce(next);
    expect(await newest(next)).toMatchObject({ moved: 6 });
    expect(await newest(next, "other")).toMatchObject({ status: "cancelled", moved: 0 });
    expect(await ready("other")).toBe(1);
  });

  it("ends where it is when it is cancelled; then another may begin", async () => {
    await domain.send("dead", "a", "b", "c");
    const { id } = await moves.begin(domain.me, "dead", { to: "q", perSecond: 1 });
    await expect(moves.begin(domain.me, "dead", { to: "q" })).rejects.toMatchObject({ code: "failed_precondition" });
    await runOnce();
    expect(await moves.cancel(domain.me, "dead", id)).toMatchObject({ status: "cancelled", moved: 1 });
    domain.advance(1000);
    await runOnce();
    expect([await ready("dead"), await newest()]).toEqual([2, expect.objectContaining({ status: "cancelled" })]);
    await expect(moves.cancel(domain.me, "dead", id)).rejects.toMatchObject({ code: "failed_precondition" });
    await expect(moves.cancel(domain.me, "q", id)).rejects.toMatchObject({ code: "not_found", subject: "move" });
    await moves.begin(domain.me, "dead", { to: "q" });
  });

  it("a cancellation during a step counts, and so does what the step moved", async () => {
    await domain.send("dead", "a", "b", "c");
    const { id } = await moves.begin(domain.me, "dead", { to: "q", perSecond: 2 });
    const [, cancelled] = await Promise.all([runOnce(), moves.cancel(domain.me, "dead", id)]);
    expect(cancelled.status).toBe("cancelled");
    expect(await newest()).toMatchObject({ status: "cancelled", moved: 2 });
    expect(await newest(await aMover())).toMatchObject({ status: "cancelled", moved: 2 });
  });

  it("fails when its target goes, and is forgotten with its source", async () => {
    await domain.queues.create(domain.me, "other");
    await domain.send("dead", "a");
    await moves.begin(domain.me, "dead", { to: "other" });
    await domain.queues.delete(domain.me, "other");
    await runOnce();
    expect(await newest()).toMatchObject({ status: "failed", moved: 0 });
    await domain.queues.update(domain.me, "q", { deadLetter: null });
    await domain.queues.delete(domain.me, "dead");
    await runOnce();
    await domain.queues.create(domain.me, "dead");
    expect(await moves.list(domain.me, "dead")).toEqual([]);
    expect(await (await aMover()).list(domain.me, "dead")).toEqual([]);
  });

  it("goes on when its target is purged during a step", async () => {
    await domain.send("dead", "a", "b");
    const { engine, queues, messages, clock } = domain;
    let steps = 0;
    // As the store answers when the target's incarnation has just gone.
    const move: typeof messages.move = async (...step) => {
      if (steps++ > 0) return messages.move(...step);
      await queues.purge(domain.me, "q");
      return 0;
    };
    const queueMessages = { move, counts: messages.counts.bind(messages) };
    const mover = createQueueMoves({ engine, queues, queueMessages, wallMs: clock.wallMs });
    await mover.begin(domain.me, "dead", { to: "q" });
    await runOnce(mover);
    expect(await newest(mover)).toMatchObject({ status: "running", moved: 0 });
    await runOnce(mover);
    expect(await newest(mover)).toMatchObject({ status: "completed", moved: 2 });
  });

  it("keeps the last ten of a queue, the newest first", async () => {
    for (let n = 1; n <= 12; n++) {
      await moves.begin(domain.me, "dead", { to: "q", perSecond: n });
      await runOnce();
    }
    const rates = (await moves.list(domain.me, "dead")).map(({ perSecond }) => perSecond);
    expect(rates).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
    expect((await (await aMover()).list(domain.me, "dead")).length).toBe(10);
  });

  it("is not begun without rights, or without somewhere to go", async () => {
    const grants = [{ resource: "queue", role: "send-receive", queue: { all: true } }] as const;
    const worker: Principal = { ...domain.me, kind: "key", isSuperUser: false, grants };
    await expect(moves.begin(worker, "dead")).rejects.toMatchObject({ code: "permission_denied" });
    await expect(moves.begin(domain.me, "no")).rejects.toMatchObject({ code: "not_found" });
    await expect(moves.begin(domain.me, "dead", { to: "no" })).rejects.toMatchObject({ code: "not_found" });
    await expect(moves.begin(domain.me, "dead", { to: "dead" })).rejects.toMatchObject({ code: "invalid_argument" });
    await expect(moves.begin(domain.me, "q")).rejects.toMatchObject({ code: "failed_precondition" });
    await expect(moves.begin(domain.me, "dead", { perSecond: 501 })).rejects.toThrow(
      "perSecond 501 must be a whole number that is >= 1 and <= 500",
    );
  });
});
