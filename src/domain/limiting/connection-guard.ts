import type { Clock } from "../../lib/clock.ts";
import type { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { toNetwork } from "./network.ts";

const { refusalsMax, refusalsWindowMs, cutOffsMax, cutOffsWindowMs, banMs, metersMax } = limits.rates;

/** Events within a window that begins with the first of them. */
interface Tally {
  count: number;
  startedAtMs: number;
}

interface Peer {
  /** Its open connections. */
  open: number;
  readonly cutOffs: Tally;
  bannedUntilMs: number;
}

export interface ConnectionGuardParts {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Open connections of one address; 0 is no limit. Asked each time: it may be set anew. */
  readonly connectionsMax: () => number;
  /** A proxy of ours speaks for many: its connections are neither counted nor cut off. */
  readonly isTrustedProxy: (address: string) => boolean;
}

/** How many connections an address has, and which clients lose theirs because they go on when they are refused. */
export class ConnectionGuard {
  readonly #parts: ConnectionGuardParts;
  /** By address (IPv6: /64); those that have nothing open and were not cut off are not there. */
  readonly #peers = new Map<string, Peer>();
  readonly #refusals = new WeakMap<object, Tally>();

  constructor(parts: ConnectionGuardParts) {
    this.#parts = parts;
  }

  /** A new connection: what to call when it has closed; undefined: it is not taken. */
  admitConnection(address = ""): (() => void) | undefined {
    if (this.#parts.isTrustedProxy(address)) return () => {};
    const network = toNetwork(address);
    const peer = this.#peer(network);
    const max = this.#parts.connectionsMax();
    if (peer.bannedUntilMs > this.#parts.clock.monotonicMs() || (max > 0 && peer.open >= max)) return undefined;
    peer.open++;
    this.#peers.set(network, peer);
    return () => {
      peer.open--;
      this.#forgetIdle(network, peer);
    };
  }

  /**
   * A call was refused. True: the client has been refused so often that its connection is to be closed behind this answer.
   * `connection` is its socket or session, `address` the other end of it.
   */
  refused({ retryAfterMs }: TodokuError, connection: object, address = ""): boolean {
    if (retryAfterMs === undefined || this.#parts.isTrustedProxy(address)) return false;
    const nowMs = this.#parts.clock.monotonicMs();
    let refusals = this.#refusals.get(connection);
    if (!refusals) {
      refusals = { count: 0, startedAtMs: nowMs };
      this.#refusals.set(connection, refusals);
    }
    if (add(refusals, refusalsWindowMs, nowMs) < refusalsMax) return false;
    if (refusals.count === refusalsMax) this.#cutOff(toNetwork(address), nowMs);
    return true;
  }

  get size(): number {
    return this.#peers.size;
  }

  #cutOff(network: string, nowMs: number): void {
    const peer = this.#peer(network);
    if (!this.#peers.has(network)) {
      if (this.#peers.size >= metersMax) this.#makeRoom();
      this.#peers.set(network, peer);
    }
    if (add(peer.cutOffs, cutOffsWindowMs, nowMs) >= cutOffsMax) peer.bannedUntilMs = nowMs + banMs;
  }

  #peer(network: string): Peer {
    return (
      this.#peers.get(network) ?? {
        open: 0,
        cutOffs: { count: 0, startedAtMs: Number.NEGATIVE_INFINITY },
        bannedUntilMs: 0,
      }
    );
  }

  #forgetIdle(network: string, peer: Peer): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const isRemembered = peer.cutOffs.count > 0 && nowMs < peer.cutOffs.startedAtMs + cutOffsWindowMs + banMs;
    if (peer.open === 0 && !isRemembered) this.#peers.delete(network);
  }

  /** Peers with nothing open are only there because they were cut off: they go first. */
  #makeRoom(): void {
    for (const [network, peer] of this.#peers) {
      if (peer.open > 0) continue;
      this.#peers.delete(network);
      return;
    }
  }
}

function add(tally: Tally, windowMs: number, nowMs: number): number {
  if (nowMs - tally.startedAtMs > windowMs) {
    tally.count = 0;
    tally.startedAtMs = nowMs;
  }
  return ++tally.count;
}
