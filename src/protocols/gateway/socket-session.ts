import type { Socket } from "node:net";
import { expiredError, type Principal } from "../../domain/auth/principal.ts";
import type { Connection, EndAdvice, Outlet, SharedMessage } from "../../domain/connections/connection.ts";
import { toTodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { newId } from "../../lib/random-ids.ts";
import { textFrame } from "../../lib/websocket/frames.ts";
import { switchingProtocols } from "../../lib/websocket/handshake.ts";
import { type LinkHandler, WebSocketLink } from "../../lib/websocket/link.ts";
import { toErrorFrame } from "./answers.ts";
import type { Scene } from "./events.ts";
import type { Router } from "./router.ts";
import type { Session } from "./session.ts";
import type { SessionParts } from "./session-parts.ts";
import { addTo, closeLabel, type GatewayStats } from "./stats.ts";
import type { FrameAccount } from "./throttle.ts";

const { topicHighWaterBytes, actionsMax, pingsMax, expiryWarningMs } = limits.gateway;

type Listener = () => void;

/**
 * One WebSocket: what its client sends goes to the router, and what is sent to it is bounded. There may be many thousands that do nothing, so that
 * lists are made when they are needed, and deadlines are looked at by one sweep over all of them instead of a timer each.
 */
export class SocketSession implements Session, Outlet, LinkHandler {
  readonly #parts: SessionParts;
  readonly #router: Router;
  readonly #stats: GatewayStats;
  #socket: Socket | undefined;
  #link: WebSocketLink | undefined;
  #connection: Connection | undefined;
  #account: FrameAccount | undefined;
  /** Monotonic; the others as `tick` says it. */
  readonly #openedMs: number;
  #activeMs: number;
  #heardMs: number;
  /** Pings of ours since the last sign of life. */
  #pings = 0;
  /** Wall time of the warning that the credential ends; undefined: it was given, or there is none to give. */
  #warnAtMs: number | undefined;
  #running = 0;
  #isPaused = false;
  /** What events of handlers say of it; undefined: nothing on its endpoint is a handler. */
  readonly scene: Scene | undefined;
  /** What we close with; undefined while it is open, or when the client closes. */
  #closeCode: number | undefined;
  #closeReason = "";
  /** A `send` has answered false, and nobody was told since that there is room again. */
  #isFull = false;
  /** Of replies and notifications, since all that waited has left. */
  #ownBytes = 0;
  #drainListeners: Listener[] | undefined;
  #closeListeners: Listener[] | undefined;
  #stopWatching: Listener | undefined;

  constructor(parts: SessionParts, router: Router, socket: Socket, environment: string, scene?: Scene) {
    this.#parts = parts;
    this.scene = scene;
    this.#router = router;
    this.#socket = socket;
    this.#stats = parts.counters.of(environment);
    this.#openedMs = parts.clock.monotonicMs();
    this.#activeMs = this.#openedMs;
    this.#heardMs = this.#openedMs;
  }

  /** Accepts the handshake. `head`: what the client has sent behind it. */
  begin(connection: Connection, key: string, protocol: string | undefined, head: Buffer): void {
    const { settings, wheel, sessions } = this.#parts;
    const socket = this.#socket as Socket;
    this.#connection = connection;
    sessions.add(this);
    socket.write(switchingProtocols(key, protocol), "latin1");
    this.#link = new WebSocketLink(socket, this, { messageMaxBytes: settings.messageMaxBytes, wheel });
    this.#watchCredential();
    this.#log("a WebSocket is open");
    this.#link.start(head);
  }

  get connection(): Connection {
    return this.#connection as Connection;
  }

  get principal(): Principal {
    return this.connection.principal;
  }

  get environment(): string {
    return this.connection.environment;
  }

  get isOpen(): boolean {
    return this.#link?.isOpen === true && this.#closeCode === undefined;
  }

  get lastActiveAtMs(): number {
    const { clock } = this.#parts;
    return clock.wallMs() - Math.max(0, Math.round(clock.monotonicMs() - this.#activeMs));
  }

  /** Frames of its client that are being worked on; past a bound no more are read. */
  began(): void {
    this.#running++;
  }

  ended(): void {
    this.#running--;
    this.#resume();
  }

  reply(json: object): void {
    this.replyText(JSON.stringify(json));
  }

  replyText(text: string): void {
    this.#push(textFrame(text));
  }

  send(frame: Uint8Array): boolean {
    const link = this.#link;
    if (!link || !this.isOpen) return true;
    link.send(frame);
    this.#stats.sent++;
    this.#activeMs = this.#parts.tick.nextMs;
    if (link.waitingBytes <= topicHighWaterBytes) return true;
    this.#isFull = true;
    return false;
  }

  deliver(message: SharedMessage): boolean {
    message.frame ??= textFrame(message.text);
    return this.#push(message.frame);
  }

  end({ reason, reconnect, afterMs }: EndAdvice): void {
    const link = this.#link;
    if (!link || !this.isOpen) return;
    // Past every bound: who is told to stay away must not hear 4408 instead, which says nothing of it.
    const advice = { type: "disconnect", reason, reconnect, ...(afterMs === undefined ? {} : { afterMs }) };
    link.send(textFrame(JSON.stringify(advice)));
    this.#stats.sent++;
    if (!reconnect) this.close(4410, reason);
    else this.close(this.#parts.isStopping() ? 1012 : 4503, reason);
  }

  onDrained(listener: Listener): void {
    this.#drainListeners ??= [];
    this.#drainListeners.push(listener);
  }

  onClosed(listener: Listener): void {
    if (this.#socket) {
      this.#closeListeners ??= [];
      this.#closeListeners.push(listener);
    } else listener();
  }

  adopt(principal: Principal): void {
    this.#parts.connections.renew(this.connection, principal);
    this.#watchCredential();
  }

  close(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.#closeCode = code;
    this.#closeReason = reason;
    // What it goes on to send is of no interest, but its close frame is.
    this.#socket?.resume();
    this.#link?.close(code, reason);
  }

  /** Looks at everything that passes with time. `nowMs` is the sweep's clock. */
  sweep(nowMs: number, wallMs: number): void {
    if (!this.isOpen) return;
    const { idleSeconds, lifeSeconds } = this.#parts.settings;
    if (isOver(nowMs - this.#openedMs, lifeSeconds) || isOver(nowMs - this.#activeMs, idleSeconds)) {
      this.close(1001, "Going away");
      return;
    }
    this.#sweepCredential(wallMs);
    this.#beat(nowMs);
  }

  // The link's side.

  text(text: string): void {
    this.#activeMs = this.#parts.tick.nextMs;
    if (!this.isOpen) return;
    try {
      this.#account = this.#parts.throttle.admitFrame(this.#account, this.connection, this.#parts.clock.monotonicMs);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    this.#router.route(this, text, this.#stats);
    // What has just been closed is read on for its close frame.
    if (this.#isPaused || !this.isOpen || !this.#isBusy()) return;
    this.#isPaused = true;
    this.#socket?.pause();
  }

  heard(): void {
    const { nextMs } = this.#parts.tick;
    this.#heardMs = nextMs;
    // The answer to a ping of ours is a sign of life, but nothing that the client did.
    if (this.#pings === 0) this.#activeMs = nextMs;
    this.#pings = 0;
  }

  drained(): void {
    this.#ownBytes = 0;
    this.#resume();
    if (!this.#isFull) return;
    this.#isFull = false;
    if (this.#drainListeners) for (const listener of this.#drainListeners) listener();
  }

  closed(code: number, reason: string): void {
    const { connections, sessions, counters } = this.#parts;
    const finalCode = this.#closeCode ?? code;
    sessions.delete(this);
    this.#stopWatching?.();
    this.#socket = undefined;
    this.#link = undefined;
    addTo(counters.ofKnown(this.environment).closed, closeLabel(finalCode));
    connections.close(this.connection);
    this.#log("a WebSocket is closed", { code: finalCode });
    if (this.scene)
      this.#router.left(this.scene, finalCode, this.#closeCode === undefined ? reason : this.#closeReason);
    for (const listener of this.#closeListeners ?? []) listener();
    this.#drainListeners = undefined;
    this.#closeListeners = undefined;
  }

  /** For frames that lie nowhere else. */
  #push(frame: Uint8Array): boolean {
    const link = this.#link;
    if (!link || !this.isOpen) return false;
    // What waits of topics has a bound of its own, which may be the greater one.
    if (Math.min(this.#ownBytes, link.waitingBytes) + frame.length > this.#parts.settings.outboxMaxBytes) {
      this.close(4408, "the client does not read");
      return false;
    }
    this.#ownBytes += frame.length;
    link.send(frame);
    this.#stats.sent++;
    this.#activeMs = this.#parts.tick.nextMs;
    return true;
  }

  #refuse(error: unknown): void {
    const refused = toTodokuError(error);
    this.#stats.throttled++;
    this.reply(toErrorFrame(this, refused, newId(), undefined));
    const socket = this.#socket;
    if (!socket || !this.#parts.connectionGuard.refused(refused, socket, socket.remoteAddress)) return;
    this.close(4429, "it went on when its frames were refused");
  }

  #isBusy(): boolean {
    return this.#running > actionsMax || (this.#link?.waitingBytes ?? 0) > topicHighWaterBytes;
  }

  #resume(): void {
    if (!this.#isPaused || this.#isBusy()) return;
    this.#isPaused = false;
    this.#socket?.resume();
    this.#beginToHear();
  }

  #sweepCredential(wallMs: number): void {
    const { principal } = this;
    const { expiresAtMs } = principal;
    try {
      // The others are told at once by their withdrawal.
      if (!principal.withdrawal) this.#parts.auth.recheck(principal);
      else if (expiresAtMs !== undefined && expiresAtMs <= wallMs) throw expiredError(principal);
    } catch (error) {
      this.close(4401, toTodokuError(error).message);
    }
    if (this.#warnAtMs === undefined || expiresAtMs === undefined || this.#warnAtMs > wallMs) return;
    this.#warnAtMs = undefined;
    this.reply({ type: "auth.expiring", expiresAtMs, inMs: expiresAtMs - wallMs });
  }

  /** Its time begins anew: what it said while it was not read comes now. */
  #beginToHear(): void {
    this.#heardMs = this.#parts.tick.nextMs;
    this.#pings = 0;
  }

  /** A peer that is gone, though nothing said so, is cut. */
  #beat(nowMs: number): void {
    if (!this.isOpen) return;
    // It is not read for our own work, not because it reads nothing.
    if (this.#isPaused && this.#running > actionsMax) return;
    if (!isOver(nowMs - this.#heardMs, this.#parts.settings.heartbeatSeconds * (this.#pings + 1))) return;
    if (this.#pings < pingsMax) {
      this.#pings++;
      this.#link?.ping();
      return;
    }
    this.#closeCode = 1006;
    this.#link?.destroy();
  }

  #watchCredential(): void {
    this.#stopWatching?.();
    const { expiresAtMs, withdrawal } = this.principal;
    const leftMs = expiresAtMs === undefined ? 0 : expiresAtMs - this.#parts.clock.wallMs();
    this.#warnAtMs = expiresAtMs === undefined ? undefined : expiresAtMs - Math.min(expiryWarningMs, leftMs / 2);
    this.#stopWatching = withdrawal?.onDone((error) => {
      // The same credential is good for another connection.
      if (error.code === "unavailable") this.close(1012, error.message);
      else this.close(4401, error.message);
    });
  }

  #log(message: string, more: object = {}): void {
    const { log } = this.#parts;
    const { id, environment, path, userId } = this.connection;
    if ("isOn" in log && !log.isOn("debug", { area: "gateway", environment })) return;
    log.debug({ area: "gateway", environment, connectionId: id, path, userId, ...more }, message);
  }
}

/** `seconds`: 0 is never. */
function isOver(elapsedMs: number, seconds: number): boolean {
  return seconds > 0 && elapsedMs >= seconds * 1000;
}
