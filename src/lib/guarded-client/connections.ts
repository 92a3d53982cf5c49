import { Agent, type buildConnector, Client, type Dispatcher, Pool } from "undici";
import { isPublicAddress } from "./addresses.ts";
import { Call } from "./call.ts";
import { checkedConnector } from "./connector.ts";
import type { GuardedRequest, GuardedResult } from "./guarded-client.ts";
import type { Lookup } from "./lookup.ts";
import type { Permissions } from "./permissions.ts";
import type { Target } from "./target.ts";

/** Servers that say nothing keep a connection for 5 s (Node, Apache) or longer; undici comes a second before what one says. */
const idleMs = 4000;
/** Of those that offer more: what idles costs memory on both sides. */
const idleMaxMs = 30_000;
const answerHeadMaxBytes = 16 * 1024;

/** `connectionsPerOrigin` undefined: as many as calls need. `permissions` is asked for each new connection. */
export interface ConnectionOptions {
  readonly permissions: () => Permissions;
  readonly lookup: Lookup;
  readonly connectionsPerOrigin: number | undefined;
}

/** Connections to checked addresses, kept alive, and the calls on them. */
export class Connections {
  readonly #agent: Agent;
  #calls = 0;
  #onIdle: (() => void) | undefined;

  constructor({ permissions, lookup, connectionsPerOrigin }: ConnectionOptions) {
    const connect = checkedConnector(permissions, lookup);
    const pool: Pool.Options = {
      ...{ connect, allowH2: false, pipelining: 1, connections: connectionsPerOrigin ?? null },
      ...{ maxHeaderSize: answerHeadMaxBytes, keepAliveTimeout: idleMs, keepAliveMaxTimeout: idleMaxMs },
      // Each call has one deadline for all of it.
      ...{ headersTimeout: 0, bodyTimeout: 0 },
      factory: (origin, options) => new Connection(origin, options, connect),
    };
    this.#agent = new Agent({ factory: (origin) => new Pool(origin, pool) });
  }

  call(target: Target, request: GuardedRequest): Promise<GuardedResult> {
    this.#calls += 1;
    return new Promise((resolve) => {
      const call = new Call(request, (result) => {
        this.#calls -= 1;
        if (this.#calls === 0) this.#onIdle?.();
        resolve(result);
      });
      const { method, headers, body = null } = request;
      try {
        this.#agent.dispatch({ ...target, method, headers, body }, call);
      } catch (error) {
        call.onResponseError(undefined, error as Error);
      }
    });
  }

  /** Ends them when the calls have ended; there must be no new ones. undici's own `close` waits for ever for a call that could not connect meanwhile. */
  async close(): Promise<void> {
    if (this.#calls > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.destroy();
  }

  /** The same at once: calls under way fail. */
  async destroy(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** One connection of a pool, and after it was closed the next one in its place. */
class Connection extends Client {
  readonly #peer: { isPublic: boolean };

  constructor(origin: URL, options: Client.Options, connect: buildConnector.connector) {
    const peer = { isPublic: false };
    super(origin, {
      ...options,
      connect: (target, callback) =>
        connect(target, (...[error, socket]) => {
          if (error !== null) return callback(error, null);
          peer.isPublic = isPublicAddress(socket.remoteAddress ?? "");
          callback(null, socket);
        }),
    });
    this.#peer = peer;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (handler instanceof Call) {
      // It waited for a connection for too long: whoever is behind it gets this one.
      if (handler.isDone) return true;
      handler.connection = this.#peer;
    }
    return super.dispatch(options, handler);
  }
}
