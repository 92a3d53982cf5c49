import { BoundedMap } from "../bounded-map.ts";
import { Connections } from "./connections.ts";
import { createLookup, type Lookup } from "./lookup.ts";
import { Permissions } from "./permissions.ts";
import { type Target, targetOf } from "./target.ts";

/** One call. */
export interface GuardedRequest {
  readonly method: "GET" | "POST";
  /** http: or https:. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** For all of it: the look-up of the name, the connection, the answer's last byte. */
  readonly timeoutMs: number;
  /** Of the answer's body that is read; the rest is thrown away with its connection. */
  readonly answerMaxBytes: number;
}

/**
 * What became of it. `blocked`: the target is no public address and no permitted one, or the URL is none that may be called; nothing was sent to it.
 * `network`: no connection, or it broke. `timeout`: not done in time. `error` never names an address that a name resolved to.
 */
export type GuardedResult =
  | {
      readonly kind: "answer";
      readonly status: number;
      /** By lower-case name; of several, joined with ", ". */
      readonly headers: Readonly<Record<string, string>>;
      /** At most `answerMaxBytes`. */
      readonly body: Uint8Array;
      readonly latencyMs: number;
      /** The address was public: not one that only the operator's list permits. */
      readonly isPublic: boolean;
    }
  | { readonly kind: "blocked" | "network" | "timeout"; readonly error: string; readonly latencyMs: number };

/**
 * The HTTP client for everything that is called at somebody's request. Resolves a name once per connection and connects to that address; refuses
 * what is not public unicast unless the operator permits it; follows no redirect (the 3xx is the answer); bounds time and size; keeps connections alive.
 */
export interface GuardedClient {
  /** Never rejects. */
  call(request: GuardedRequest): Promise<GuardedResult>;
  /** Is this a URL that could be called at all? A sentence why not: another scheme, user name or password in it, an address that is not permitted. Names are not resolved. */
  refusal(url: string): string | undefined;
  /** What the operator permits beside public addresses, from the next connection on. */
  permit(allowed: readonly string[]): void;
  /** When calls under way have ended. */
  close(): Promise<void>;
  /** The same at once: calls under way fail. */
  destroy(): Promise<void>;
}

/** What a client starts from. */
export interface GuardedClientOptions {
  /** Networks, addresses, host names, and `*.` with a host name: see `permit`. */
  readonly allowed: readonly string[];
  /** The machine itself too: for dev mode. */
  readonly permitsLoopback: boolean;
  /** Default: as many as calls need. */
  readonly connectionsPerOrigin?: number | undefined;
  /** Of names; default: name servers. */
  readonly lookup?: Lookup | undefined;
}

/** URLs that were read, and whether they may be called. */
const targetsMax = 10_000;

/** Nothing is connected before the first call. */
export function createGuardedClient(options: GuardedClientOptions): GuardedClient {
  const { permitsLoopback, connectionsPerOrigin } = options;
  const targets = new BoundedMap<string, Target | string>(targetsMax);
  let permissions = new Permissions(options.allowed, permitsLoopback);
  const lookup = options.lookup ?? createLookup((host) => permissions.permitsName(host));
  const connect = () => new Connections({ permissions: () => permissions, lookup, connectionsPerOrigin });
  let connections = connect();
  let isClosed = false;
  const closing = new Set<Promise<void>>();

  function find(url: string): Target | string {
    const known = targets.get(url);
    if (known !== undefined) return known;
    const target = targetOf(url, permissions);
    targets.set(url, target);
    return target;
  }

  function closeConnections(): void {
    const closed: Promise<void> = connections.close().finally(() => closing.delete(closed));
    closing.add(closed);
  }

  return {
    async call(request) {
      if (isClosed) return { kind: "network", error: "the server is stopping", latencyMs: 0 };
      const target = find(request.url);
      if (typeof target === "string") return { kind: "blocked", error: target, latencyMs: 0 };
      return connections.call(target, request);
    },
    refusal(url) {
      const target = targetOf(url, permissions);
      return typeof target === "string" ? target : undefined;
    },
    permit(allowed) {
      permissions = new Permissions(allowed, permitsLoopback);
      targets.clear();
      // Those that are kept alive lead to what was permitted before: calls under way end on them, the next ones connect anew.
      closeConnections();
      connections = connect();
    },
    async close() {
      if (!isClosed) closeConnections();
      isClosed = true;
      await Promise.all(closing);
    },
    async destroy() {
      isClosed = true;
      await connections.destroy();
      await Promise.all(closing);
    },
  };
}
