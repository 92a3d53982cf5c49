import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { aQueueStore, aReceiver, type QueueDomain, type TestQueueStore } from "../../../test/support/queues.ts";
import { openPrincipal as me } from "../auth/open-access.ts";
import { Withdrawal } from "../auth/withdrawal.ts";
import type { Bus, Hint } from "../bus.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { QueueStore } from "./store.ts";

let store: TestQueueStore;
let domain: QueueDomain;
beforeAll(async () => {
  store = await aQueueStore();
});
beforeEach(async () => {
  domain = await store.domain();
  await domain.queues.create(me, "q");
});
afterEach(() => store.empty());
afterAll(() => store[Symbol.asyncDispose]());

/** A waiting poll that has seen that the queue is empty. */
async function waiting(request: Parameters<typeof domain.aPoll>[1] = {}) {
  const poll = domain.aPoll("q", request);
  await domain.settled();
  return poll;
}

/** A node over the same engine, whose looks into the store the test sees. */
async function withReceive(receive: QueueStore["receive"]) {
  const engine: Engine = { ...domain.engine, queues: { ...domain.engine.queues, receive } };
  return domain.node(engine);
}

describe("a poll", () => {
  it("gets what is sent later, and nothing when its time is over", async () => {
    const poll = await waiting({ waitMs: 5000 });
    await domain.send("q", "a");
    await poll.done;
    expect(poll.bodies).toEqual(["a"]);
    const late = await waiting({ waitMs: 5000 });
    domain.advance(4900);
    await domain.settled();
    expect(late.answer).toBeUndefined();
    domain.advance(200);
    await late.done;
    expect(late.answer?.messages).toEqual([]);
  });

  it("that does not say how long it waits waits for as long as its queue says", async () => {
    await domain.queues.update(domain.me, "q", { waitMs: 5000 });
    const [unsaid, short] = [domain.aPoll("q", { waitMs: undefined }), domain.aPoll("q", { waitMs: 0 })];
    await short.done;
    expect([short.bodies, unsaid.answer]).toEqual([[], undefined]);
    domain.advance(4000);
    await domain.settled();
    expect(unsaid.answer).toBeUndefined();
    domain.advance(1000);
    await unsaid.done;
    expect(unsaid.bodies).toEqual([]);
  });

  it("that wants no waiting is answered at once, also while others wait", async () => {
    expect(await domain.take("q")).toEqual([]);
    const poll = await waiting();
    expect(await domain.take("q")).toEqual([]);
    await domain.send("q", "a");
    await poll.done;
    expect(poll.bodies).toEqual(["a"]);
  });

  it("whose receiver has left takes nothing: the next receiver gets it, uncounted", async () => {
    const poll = await waiting();
    poll.receiver.leave();
    await poll.done;
    await domain.send("q", "a");
    expect(poll.answer?.messages).toEqual([]);
    expect(await domain.take("q")).toMatchObject([{ body: "a", receiveCount: 1 }]);
    expect(domain.messages.stats().get("dev")).toMatchObject({ polls: 0, received: 1 });
  });

  it("whose receiver leaves while the store answers gives back at once what it took, and the next one gets that", async () => {
    const first = aReceiver();
    const { messages, aPoll } = await withReceive(async (key, request) => {
      const answer = await domain.engine.queues.receive(key, request);
      if (answer.messages.length > 0) first.leave();
      return answer;
    });
    await domain.send("q", "a");
    const gone = messages.receive(me, "q", { maxMessages: 1, waitMs: 20_000 }, first);
    const next = aPoll("q");
    expect((await gone).messages).toEqual([]);
    await next.done;
    expect(next.answer?.messages).toMatchObject([{ body: "a", receiveCount: 1 }]);
  });

  it("is refused when too many wait", async () => {
    const polls = Array.from({ length: limits.queue.pollsMax }, () => domain.aPoll("q"));
    await domain.settled();
    await expect(domain.messages.receive(me, "q", { maxMessages: 1, waitMs: 1 }, aReceiver())).rejects.toMatchObject({
      code: "limit_exceeded",
    });
    expect(await domain.take("q")).toEqual([]);
    for (const { receiver } of polls) receiver.leave();
    await Promise.all(polls.map(({ done }) => done));
    await waiting();
  });

  it("is refused while clients have too much to read of what they received, and served once they have read it", async () => {
    const { unreadMaxBytes, messageMaxBytes } = limits.queue;
    const bodyMaxBytes = messageMaxBytes.default;
    const ten: string[] = Array(10).fill("x".repeat(bodyMaxBytes));
    const slow: ReturnType<typeof aReceiver>[] = [];
    const receive = (receiver: ReturnType<typeof aReceiver>) =>
      domain.messages.receive(me, "q", { maxMessages: 10, waitMs: 0 }, receiver);
    for (let unread = 0; unread < unreadMaxBytes; unread += ten.length * bodyMaxBytes) {
      await domain.send("q", ...ten);
      slow.push(aReceiver());
      await receive(slow.at(-1) as (typeof slow)[0]);
    }
    await domain.send("q", "a");
    await expect(receive(aReceiver())).rejects.toMatchObject({ code: "unavailable", subject: "unread" });
    slow[0]?.hasRead();
    slow[1]?.leave();
    expect((await receive(aReceiver())).messages).toMatchObject([{ body: "a", receiveCount: 1 }]);
  });

  it("ends when its credential expires or is taken back, and takes nothing then", async () => {
    const withdrawal = new Withdrawal();
    const expiring = domain.aPoll("q", {}, { ...me, expiresAtMs: domain.clock.wallMs() + 1000 });
    const withdrawn = domain.aPoll("q", {}, { ...me, withdrawal });
    const last = await waiting();
    domain.advance(1000);
    withdrawal.withdraw("this key was deleted");
    await domain.send("q", "a");
    await last.done;
    expect(last.bodies).toEqual(["a"]);
    await Promise.all([expiring.done, withdrawn.done]);
    expect(expiring.error).toMatchObject({ code: "unauthenticated", message: "this token has expired" });
    expect(withdrawn.error).toMatchObject({ code: "unauthenticated", message: "this key was deleted" });
  });
});

describe("polls of one queue", () => {
  it("are served first come first served, all who can be by one look into the store", async () => {
    let looks = 0;
    const { messages, aPoll } = await withReceive((key, request) => {
      looks++;
      return domain.engine.queues.receive(key, request);
    });
    const polls = Array.from({ length: 5 }, () => aPoll("q"));
    await domain.settled();
    looks = 0;
    await messages.send(me, "q", [{ body: "a" }, { body: "b" }]);
    await Promise.all(polls.slice(0, 2).map(({ done }) => done));
    await domain.settled();
    expect(polls.map(({ bodies }) => bodies)).toEqual([["a"], ["b"], [], [], []]);
    expect(looks).toBe(1);
    await messages.send(me, "q", [{ body: "c" }]);
    await polls[2]?.done;
    expect(polls[2]?.bodies).toEqual(["c"]);
  });

  it("are not overtaken by who comes while the message is on its way to them", async () => {
    let late: ReturnType<typeof domain.aPoll> | undefined;
    const { messages, aPoll } = await withReceive((key, request) => {
      if (request.maxMessages === 2) late ??= aPoll("q", { maxMessages: 3 });
      return domain.engine.queues.receive(key, request);
    });
    const first = aPoll("q");
    await domain.settled();
    const second = aPoll("q");
    await domain.settled();
    await messages.send(me, "q", [{ body: "a" }]);
    await first.done;
    await domain.settled();
    expect([first.bodies, second.bodies, late?.bodies]).toEqual([["a"], [], []]);
    await messages.send(me, "q", [{ body: "b" }]);
    await second.done;
    expect([second.bodies, late?.bodies]).toEqual([["b"], []]);
  });

  it("get different visibilities and numbers of messages, each what it asked for", async () => {
    const polls = [
      domain.aPoll("q", { maxMessages: 2, visibilityMs: 1000 }),
      domain.aPoll("q", { maxMessages: 1, visibilityMs: 5000 }),
      domain.aPoll("q", { maxMessages: 1 }),
    ];
    await domain.settled();
    await domain.send("q", "a", "b", "c", "d");
    await Promise.all(polls.map(({ done }) => done));
    expect(polls.map(({ bodies }) => bodies)).toEqual([["a", "b"], ["c"], ["d"]]);
    const hiddenMs = polls.map(({ answer }) => (answer?.messages[0]?.readyAtMs ?? 0) - domain.clock.wallMs());
    expect(hiddenMs).toEqual([1000, 5000, 30_000]);
  });

  it("do not sleep through a send that commits while they are told that there is nothing", async () => {
    const { messages, aPoll } = await withReceive(async (key, request) => {
      const answer = await domain.engine.queues.receive(key, request);
      if (answer.messages.length === 0 && sends++ === 0) await messages.send(me, "q", [{ body: "a" }]);
      return answer;
    });
    let sends = 0;
    const poll = aPoll("q");
    await poll.done;
    expect(poll.bodies).toEqual(["a"]);
  });

  it("wake up when a delay ends, and when a message is released", async () => {
    await domain.messages.send(me, "q", [{ body: "a", delayMs: 3000 }]);
    const delayed = await waiting();
    domain.advance(3100);
    await delayed.done;
    expect(delayed.bodies).toEqual(["a"]);
    const released = await waiting();
    const changes = delayed.answer?.messages.map(({ receiptHandle }) => ({ receiptHandle, visibilityMs: 0 })) ?? [];
    await domain.messages.changeVisibility(me, "q", changes);
    await released.done;
    expect(released.answer?.messages).toMatchObject([{ body: "a", receiveCount: 2 }]);
  });

  it("wake up for a message that somebody took and did not delete, whoever stands in line when", async () => {
    const polls = [await waiting({ visibilityMs: 2000 }), await waiting({ visibilityMs: 2000 }), await waiting()];
    await domain.send("q", "a");
    await polls[0]?.done;
    for (const [n, poll] of polls.entries()) {
      domain.advance(n === 0 ? 0 : 2100);
      await poll.done;
      expect(poll.answer?.messages).toMatchObject([{ body: "a", receiveCount: n + 1 }]);
    }
  });

  it("all wake up when much becomes ready at one moment", async () => {
    const bodies = Array.from({ length: 10 }, (_, n) => ({ body: `${n}`, delayMs: 1000 }));
    await domain.messages.send(me, "q", bodies);
    const polls = Array.from({ length: 10 }, () => domain.aPoll("q"));
    await domain.settled();
    domain.advance(1100);
    await Promise.all(polls.map(({ done }) => done));
    expect(polls.flatMap((poll) => poll.bodies).toSorted()).toEqual(bodies.map(({ body }) => body));
  });

  it("go on in the new incarnation when the queue is purged, and end with not_found when it is deleted", async () => {
    const [first, second] = [await waiting(), await waiting()];
    await domain.queues.purge(me, "q");
    await domain.send("q", "a");
    await first.done;
    expect(first.bodies).toEqual(["a"]);
    await domain.queues.delete(me, "q");
    await second.done;
    expect(second.error).toMatchObject({ code: "not_found", subject: "queue" });
  });

  it("get dead letters as soon as another queue gives them up", async () => {
    const deadLetter = { queue: "q", maxReceives: 1 };
    await domain.queues.create(me, "work", { visibilityMs: 1000, deadLetter });
    await domain.send("work", "a");
    await domain.take("work");
    const poll = await waiting();
    domain.advance(1000);
    expect(await domain.take("work")).toEqual([]);
    await poll.done;
    expect(poll.answer?.messages).toMatchObject([{ body: "a", deadLetter: { queue: "work", receiveCount: 1 } }]);
  });

  it("end empty when the server stops, and nobody waits from then on", async () => {
    const poll = await waiting();
    domain.messages.closeAll();
    await poll.done;
    expect(poll.answer?.messages).toEqual([]);
    const later = domain.aPoll("q");
    await later.done;
    expect(later.answer?.messages).toEqual([]);
  });
});

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: fc.constant("poll"), n: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constant("send"), n: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("sendDelayed"), n: fc.integer({ min: 1, max: 3000 }) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("leave"), n: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("advance"), n: fc.integer({ min: 1, max: 2000 }) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("short"), n: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("settle"), n: fc.constant(0) }) },
);

it("polls end with the error when the engine has failed", async () => {
  const poll = await waiting();
  domain.messages.closeAll(new TodokuError("unavailable", "the server's storage has failed"));
  await poll.done;
  expect(poll.error).toMatchObject({ code: "unavailable" });
});

describe("whatever comes in whatever order,", () => {
  it("nobody waits while something is ready, nothing is lost, and nothing is given twice", async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const name = `run${run++}`;
        await domain.queues.create(me, name, { visibilityMs: 1_000_000 });
        const polls: ReturnType<typeof domain.aPoll>[] = [];
        const sends: Promise<unknown>[] = [];
        let sent = 0;
        const bodies = (count: number, delayMs = 0) =>
          Array.from({ length: count }, () => ({ body: `${sent++}`, delayMs }));
        for (const { act, n } of steps) {
          if (act === "poll") polls.push(domain.aPoll(name, { maxMessages: n }));
          if (act === "short") polls.push(domain.aPoll(name, { maxMessages: n, waitMs: 0 }));
          if (act === "send") sends.push(domain.messages.send(me, name, bodies(n)));
          if (act === "sendDelayed") sends.push(domain.messages.send(me, name, bodies(1, n)));
          if (act === "leave") polls[n]?.receiver.leave();
          if (act === "advance") domain.advance(n);
          if (act === "settle") await domain.settled();
        }
        await Promise.all(sends);
        // Each look into the store may wake two others: as many rounds as there are polls are enough.
        for (let round = 0; round < polls.length + 2; round++) await domain.settled();
        const waitingNow = polls.filter(({ answer, error }) => !answer && !error).length;
        const lying = await domain.messages.peek(me, name, 0, 100);
        const ready = lying.filter(({ isTaken, readyAtMs }) => !isTaken && readyAtMs <= domain.clock.wallMs());
        if (waitingNow > 0) expect(ready).toEqual([]);
        const got = polls.flatMap((poll) => poll.bodies);
        expect(new Set(got).size).toBe(got.length);
        const left = lying.filter(({ isTaken }) => !isTaken).map(({ body }) => body);
        expect([...got, ...left].toSorted()).toEqual(Array.from({ length: sent }, (_, n) => `${n}`).toSorted());
        for (const poll of polls) for (const one of poll.answer?.messages ?? []) expect(one.receiveCount).toBe(1);
        for (const { receiver } of polls) receiver.leave();
      }),
      { numRuns: 60 },
    );
  });
});

describe("two nodes", () => {
  it.each([
    ["kept", true],
    ["lost", false],
  ])("with hints %s serve their polls with what the other one got", async (_, isKept) => {
    const ends: ((hint: Hint) => void)[] = [];
    const aBus = (own: number): Bus => ({
      send: (hint) => void (isKept && setImmediate(() => ends[1 - own]?.(hint))),
      listen: (onHint) => {
        const before = ends[own];
        ends[own] = (hint) => {
          before?.(hint);
          onHint(hint);
        };
        return () => {};
      },
    });
    await using own = await aQueueStore({ bus: aBus(0) });
    const one = await own.domain();
    const two = await one.node(own.engine.secondHandle(aBus(1)));
    const tick = async () => {
      if (isKept) return one.settled();
      for (const node of [one, two]) {
        await node.queues.refresh();
        node.messages.refresh();
      }
      await one.settled();
    };
    await one.queues.create(me, "q");
    const poll = two.aPoll("q");
    await one.settled();
    await one.send("q", "a");
    await tick();
    await poll.done;
    expect(poll.bodies).toEqual(["a"]);

    const purged = two.aPoll("q");
    await one.settled();
    await one.queues.purge(me, "q");
    await one.send("q", "b");
    await tick();
    await purged.done;
    expect(purged.bodies).toEqual(["b"]);

    const ended = two.aPoll("q");
    await one.settled();
    await one.queues.delete(me, "q");
    await tick();
    await ended.done;
    expect(ended.error).toMatchObject({ code: "not_found" });
    await one.queues.create(me, "r");
    await Promise.all([two.queues.update(me, "r", { delayMs: 1 }), one.queues.update(me, "r", { visibilityMs: 2 })]);
    expect(await two.queues.current("dev", "r")).toMatchObject({ delayMs: 1, visibilityMs: 2 });
  });
});

describe("the server's own receive", () => {
  const request = { maxMessages: 1, visibilityMs: 1000 };

  it("waits for as long as its receiver is there, and is nobody's wait", async () => {
    const receiver = aReceiver();
    const followed = domain.messages.follow("dev", "q", request, receiver);
    domain.advance(10 * limits.queue.waitMaxMs);
    await domain.settled();
    expect(domain.messages.stats().get("dev")?.polls ?? 0).toBe(0);
    await domain.send("q", "a");
    expect((await followed).messages.map(({ body }) => body)).toEqual(["a"]);
    const next = domain.messages.follow("dev", "q", request, receiver);
    receiver.leave();
    expect((await next).messages).toEqual([]);
  });

  it("is refused when the server stops, so that it does not ask on and on", async () => {
    const followed = domain.messages.follow("dev", "q", request, aReceiver());
    await domain.settled();
    domain.messages.closeAll();
    expect((await followed).messages).toEqual([]);
    await expect(domain.messages.follow("dev", "q", request, aReceiver())).rejects.toMatchObject({
      code: "unavailable",
    });
  });

  it("is told of what is sent, now or for later, released, or moved there", async () => {
    const told: string[] = [];
    domain.messages.onReady(({ environment, queue }) => told.push(`${environment}/${queue}`));
    await domain.send("q", "a");
    await domain.messages.send(me, "q", [{ body: "b", delayMs: 1000 }]);
    expect(told).toEqual(["dev/q", "dev/q"]);
    const [taken] = await domain.take("q");
    const change = { receiptHandle: taken?.receiptHandle ?? "", visibilityMs: 0 };
    await domain.messages.changeVisibility(me, "q", [change]);
    await domain.queues.create(me, "other");
    await domain.messages.redrive(me, "q", { to: "other", maxMessages: 10 });
    expect(told.slice(2)).toEqual(["dev/q", "dev/other"]);
  });
});
