import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  aGate,
  aHandlerStore,
  fromQueue,
  type HandlerDomain,
  success,
  thrown,
} from "../../../test/support/handlers.ts";
import { until } from "../../../test/support/notifications.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { QueueChanges } from "../queues/settings.ts";
import type { HandlerDefinition } from "./handler.ts";

let store: Awaited<ReturnType<typeof aHandlerStore>>;
const open: HandlerDomain[] = [];
beforeAll(async () => {
  store = await aHandlerStore();
});
afterEach(async () => {
  for (const domain of open.splice(0)) await domain.handlers.stop(0);
});
afterAll(() => store[Symbol.asyncDispose]());

/** A handler of the queue `tasks`, not started. */
async function aDomain(
  changes: Partial<HandlerDefinition> & { batchSize?: number; windowMs?: number } = {},
  settings: QueueChanges | null = {},
) {
  const { batchSize = 10, windowMs = 0, ...others } = changes;
  const domain = await store.domain({
    definitions: [{ sources: [fromQueue("tasks", { batchSize, windowMs })], ...others }],
  });
  open.push(domain);
  if (settings) await domain.queue("tasks", settings);
  return domain;
}

const isEmpty = async (domain: HandlerDomain, queue = "tasks") => (await domain.peek(queue)).length === 0;
const failures = (...ids: unknown[]) =>
  success({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) });
const idsOf = (event: unknown) => (event as { Records: { messageId: string }[] }).Records.map((one) => one.messageId);
type Gate = ReturnType<typeof aGate>;
/** How long the messages that are hidden stay so from now on, in ms. */
const hiddenMs = async ({ queueMessages, principal, clock }: HandlerDomain) => {
  const messages = await queueMessages.peek(principal, "tasks", 0, 10);
  return messages.map(({ readyAtMs }) => readyAtMs - clock.steadyMs());
};

describe("messages of a queue", () => {
  it("come as records of SQS, in batches as large as the source says, and are deleted when they are done", async () => {
    const domain = await aDomain({ batchSize: 2 });
    await domain.queueMessages.send(domain.principal, "tasks", [
      {
        body: "hello",
        attributes: { user_id: { type: "String", value: "u" }, raw: { type: "Binary", value: "AQI=" } },
      },
    ]);
    await domain.send("tasks", "two", "three");
    const sentMs = String(domain.clock.steadyMs());
    await domain.handlers.start();
    await until(() => isEmpty(domain));
    expect(domain.runtime.bodies()).toEqual([["hello", "two"], ["three"]]);
    const [record] = JSON.parse(domain.runtime.invocations[0]?.event ?? "").Records;
    expect(record).toEqual({
      messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      receiptHandle: expect.any(String),
      body: "hello",
      attributes: {
        ApproximateReceiveCount: "1",
        SentTimestamp: sentMs,
        SenderId: "000000000000",
        ApproximateFirstReceiveTimestamp: sentMs,
      },
      messageAttributes: {
        user_id: { stringValue: "u", stringListValues: [], binaryListValues: [], dataType: "String" },
        raw: { binaryValue: "AQI=", stringListValues: [], binaryListValues: [], dataType: "Binary" },
      },
      md5OfBody: "5d41402abc4b2a76b9719d911017c592",
      md5OfMessageAttributes: expect.stringMatching(/^[0-9a-f]{32}$/),
      eventSource: "aws:sqs",
      eventSourceARN: "arn:aws:sqs:us-east-1:000000000000:tasks",
      awsRegion: "us-east-1",
    });
  });

  it("are never worked on by more invocations than the handler takes, and the rest is left to others", async () => {
    const domain = await aDomain({ concurrency: 2, batchSize: 1 });
    const gate = aGate();
    domain.runtime.answer = async () => {
      await gate.passed;
      return success(null);
    };
    await domain.send("tasks", "a", "b", "c", "d");
    await domain.handlers.start();
    await until(() => domain.runtime.invocations.length === 2);
    await domain.handlers.checkSecrets(); // a turn in which more could have come
    expect(await domain.counts("tasks")).toMatchObject({ ready: 2, inFlight: 2 });
    gate.open();
    await until(() => isEmpty(domain));
    expect(domain.runtime.bodies().flat().toSorted()).toEqual(["a", "b", "c", "d"]);
  });

  it("wait for a full batch while its window is open", async () => {
    const domain = await aDomain({ batchSize: 3, windowMs: 5000 });
    await domain.handlers.start();
    await domain.send("tasks", "a");
    await until(async () => (await domain.counts("tasks")).inFlight === 1);
    await domain.send("tasks", "b");
    await until(async () => (await domain.counts("tasks")).inFlight === 2);
    expect(domain.runtime.invocations).toEqual([]);
    await domain.send("tasks", "c", "d");
    await until(() => domain.runtime.invocations.length === 1);
    await until(async () => (await domain.counts("tasks")).inFlight === 1);
    domain.advance(6000);
    await until(() => isEmpty(domain));
    expect(domain.runtime.bodies()).toEqual([["a", "b", "c"], ["d"]]);
  });

  it("are hidden for six times the handler's time and the window, or for as long as the queue says", async () => {
    const gate = aGate();
    const answer = async () => {
      await gate.passed;
      return success(null);
    };
    const visibilityMs: number[] = [];
    for (const settings of [{}, { visibilityMs: 300_000 }]) {
      const domain = await aDomain({ timeoutMs: 20_000, windowMs: 10_000, batchSize: 1 }, settings);
      domain.runtime.answer = answer;
      await domain.send("tasks", "a");
      await domain.handlers.start();
      await until(() => domain.runtime.invocations.length === 1);
      visibilityMs.push(...(await hiddenMs(domain)));
    }
    gate.open();
    expect(visibilityMs).toEqual([130_000, 300_000]);
  });

  it("are given to a handler whose queue is made later, or made again", async () => {
    const domain = await aDomain({}, null);
    await domain.handlers.start();
    await until(() => domain.handlers.read(domain.principal, "tasks").lastError !== undefined);
    expect(domain.handlers.read(domain.principal, "tasks").lastError?.message).toBe(
      'it waits for queue "tasks", which does not exist',
    );
    for (const body of ["a", "b"]) {
      await domain.queue("tasks");
      await domain.send("tasks", body);
      domain.advance(2000);
      await until(() => isEmpty(domain));
      expect(domain.handlers.read(domain.principal, "tasks").lastError).toBeUndefined();
      await domain.queues.delete(domain.principal, "tasks");
      await until(() => domain.handlers.read(domain.principal, "tasks").lastError !== undefined);
    }
    expect(domain.runtime.bodies()).toEqual([["a"], ["b"]]);
  });

  it("go back without a count when the handler is not there for them", async () => {
    const domain = await aDomain({ concurrency: 1, batchSize: 1 });
    const gate = aGate();
    domain.runtime.answer = async () => {
      await gate.passed;
      return success(null);
    };
    await domain.handlers.start();
    // The source waits for a message while a direct call takes the only place.
    const direct = domain.handlers.invoke(domain.environment, "tasks", "{}");
    await domain.send("tasks", "a");
    await until(async () => (await domain.counts("tasks")).inFlight === 1);
    const stopped = domain.handlers.stop(5000);
    await until(async () => (await domain.counts("tasks")).ready === 1);
    expect(await domain.peek("tasks")).toEqual(["a 0"]);
    gate.open();
    await Promise.all([direct, stopped]);
  });

  it("get their turn though direct calls always wait for theirs", async () => {
    const domain = await aDomain({ timeoutMs: 900_000 });
    const { handlers, environment, runtime } = domain;
    const gates: Gate[] = [];
    runtime.answer = async () => {
      const gate = aGate();
      gates.push(gate);
      await gate.passed;
      return success(null);
    };
    await handlers.start();
    await domain.queues.delete(domain.principal, "tasks");
    const call = () => void handlers.invoke(environment, "tasks", '{"Records":[]}').catch(() => undefined);
    call();
    call();
    await domain.queue("tasks");
    await domain.send("tasks", "a");
    await until(() => {
      domain.advance(1000);
      gates.shift()?.open();
      call();
      return runtime.bodies().some(([body]) => body === "a");
    });
    while (handlers.read(domain.principal, "tasks").running > 0) {
      gates.shift()?.open();
      await new Promise(setImmediate);
    }
  });

  it("that waited for their turn are hidden anew", async () => {
    const domain = await aDomain({ timeoutMs: 10_000 });
    const [direct, own] = [aGate(), aGate()];
    await aBusyDomain(domain, direct, own);
    domain.advance(55_000);
    expect(await hiddenMs(domain)).toEqual([5000]);
    direct.open();
    await until(() => domain.runtime.invocations.length === 2);
    expect(await hiddenMs(domain)).toEqual([60_000]);
    own.open();
    await until(() => isEmpty(domain));
    expect(domain.runtime.bodies()).toEqual([[], ["a"]]);
  });

  it("that waited for others until they are about to come back are hidden anew", async () => {
    const domain = await aDomain({ timeoutMs: 1000, windowMs: 300_000 });
    const gate = aGate();
    domain.runtime.answer = async () => {
      await gate.passed;
      return success(null);
    };
    await domain.send("tasks", "a");
    await domain.handlers.start();
    await until(async () => (await domain.counts("tasks")).inFlight === 1);
    domain.advance(301_000);
    await until(() => domain.runtime.invocations.length === 1);
    expect(await hiddenMs(domain)).toEqual([306_000]);
    gate.open();
    await until(() => isEmpty(domain));
  });

  it("that somebody else got while they waited for their turn are left to them", async () => {
    const domain = await aDomain({ timeoutMs: 10_000 });
    const [direct, own] = [aGate(), aGate()];
    const { done } = await aBusyDomain(domain, direct, own);
    domain.advance(59_000);
    const takenByOther = until(async () => {
      domain.advance(100);
      return (await domain.take("tasks")).length === 1;
    });
    await takenByOther;
    direct.open();
    await done;
    own.open();
    await domain.send("tasks", "b");
    await until(() => domain.runtime.invocations.length === 2);
    expect(domain.runtime.bodies()).toEqual([[], ["b"]]);
  });

  /** Its only place is taken by a direct call until `direct` is open, and its source has got the message "a", whose work waits for `own`. */
  async function aBusyDomain(domain: HandlerDomain, direct: Gate, own: Gate) {
    domain.runtime.answer = async (event) => {
      await (event.Records.length === 0 ? direct : own).passed;
      return success(null);
    };
    await domain.handlers.start();
    const done = domain.handlers.invoke(domain.environment, "tasks", '{"Records":[]}');
    await domain.send("tasks", "a");
    await until(() => domain.handlers.read(domain.principal, "tasks").waiting === 1);
    return { done };
  }
});

describe("messages that a function fails on", () => {
  it("come back alone, each a little later than before, and those beside them are done", async () => {
    const domain = await aDomain();
    domain.runtime.answer = (event) => {
      const [, second] = idsOf(event);
      return failures(...(second === undefined ? idsOf(event) : [second]));
    };
    await domain.send("tasks", "a", "b", "c");
    await domain.handlers.start();
    const seen: number[][] = [];
    for (const waitMs of [1000, 2000, 4000]) {
      await until(async () => (await hiddenMs(domain)).join() === String(waitMs));
      seen.push(await hiddenMs(domain));
      domain.advance(waitMs + 1000);
    }
    await until(() => domain.runtime.invocations.length === 4);
    expect(domain.runtime.bodies()).toEqual([["a", "b", "c"], ["b"], ["b"], ["b"]]);
  });

  it.each([
    ["an error", () => thrown("no", "TypeError"), "TypeError: no"],
    ["an unknown identifier", () => failures("x"), "must have the messageId of one of the batch"],
    ["an empty identifier", () => failures(""), "must have the messageId of one of the batch"],
    ["no identifier", () => success({ batchItemFailures: [{ id: "x" }] }), "must have the messageId"],
    ["no objects", () => success({ batchItemFailures: ["x"] }), "must have the messageId"],
    ["no list", () => success({ batchItemFailures: "x" }), "batchItemFailures of the result must be a list"],
  ])("are all of the batch when it answers with %s, and it is told why", async (_, answer, reason) => {
    const domain = await aDomain();
    domain.runtime.answer = answer;
    await domain.send("tasks", "a", "b");
    await domain.handlers.start();
    await until(async () => (await hiddenMs(domain)).join() === "1000,1000");
    expect(domain.handlers.read(domain.principal, "tasks").lastError?.message).toContain(reason);
  });

  it.each([
    ["null", () => success(null)],
    ["nothing", () => success(undefined)],
    ["an empty list", () => failures()],
    ["null for the list", () => success({ batchItemFailures: null })],
    ["something else", () => success({ statusCode: 200, body: "x" })],
    ["a text", () => success("done")],
  ])("are none when it answers with %s", async (_, answer) => {
    const domain = await aDomain();
    domain.runtime.answer = answer;
    await domain.send("tasks", "a", "b");
    await domain.handlers.start();
    await until(() => isEmpty(domain));
    expect(domain.runtime.invocations).toHaveLength(1);
  });

  it("do not take those beside them to the dead letters: what failed before is tried alone", async () => {
    const domain = await aDomain();
    await domain.queue("dead");
    await domain.queues.update(domain.principal, "tasks", { deadLetter: { queue: "dead", maxReceives: 3 } });
    domain.runtime.answer = (event) => {
      return event.Records.some(({ body }) => body === "poison") ? thrown("cannot") : success(null);
    };
    await domain.send("tasks", "a", "poison", "b");
    await domain.handlers.start();
    await until(async () => {
      // Not past the visibility of what is being received or worked on.
      if ((await hiddenMs(domain)).every((ms) => ms > -1000 && ms <= 10_000)) domain.advance(1000);
      return (await isEmpty(domain)) && !(await isEmpty(domain, "dead"));
    });
    expect(await domain.peek("dead")).toEqual(["poison 0"]);
    const [first, ...others] = domain.runtime.bodies();
    expect(first).toEqual(["a", "poison", "b"]);
    expect(others.map((bodies) => bodies.length)).toEqual(others.map(() => 1));
    expect(others.filter(([body]) => body === "poison")).toHaveLength(2);
  });

  it("are told in the handler's log, and those among them that go to the dead letters", async () => {
    const domain = await aDomain();
    const { handlers, principal } = domain;
    await domain.queue("dead");
    await domain.queues.update(principal, "tasks", { deadLetter: { queue: "dead", maxReceives: 1 } });
    domain.runtime.answer = (event) => failures(idsOf(event)[1]);
    await domain.send("tasks", "a", "b", "c");
    await handlers.start();
    await until(() => handlers.read(principal, "tasks").lastError !== undefined);
    const { lines } = await handlers.logs.read(principal, "tasks", {});
    expect(lines.map(({ text }) => text)).toEqual([
      '1 of 3 messages of queue "tasks" come back; 1 of them to the dead-letter queue "dead": the function named them',
    ]);
  });

  it("wait for a handler that cannot be started, uncounted", async () => {
    const domain = await aDomain();
    domain.runtime.refusal = new TodokuError("unavailable", "no such program");
    await domain.send("tasks", "a");
    await domain.handlers.start();
    expect(await domain.peek("tasks")).toEqual(["a 0"]);
    domain.runtime.refusal = undefined;
    domain.advance(limits.handler.startRetry.firstMs + 1000);
    await until(() => isEmpty(domain));
  });
});

describe("a batch", () => {
  it("whose event would be too large is split", async () => {
    const domain = await aDomain();
    // Each of these bytes is six in JSON: three bodies have 4.5 MiB, four 6.
    const body = "\u0001".repeat(262_144 - 10);
    await domain.send("tasks", ...Array.from({ length: 6 }, () => body));
    await domain.handlers.start();
    await until(() => isEmpty(domain));
    expect(domain.runtime.bodies().map((bodies) => bodies.length)).toEqual([3, 3]);
    for (const { event } of domain.runtime.invocations) {
      expect(Buffer.byteLength(event)).toBeLessThanOrEqual(limits.handler.eventMaxBytes);
    }
  });
});
