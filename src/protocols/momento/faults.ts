import { limits } from "../../domain/limits.ts";
import { BoundedMap } from "../../lib/bounded-map.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { Call, Method, Methods, StreamCall } from "./call.ts";
import { FaultError } from "./errors.ts";
import { type AskedFaults, asksForFaults, readFaults } from "./faults-headers.ts";
import { rpcNameOf, type StatusName, statusByName } from "./faults-names.ts";
import { FaultyStreamCall } from "./faults-stream.ts";

/**
 * `methods`, each of which first does what the fault headers of its call ask (Momento 9), for people who test their own clients.
 * Faults come before everything else that a method does, credentials too: a call that is told to fail does nothing.
 */
export function withFaults(methods: Methods, wheel: Pick<TimerWheel, "wait">): Methods {
  const faults = new Faults(new Set([...methods.keys()].map(rpcNameOf)), wheel);
  return new Map([...methods].map(([path, method]) => [path, wrap(method, rpcNameOf(path), faults)]));
}

function wrap(method: Method, rpc: string, faults: Faults): Method {
  if (method.kind === "unary") {
    const { handle } = method;
    const failing = async (call: Call) => {
      const asked = faults.read(call);
      await faults.before(call, rpc, asked);
      return handle(call);
    };
    return { kind: "unary", handle: (call) => (asksForFaults(call.headers) ? failing(call) : handle(call)) };
  }
  const { handle } = method;
  const failing = async (call: StreamCall) => {
    const asked = faults.read(call);
    const waitedMs = await faults.before(call, rpc, asked);
    await handle(toFaultyStream(call, rpc, asked, waitedMs));
  };
  return { kind: "stream", handle: (call) => (asksForFaults(call.headers) ? failing(call) : handle(call)) };
}

function toFaultyStream(call: StreamCall, rpc: string, { streamError }: AskedFaults, waitedMs: number): StreamCall {
  const timeoutMs = call.timeoutMs === undefined ? undefined : call.timeoutMs - waitedMs;
  if (!streamError?.rpcs.includes(rpc)) return new FaultyStreamCall(call, timeoutMs);
  const error = toError(streamError.status, "stream-error");
  if (streamError.messages === 0) throw error;
  return new FaultyStreamCall(call, timeoutMs, { afterMessages: streamError.messages, error });
}

function toError(status: StatusName, header: string): FaultError {
  return new FaultError(statusByName[status], `${status}, as the header ${header} asks`);
}

/** Calls that were delayed and that failed, of one request id. */
interface Counts {
  delays: number;
  errors: number;
}

class Faults {
  readonly #rpcs: ReadonlySet<string>;
  readonly #wheel: Pick<TimerWheel, "wait">;
  readonly #counts = new BoundedMap<string, Counts>(limits.faults.requestIdsMax);

  constructor(rpcs: ReadonlySet<string>, wheel: Pick<TimerWheel, "wait">) {
    this.#rpcs = rpcs;
    this.#wheel = wheel;
  }

  read({ headers }: Call): AskedFaults {
    return readFaults(headers, this.#rpcs);
  }

  /**
   * Resolves with the ms for which the call was held up.
   * @throws FaultError.
   */
  async before({ timeoutMs }: Call, rpc: string, { requestId, delay, error }: AskedFaults): Promise<number> {
    let waitedMs = 0;
    if (delay?.rpcs.includes(rpc) && this.#isOneOf(delay.count, requestId, "delays")) {
      waitedMs = Math.min(delay.ms, timeoutMs ?? delay.ms);
      await this.#wheel.wait(waitedMs);
      // Nobody waits for it any more, and who has been told of a timeout would be surprised by what it does.
      if (timeoutMs !== undefined && delay.ms >= timeoutMs) throw toError("deadline-exceeded", "delay-ms");
    }
    if (error?.rpcs.includes(rpc) && this.#isOneOf(error.count, requestId, "errors")) {
      throw toError(error.status, "return-error");
    }
    return waitedMs;
  }

  /** Counts the call, and says whether it is one of the first `count` of its request id. */
  #isOneOf(count: number | undefined, requestId: string, what: keyof Counts): boolean {
    if (count === undefined) return true;
    const counts = this.#counts.get(requestId) ?? { delays: 0, errors: 0 };
    if (counts[what] >= count) return false;
    counts[what]++;
    this.#counts.set(requestId, counts);
    return true;
  }
}
