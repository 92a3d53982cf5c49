import { randomBytes } from "node:crypto";
import { type Access, type AccessParts, createAccess } from "../../src/domain/auth/access.ts";
import type { Caller } from "../../src/domain/auth/principal.ts";
import { type Bus, type Hint, silentBus } from "../../src/domain/bus.ts";
import { MasterKey } from "../../src/domain/encryption/master-key.ts";
import { createSealer } from "../../src/domain/encryption/sealer.ts";
import { anEngine } from "./engine.ts";

/** Somebody at another machine, whom the empty credential is not for. */
export const elsewhere: Caller = {
  address: "203.0.113.9",
  isLoopbackPeer: false,
  host: "todoku.example",
  origin: undefined,
  secFetchSite: undefined,
};

/** What a node may have besides the store. */
export type NodeParts = Partial<Pick<AccessParts, "access" | "rates" | "environments" | "identity" | "sealer">>;

/** An embedded engine in a directory of its own, with the services of access over it, as several nodes see it. */
export async function anAccessStore(wallMs: () => number) {
  const store = await anEngine({ wallMs });
  const masterKey = new MasterKey(randomBytes(32));

  /** Another node, over a second handle. Without a bus it hears no hint. */
  async function node(bus: Bus = silentBus, parts: NodeParts = {}): Promise<Access> {
    const handle = store.engine.secondHandle(bus);
    const access = createAccess({ engine: handle, sealer: createSealer(handle.records, masterKey), wallMs, ...parts });
    await access.start();
    return access;
  }

  return {
    node,
    /** What nodes seal with by default. */
    sealer: () => createSealer(store.engine.records, masterKey),
    get engine() {
      return store.engine;
    },
    get records() {
      return store.engine.records;
    },
    /** Nodes of before are of no use any more. */
    restart: store.restart,
    /** Removes all keys, tokens and revocations. */
    empty: store.empty,
    [Symbol.asyncDispose]: store[Symbol.asyncDispose],
  };
}

export type AccessStore = Awaited<ReturnType<typeof anAccessStore>>;

/** Two ends of a bus that loses nothing, or what `isLost` says. */
export function aWire(isLost: () => boolean = () => false): [Bus, Bus] {
  const listeners: [Set<(hint: Hint) => void>, Set<(hint: Hint) => void>] = [new Set(), new Set()];
  const end = (own: 0 | 1): Bus => ({
    send(hint) {
      if (isLost()) return;
      for (const listener of listeners[own === 0 ? 1 : 0]) listener(hint);
    },
    listen(onHint) {
      listeners[own].add(onHint);
      return () => void listeners[own].delete(onHint);
    },
  });
  return [end(0), end(1)];
}
