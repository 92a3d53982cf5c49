import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPrincipal } from "../../src/domain/auth/open-access.ts";
import type { Engine } from "../../src/domain/engine.ts";
import { createQueueMessages, type Received, type ReceiveRequest } from "../../src/domain/queues/messages.ts";
import type { Receiver } from "../../src/domain/queues/poll-line.ts";
import { createQueues } from "../../src/domain/queues/queues.ts";
import { openEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import type { Log } from "../../src/lib/log.ts";
import { TimerWheel } from "../../src/lib/timer-wheel.ts";
import { capturedLog } from "./captured-logs.ts";

type EngineOptions = Parameters<typeof openEmbeddedEngine>[0];

/** Queues over the real embedded engine, with a clock that the test moves. */
export async function aQueueDomain(options: { readonly log?: Log } & Partial<Pick<EngineOptions, "bus">> = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), "todoku-queues-"));
  const startMs = Date.now();
  let elapsedMs = 0;
  const nowMs = () => startMs + elapsedMs;
  const clock = { monotonicMs: () => elapsedMs, steadyMs: nowMs, wallMs: nowMs };
  const { log, ...more } = options;
  const engine = await openEmbeddedEngine({ dataDir, wallMs: clock.wallMs, ...more });
  const node = async (of: Engine) => {
    const wheel = new TimerWheel(clock);
    const queues = createQueues(of, clock.wallMs);
    await queues.start();
    const messages = createQueueMessages({ engine: of, queues, clock, wheel, log: log ?? capturedLog });
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
        elapsedMs += Math.min(left, 1000);
        own.wheel.runOnce();
      }
    },
    /** Resolves when what was given to the store before has been answered. */
    async settled() {
      await engine.queues.giveBack({ environment: "dev", queue: "", queueId: 0 }, []);
      await new Promise(setImmediate);
    },
    async [Symbol.asyncDispose]() {
      await engine.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

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
