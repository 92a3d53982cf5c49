// The gateway: WebSockets of users. A handshake is admitted, becomes a session, and its frames go through the router of its endpoint.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type TodokuError, toTodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { newId } from "../../lib/random-ids.ts";
import { commonHeaders } from "../../lib/response.ts";
import { type Handshake, readHandshake } from "../../lib/websocket/handshake.ts";
import { createActions } from "./actions/index.ts";
import { Admission, type Admitted } from "./admission.ts";
import { connectTimeout } from "./answers.ts";
import { Integrations } from "./integrations.ts";
import { MessageRoutes } from "./messages.ts";
import type { EndpointSettings, GatewayOptions, GatewaySettings } from "./options.ts";
import { chooseProtocol, refuseRequest, refuseWithClose, refuseWithStatus } from "./refusal.ts";
import { Router } from "./router.ts";
import type { SessionParts } from "./session-parts.ts";
import { SocketSession } from "./socket-session.ts";
import { addTo, GatewayCounters, type GatewayStats } from "./stats.ts";
import { Throttle } from "./throttle.ts";

export type { GatewayOptions } from "./options.ts";
export type { GatewayStats } from "./stats.ts";

const sweepMs = 1000;

/** Takes WebSockets on the paths of its endpoints. */
export interface GatewayDoor {
  /** Is the request for one of the endpoints? */
  accepts(request: Pick<IncomingMessage, "url">): boolean;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** A request for an endpoint that wants no WebSocket. */
  handleHttp(request: IncomingMessage, response: ServerResponse): void;
  /** What may change while it runs, from its next use on. */
  configure(settings: GatewaySettings): void;
  /** The server stops: connections that are ended from now on are told to come back, and no new ones are let in. */
  leave(): void;
  /** Stops the sweep. */
  close(): void;
  /** The environment is gone. */
  forgetEnvironment(environment: string): void;
  stats(): ReadonlyMap<string, GatewayStats>;
}

/** A handshake that is about to be admitted. */
interface Visitor {
  readonly endpoint: EndpointSettings;
  readonly router: Router;
  readonly request: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
  readonly handshake: Handshake;
  readonly query: URLSearchParams;
  /** Undefined: nothing on its endpoint is a handler. */
  readonly connectionId: string | undefined;
}

/** Whom the handler of `$connect` has let in too. */
interface Entered extends Admitted {
  /** What the handler chose. */
  readonly protocol?: string | undefined;
  /** There is such a handler: it waits to hear of the connection's end. */
  readonly isExpected?: true;
}

/** @throws Error: a route selection expression is none. */
export function createGatewayDoor(options: GatewayOptions): GatewayDoor {
  return new Gateway(options);
}

class Gateway implements GatewayDoor {
  readonly #options: GatewayOptions;
  readonly #endpoints: ReadonlyMap<string, { readonly endpoint: EndpointSettings; readonly router: Router }>;
  readonly #admission: Admission;
  readonly #integrations: Integrations;
  readonly #parts: SessionParts & { settings: GatewaySettings; readonly tick: { nextMs: number } };
  #isStopping = false;
  #sweep: { cancel(): void };

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { settings, clock, wheel, auth, connections, connectionGuard, log } = options;
    const throttle = new Throttle(settings.rates);
    this.#parts = {
      ...{ settings, auth, connections, connectionGuard, clock, wheel, throttle, log },
      counters: new GatewayCounters(),
      sessions: new Set(),
      tick: { nextMs: clock.monotonicMs() + sweepMs },
      isStopping: () => this.#isStopping,
    };
    const integrations = new Integrations(options);
    this.#integrations = integrations;
    this.#admission = new Admission({
      ...options,
      throttle,
      integrations,
      origins: () => this.#parts.settings.origins,
    });
    const parts = {
      integrations,
      messages: new MessageRoutes(options),
      actions: createActions(options),
      ...{ wheel, log, namesActions: options.namesActions },
      actionMs: () => this.#parts.settings.actionSeconds * 1000,
    };
    this.#endpoints = new Map(
      settings.endpoints.map((endpoint) => [endpoint.path, { endpoint, router: new Router(endpoint, parts) }]),
    );
    this.#sweep = this.#scheduleSweep();
  }

  accepts({ url = "" }: Pick<IncomingMessage, "url">): boolean {
    return this.#endpoints.has(pathOf(url));
  }

  handleUpgrade(request: IncomingMessage, duplex: Duplex, head: Buffer): void {
    // node:http gives the socket of net or tls that it got.
    const socket = duplex as Socket;
    socket.on("error", ignore);
    const { wheel } = this.#options;
    const url = request.url ?? "";
    const known = this.#endpoints.get(pathOf(url));
    if (!known) {
      refuseRequest(socket, { status: 404, message: "there is no WebSocket here", headers: {} }, wheel);
      return;
    }
    const handshake = readHandshake(request);
    if ("status" in handshake) {
      addTo(this.#parts.counters.of("").refused, "handshake");
      refuseRequest(socket, handshake, wheel);
      return;
    }
    const query = new URLSearchParams(url.slice(known.endpoint.path.length));
    const connectionId = hasHandlers(known.endpoint) ? newId() : undefined;
    this.#admit({ ...known, request, socket, head, handshake, query, connectionId });
  }

  handleHttp({ httpVersionMajor }: IncomingMessage, response: ServerResponse): void {
    // HTTP/2 has no upgrade: node:http2 throws when an answer names one.
    const isHttp1 = httpVersionMajor === 1;
    const message = `this is a WebSocket: ${isHttp1 ? "upgrade must be websocket" : "it begins with HTTP/1.1"}`;
    const headers = { ...commonHeaders, ...(isHttp1 && { upgrade: "websocket" }), "content-type": "application/json" };
    response.writeHead(isHttp1 ? 426 : 400, headers).end(JSON.stringify({ message }));
  }

  configure(settings: GatewaySettings): void {
    // Endpoints and the times of what is under way need a restart.
    const { endpoints } = this.#parts.settings;
    this.#parts.settings = { ...settings, endpoints };
    this.#parts.throttle.configure(settings.rates);
  }

  leave(): void {
    this.#isStopping = true;
  }

  close(): void {
    this.#sweep.cancel();
  }

  forgetEnvironment(environment: string): void {
    this.#parts.counters.forget(environment);
  }

  stats(): ReadonlyMap<string, GatewayStats> {
    return this.#parts.counters.all();
  }

  #admit(visitor: Visitor): void {
    const { endpoint, handshake, socket } = visitor;
    try {
      const admitted = this.#admission.admit(endpoint, { ...visitor, protocols: handshake.protocols });
      const handler = handlerOf(endpoint, "$connect");
      if (handler !== undefined) this.#wait(visitor, this.#connect(visitor, handler, admitted));
      else if (admitted instanceof Promise) this.#wait(visitor, admitted);
      else this.#open(visitor, admitted);
    } catch (error) {
      this.#refuse(socket, handshake, error);
    }
  }

  async #connect(visitor: Visitor, handler: string, admission: Admitted | Promise<Admitted>): Promise<Entered> {
    const admitted = await admission;
    const { scene } = admitted;
    if (!scene || visitor.socket.destroyed) return admitted;
    const protocol = await this.#integrations.connect(scene, handler, visitor, visitor.handshake.protocols);
    return { ...admitted, protocol, isExpected: true };
  }

  /** What the client sends meanwhile stays in its socket, which takes no more than its buffer holds. */
  #wait(visitor: Visitor, entered: Promise<Entered>): void {
    const { socket, handshake } = visitor;
    const { connectSeconds } = this.#parts.settings;
    let isOver = false;
    const once = (act: () => void) => {
      if (isOver) return;
      isOver = true;
      deadline.cancel();
      act();
    };
    const refuse = (error: unknown) => once(() => this.#refuse(socket, handshake, error));
    const deadline = this.#options.wheel.schedule(connectSeconds * 1000, () => refuse(connectTimeout(connectSeconds)));
    entered.then((known) => {
      if (isOver) endUnopened(visitor, known);
      once(() => {
        try {
          this.#open(visitor, known);
        } catch (error) {
          endUnopened(visitor, known);
          this.#refuse(socket, handshake, error);
        }
      });
    }, refuse);
  }

  #open(visitor: Visitor, entered: Entered): void {
    const { principal, userId, address, scene, protocol } = entered;
    const { router, endpoint, request, socket, head, handshake } = visitor;
    if (socket.destroyed) {
      endUnopened(visitor, entered);
      return;
    }
    const session = new SocketSession(this.#parts, router, socket, principal.environment, scene);
    const connection = this.#options.connections.open({
      ...{ environment: principal.environment, userId, principal, path: endpoint.path, address },
      userAgent: request.headers["user-agent"] ?? "",
      id: scene?.connectionId,
      outlet: session,
    });
    session.begin(connection, handshake.key, protocol ?? chooseProtocol(handshake.protocols), head);
  }

  #refuse(socket: Socket, { key, protocols }: Handshake, error: unknown): void {
    const refused = toTodokuError(error);
    this.#logRefusal(refused);
    addTo(this.#parts.counters.of("").refused, refused.code);
    const { wheel } = this.#options;
    const protocol = chooseProtocol(protocols);
    const answer = () => {
      if (protocol === undefined) refuseWithStatus(socket, refused, wheel);
      else refuseWithClose(socket, refused, { key, protocol }, wheel);
    };
    // Whoever comes back at once comes back twenty times a second.
    if (refused.retryAfterMs === undefined) answer();
    else wheel.schedule(limits.rates.refusalDelayMs, answer);
  }

  #logRefusal({ code, message, cause }: TodokuError): void {
    const { log } = this.#parts;
    if (code === "internal") log.error({ area: "gateway", err: cause ?? message }, "a handshake failed");
    else log.debug({ area: "gateway", code, reason: message }, "a handshake was refused");
  }

  /** One look at all sessions each second, instead of timers of each. */
  #scheduleSweep(): { cancel(): void } {
    const { clock, wheel } = this.#options;
    return wheel.schedule(sweepMs, () => {
      this.#sweep = this.#scheduleSweep();
      const { tick, sessions, throttle } = this.#parts;
      const [nowMs, wallMs] = [clock.monotonicMs(), clock.wallMs()];
      tick.nextMs = nowMs + sweepMs;
      for (const session of sessions) session.sweep(nowMs, wallMs);
      throttle.sweep(nowMs);
    });
  }
}

function ignore(): void {}

/** The handler of `$connect` has let it in, but it did not become a connection. */
function endUnopened({ router }: Visitor, { isExpected, scene }: Entered): void {
  if (isExpected && scene) router.left(scene, 1006, "");
}

function handlerOf({ routes }: EndpointSettings, route: string): string | undefined {
  const target = Object.hasOwn(routes, route) ? routes[route] : undefined;
  return typeof target === "object" ? target.handler : undefined;
}

/** Only then is it of use to know what events say of a connection. */
function hasHandlers({ routes, authorizer }: EndpointSettings): boolean {
  return authorizer !== undefined || Object.values(routes).some((target) => typeof target === "object");
}

function pathOf(url: string): string {
  const end = url.indexOf("?");
  return end === -1 ? url : url.slice(0, end);
}
