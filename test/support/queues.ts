import { openPrincipal } from "../../src/domain/auth/open-access.ts";
import type { Bus } from "../../src/domain/bus.ts";
import type { Engine } from "../../src/domain/engine.ts";
import { createQueueMessages, type Received, type ReceiveRequest } from "../../src/domain/queues/messages.ts";
import type { Receiver } from "../../src/domain/queues/poll-line.ts";
import { createQueues } from "../../src/domain/queues/queues.ts";
import type { Clock } from "../../src/lib/clock.ts";
import type { Log } from "../../src/lib/log.ts";
import { TimerWheel } from "../../src/lib/timer-wheel.ts";
import { capturedLog } from "./captured-logs.ts";
import { anEngine } from "./engine.ts";

/** The real embedded engine for the queue domains of a test file, one after the other, with one clock that tests move. */
export async function aQueueStore(options: { readonly bus?: Bus } = {}) {
  const startMs = Date.now();
  const time = { elapsedMs: 0 };
  const nowMs = () => startMs + time.elapsedMs;
  const clock = { monotonicMs: () => time.elapsedMs, steadyMs: nowMs, wallMs: nowMs };
  const store = await anEngine({ wallMs: nowMs, ...options });
  return {
    get engine() {
      return store.engine;
    },
    /** Queues over it. */
    domain: (log: Log = capturedLog) => aQueueDomain(store.engine, clock, time, log),
    /** Removes all queues. */
    empty: store.empty,
    [Symbol.asyncDispose]: store[Symbol.asyncDispose],
  };
}

/** What {@link aQueueStore} answers. */
export type TestQueueStore = Awaited<ReturnType<typeof aQueueStore>>;

async function aQueueDomain(engine: Engine, clock: Clock, time: { elapsedMs: number }, log: Log) {
  const node = async (of: Engine) => {
    const wheel = new TimerWheel(clock);
    const queues = createQueues(of, clock.wallMs);
    await queues.start();
    const messages = createQueueMessages({ engine: of, queues, clock, wheel, log });
    const aPoll = (queue: string, request: Partial<ReceiveRequest> = {}, principal = openPrincipal) => {
      const receiver = aReceiver();
      const wanted = { maxMessages: 1, waitMs: 20_000, ...request };
      const poll = {
        receiver,
        answer: undefined as Received | undefined,
        bodies: [] as string[],
        error: undefined as unknown,
      };
      const done = messages.receive(principal, queue, wanted, receiver).then(
        (answer) => {
          poll.answer = answer;
          poll.bodies = answer.messages.map(({ body }) => body);
        },
        (error: unknown) => {
          poll.error = error;
        },
      );
      return Object.assign(poll, { done });
    };
    return { wheel, queues, messages, aPoll };
  };
  const own = await node(engine);
  return {
    ...{ engine, node, clock, ...own },
    me: openPrincipal,
    /** Takes up to ten that are ready. */
    async take(queue: string, request: Partial<ReceiveRequest> = {}) {
      const wanted = { maxMessages: 10, waitMs: 0, ...request };
      return (await own.messages.receive(openPrincipal, queue, wanted, aReceiver())).messages;
    },
    send: (queue: string, ...bodies: string[]) =>
      own.messages.send(
        openPrincipal,
        queue,
        bodies.map((body) => ({ body })),
      ),
    /** Moves both clocks, in steps of the wheel's turn, and fires what is due. */
    advance(ms: number) {
      for (let left = ms; left > 0; left -= 1000) {
        time.elapsedMs += Math.min(left, 1000);
        own.wheel.runOnce();
      }
    },
    /** Resolves when what was given to the store before has been answered. */
    async settled() {
      await engine.queues.giveBack({ environment: "dev", queue: "", queueId: 0 }, []);
      await new Promise(setImmediate);
    },
  };
}

/** What `domain` of {@link aQueueStore} answers. */
export type QueueDomain = Awaited<ReturnType<typeof aQueueDomain>>;

/** Somebody who waits for an answer until `leave()`, and has read it whole once `hasRead()` says so. */
export function aReceiver(): Receiver & { leave(): void; hasRead(): void } {
  const [closed, ended] = [new AbortController(), new EventTarget()];
  const hasRead = () => void ended.dispatchEvent(new Event("end"));
  return {
    isOpen: () => !closed.signal.aborted,
    closed: closed.signal,
    onEnd: (listener) => ended.addEventListener("end", listener, { once: true }),
    hasRead,
    leave() {
      closed.abort();
      hasRead();
    },
  };
}
