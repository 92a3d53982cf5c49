import { TodokuError, toTodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Log } from "../../lib/log.ts";
import { newId } from "../../lib/random-ids.ts";
import { parseRouteSelection, type RouteSelection } from "../../lib/route-selection.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { toErrorFrame, toErrorJson } from "./answers.ts";
import type { Scene } from "./events.ts";
import type { Integrations } from "./integrations.ts";
import { type MessageRoutes, messageTextOf, type RoutedMessage, toAck, toAwsAck } from "./messages.ts";
import type { EndpointSettings, MessageTarget, RouteTarget } from "./options.ts";
import type { ActionHandler, Actions, Session } from "./session.ts";
import { addTo, type GatewayStats } from "./stats.ts";

/** A session that counts what is being worked on for it. */
export interface RoutedSession extends Session {
  began(): void;
  ended(): void;
}

/** AWS: the longest that a client waits for a handler. */
const handlerMs = limits.gateway.actionMaxSeconds * 1000;

type Frame = Readonly<Record<string, unknown>>;

/** What routers of all endpoints share. */
export interface RouterParts {
  readonly messages: MessageRoutes;
  /** Those of routes that are handlers. */
  readonly integrations: Pick<Integrations, "message" | "disconnect">;
  /** Those that are in every endpoint, besides `ping`, `publish` and `send`. */
  readonly actions: Actions;
  readonly wheel: Pick<TimerWheel, "schedule">;
  readonly actionMs: () => number;
  /** Dev mode. */
  readonly namesActions: boolean;
  readonly log: Log;
}

/** Finds out what each frame of an endpoint's clients asks for, and has it done. */
export class Router {
  readonly #parts: RouterParts;
  readonly #selection: RouteSelection;
  readonly #ackStyle: EndpointSettings["ackStyle"];
  /** The operator's own; they go before ours. */
  readonly #routes: ReadonlyMap<string, RouteTarget>;
  readonly #actions: ReadonlyMap<string, ActionHandler>;

  /** @throws Error that names the expression, when it is none. */
  constructor({ routeSelection, routes, ackStyle }: EndpointSettings, parts: RouterParts) {
    const selection = parseRouteSelection(routeSelection);
    if (!selection) throw new Error(`${JSON.stringify(routeSelection)} is no route selection expression`);
    this.#parts = parts;
    this.#selection = selection;
    this.#ackStyle = ackStyle;
    this.#routes = new Map(Object.entries(routes));
    const own: Actions = {
      ping: (session, frame) => session.reply({ ...toPong(session), ...idOf(frame) }),
      publish: (session, frame) => this.#runMessage(session as RoutedSession, "publish", frame),
      send: (session, frame) => this.#runMessage(session as RoutedSession, "send", frame),
    };
    this.#actions = new Map(Object.entries({ ...parts.actions, ...own }));
  }

  route(session: RoutedSession, text: string, stats: GatewayStats): void {
    const frame = this.#selection.isAlwaysDefault ? undefined : parseFrame(text);
    const selected = frame && this.#selection.select(frame);
    // `$connect`, `$disconnect` and `$default` are no names that a client may use.
    const key = selected?.startsWith("$") ? undefined : selected;
    const isRoute = key !== undefined && this.#routes.has(key);
    const action = key === undefined || isRoute ? undefined : this.#actions.get(key);
    if (frame && key !== undefined && action) {
      addTo(stats.received, key);
      this.#run(session, key, action, frame);
      return;
    }
    const route = isRoute ? key : "$default";
    const target = this.#routes.get(route);
    addTo(stats.received, target === undefined ? "unknown" : route);
    const requestId = newId();
    if (target === undefined) this.#refuseUnknown(session, selected, frame, requestId);
    else if (typeof target === "object") this.#handle(session, { route, text, ...target }, frame, requestId);
    else this.#take(session, { route, target, text, messageId: undefined }, frame, requestId);
  }

  /** A connection that its handlers know of is over. */
  left(scene: Scene, code: number, reason: string): void {
    const target = this.#routes.get("$disconnect");
    if (typeof target === "object") this.#parts.integrations.disconnect(scene, target.handler, code, reason);
  }

  #refuseUnknown(session: Session, key: string | undefined, frame: Frame | undefined, requestId: string): void {
    const unnamed =
      frame || this.#selection.isAlwaysDefault ? "this frame names no action" : "this frame is no JSON object";
    const what = key === undefined ? unnamed : `there is no action ${JSON.stringify(key.slice(0, 64))}`;
    const error = toErrorFrame(
      session,
      new TodokuError("permission_denied", what),
      requestId,
      frame && frameIdOf(frame),
    );
    const { namesActions } = this.#parts;
    session.reply(namesActions ? { ...error, supported: [...this.#actions.keys(), ...this.#routes.keys()] } : error);
  }

  #run(session: RoutedSession, action: string, handler: ActionHandler, frame: Frame): void {
    try {
      checkFrameId(frame);
      const done = handler(session, frame);
      if (!(done instanceof Promise)) return;
      session.began();
      done.then(
        () => session.ended(),
        (error: unknown) => {
          this.#answerError(session, action, frame, error);
          session.ended();
        },
      );
    } catch (error) {
      this.#answerError(session, action, frame, error);
    }
  }

  #answerError(session: Session, action: string, frame: Frame, error: unknown): void {
    this.#logInternal(session, action, error);
    session.reply({ type: "error", action, ...idOf(frame), error: toErrorJson(error) });
  }

  #runMessage(session: RoutedSession, target: MessageTarget, frame: Frame): void {
    const requestId = newId();
    try {
      const text = messageTextOf(frame);
      const messageId = Object.hasOwn(frame, "messageId") ? frame.messageId : undefined;
      if (messageId !== undefined && typeof messageId !== "string") {
        throw new TodokuError("invalid_argument", '"messageId" must be a text');
      }
      this.#take(session, { route: target, target, text, messageId }, frame, requestId);
    } catch (error) {
      session.reply(toErrorFrame(session, toTodokuError(error), requestId, frameIdOf(frame)));
    }
  }

  #take(session: RoutedSession, message: RoutedMessage, frame: Frame | undefined, requestId: string): void {
    const id = frame && frameIdOf(frame);
    const { messages, actionMs } = this.#parts;
    const late = `it is not known within ${actionMs()} ms what became of it; try again with a messageId`;
    const asked = { route: message.route, requestId, id, ms: actionMs(), late };
    this.#answerOnce(session, asked, messages.take(session, message), (taken) => {
      session.reply(this.#toAck(message, taken, requestId, id));
    });
  }

  /** What it answers is the whole frame; it may answer nothing. */
  #handle(
    session: RoutedSession,
    { route, handler, text }: { readonly route: string; readonly handler: string; readonly text: string },
    frame: Frame | undefined,
    requestId: string,
  ): void {
    const late = `the handler of the route ${JSON.stringify(route)} did not answer within ${handlerMs} ms`;
    const asked = { route, requestId, id: frame && frameIdOf(frame), ms: handlerMs, late };
    const work = this.#parts.integrations.message(session, route, handler, text, requestId);
    this.#answerOnce(session, asked, work, (body) => {
      if (body !== undefined) session.replyText(body);
    });
  }

  /** Answered once: when it is done, when it has failed, or when it took too long. */
  #answerOnce<T>(
    session: RoutedSession,
    { route, requestId, id, ms, late }: Asked,
    work: Promise<T>,
    done: (result: T) => void,
  ): void {
    let isAnswered = false;
    const answer = (act: () => void) => {
      if (isAnswered) return;
      isAnswered = true;
      deadline.cancel();
      act();
      session.ended();
    };
    const fail = (error: TodokuError) => answer(() => session.reply(toErrorFrame(session, error, requestId, id)));
    session.began();
    const deadline = this.#parts.wheel.schedule(ms, () => fail(new TodokuError("unavailable", late)));
    work.then(
      (result) => answer(() => done(result)),
      (error: unknown) => {
        this.#logInternal(session, route, error);
        fail(toTodokuError(error));
      },
    );
  }

  #toAck(
    message: RoutedMessage,
    taken: Parameters<typeof toAck>[1],
    requestId: string,
    id: string | undefined,
  ): object {
    if (this.#ackStyle === "aws") return toAwsAck(message, taken, requestId);
    const ack = toAck(message.route, taken, requestId);
    return id === undefined ? ack : { ...ack, id };
  }

  #logInternal({ connection: { environment, id } }: Session, action: string, error: unknown): void {
    const { code, cause } = toTodokuError(error);
    if (code !== "internal") return;
    this.#parts.log.error(
      { area: "gateway", environment, connectionId: id, action, err: cause ?? error },
      "an action failed",
    );
  }
}

/** One frame that is worked on. */
interface Asked {
  readonly route: string;
  readonly requestId: string;
  /** The frame's own. */
  readonly id: string | undefined;
  /** When it is too late, and what the client hears then. */
  readonly ms: number;
  readonly late: string;
}

function toPong({ connection }: Session) {
  return { type: "pong", statusCode: 200, connectionId: connection.id };
}

/** Undefined: it is no JSON object. */
function parseFrame(text: string): Frame | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Frame) : undefined;
  } catch {
    return undefined;
  }
}

/** What answers carry of the frame that they answer; undefined: it has none, or one that is not as it must be. */
function frameIdOf(frame: Frame): string | undefined {
  const id = Object.hasOwn(frame, "id") ? frame.id : undefined;
  return typeof id === "string" && id.length <= limits.gateway.frameIdMaxLength ? id : undefined;
}

function idOf(frame: Frame): { readonly id?: string } {
  const id = frameIdOf(frame);
  return id === undefined ? {} : { id };
}

/** @throws TodokuError `invalid_argument`. */
function checkFrameId(frame: Frame): void {
  if (!Object.hasOwn(frame, "id") || frameIdOf(frame) !== undefined) return;
  const { frameIdMaxLength } = limits.gateway;
  throw new TodokuError("invalid_argument", `"id" must be a text of at most ${frameIdMaxLength} characters`);
}
