// Handlers behind the gateway: who connects, what a client's frames ask for, and that it has left.
import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { authorize } from "../../domain/auth/authorize.ts";
import type { Principal } from "../../domain/auth/principal.ts";
import { TodokuError, toTodokuError } from "../../domain/errors.ts";
import type { InvocationResult } from "../../domain/handlers/handler.ts";
import { limits } from "../../domain/limits.ts";
import { answerOf, errorOf, invokeNamed, isObject, readOrBlame, WrongAnswer } from "../lambda-events.ts";
import { refusedWith } from "./answers.ts";
import { checkIdentitySources, readAuthorization } from "./authorizer.ts";
import {
  authorizerEvent,
  connectEvent,
  disconnectEvent,
  messageEvent,
  methodArnOf,
  type Scene,
  type Visit,
} from "./events.ts";
import type { AuthorizerSettings, GatewayOptions } from "./options.ts";
import type { Session } from "./session.ts";

/** AWS: the longest that whoever waits for a handler waits. */
const timeoutMs = limits.gateway.actionMaxSeconds * 1000;

/** A handshake as events show it. */
interface Shown {
  readonly request: IncomingMessage;
  readonly query: URLSearchParams;
}

type IntegrationParts = Pick<GatewayOptions, "handlers" | "admitUser" | "clock" | "log">;

/** Calls the handlers that the operator has put behind an endpoint. Nothing of an event is ever logged: it carries credentials. */
export class Integrations {
  readonly #parts: IntegrationParts;

  constructor(parts: IntegrationParts) {
    this.#parts = parts;
  }

  /**
   * Asks an authorizer, once for each handshake. @throws TodokuError `unauthenticated`, `permission_denied`, `unavailable`; as `Handlers.invoke`.
   */
  async authorize(
    { handler, identitySource }: AuthorizerSettings,
    environment: string,
    visit: Visit,
    { request, query }: Shown,
  ): Promise<{ readonly principal: Principal; readonly authorizer: NonNullable<Scene["authorizer"]> }> {
    const { clock, admitUser } = this.#parts;
    checkIdentitySources(identitySource, request.headers, query);
    const startMs = clock.monotonicMs();
    const event = authorizerEvent(visit, environment, request, query);
    const result = await this.#invoke(environment, handler, event);
    const read = () => readAuthorization(result, methodArnOf(visit, environment));
    const { userId, context } = readOrBlame(this.#parts, { environment, handler }, read, failed);
    const integrationLatency = Math.round(clock.monotonicMs() - startMs);
    return {
      principal: admitUser(environment, userId),
      authorizer: { ...context, principalId: userId, integrationLatency },
    };
  }

  /**
   * Asks the handler of `$connect`. @returns the subprotocol that it chose, of those that the client offers.
   * @throws TodokuError: it said no, with its own status; `unavailable`: it failed, or answered no status; as `Handlers.invoke`.
   */
  async connect(scene: Scene, handler: string, { request, query }: Shown, offered: readonly string[]) {
    const event = connectEvent(scene, request, query, this.#parts.clock.wallMs());
    const { environment } = scene;
    const result = await this.#invoke(environment, handler, event);
    if (result.kind === "error") throw failed();
    const { statusCode, headers } = readOrBlame(
      this.#parts,
      { environment, handler },
      () => readStatus(result),
      failed,
    );
    if (statusCode < 200 || statusCode > 299) throw refusedWith(statusCode);
    const named = isObject(headers)
      ? Object.entries(headers).find(([name]) => name.toLowerCase() === "sec-websocket-protocol")
      : undefined;
    return offered.find((protocol) => protocol === named?.[1] && !protocol.startsWith("bearer."));
  }

  /** Tells the handler of `$disconnect`: at most once, and if it cannot be called now, never. */
  disconnect(scene: Scene, handler: string, code: number, reason: string): void {
    const event = disconnectEvent(scene, code, reason, this.#parts.clock.wallMs());
    const { environment, connectionId } = scene;
    this.#invoke(environment, handler, event).catch((error: unknown) => {
      const facts = { area: "gateway", environment, connectionId, handler, reason: toTodokuError(error).message };
      this.#parts.log.debug(facts, "the handler of $disconnect was not told");
    });
  }

  /**
   * Gives a client's frame to the handler of its route. @returns what the client is to get; undefined: nothing.
   * @throws TodokuError `permission_denied`; `unavailable`: it failed, or answered what cannot be sent; as `Handlers.invoke`.
   */
  async message(session: Session, route: string, handler: string, text: string, requestId: string) {
    authorize(session.principal, "route.invoke", "", route);
    const { scene } = session;
    if (!scene) throw new TodokuError("internal", "internal error", { cause: new Error("a session without a scene") });
    const event = messageEvent(scene, route, text, requestId, this.#parts.clock.wallMs());
    const result = await this.#invoke(session.environment, handler, event);
    if (result.kind === "error") throw new TodokuError("unavailable", `the handler of the route "${route}" failed`);
    const refusal = () =>
      new TodokuError("unavailable", `the handler of the route "${route}" answered no text to send`);
    return readOrBlame(this.#parts, { environment: session.environment, handler }, () => readBody(result), refusal);
  }

  async #invoke(environment: string, handler: string, event: object): Promise<InvocationResult> {
    const text = JSON.stringify(event);
    const result = await invokeNamed(this.#parts.handlers, { environment, handler }, text, timeoutMs);
    if (result.kind === "error") {
      const facts = { area: "gateway", environment, handler, errorType: errorOf(result).type };
      this.#parts.log.debug(facts, "a handler behind the gateway failed");
    }
    return result;
  }
}

/** Whether the client may connect. @throws WrongAnswer. */
function readStatus(result: InvocationResult): { readonly statusCode: number; readonly headers: unknown } {
  const value = answerOf(result)?.value;
  const { statusCode, headers } = isObject(value) ? value : {};
  // Some frameworks write it as a text.
  const status = typeof statusCode === "string" ? Number(statusCode) : statusCode;
  if (typeof status === "number" && Number.isInteger(status)) return { statusCode: status, headers };
  throw new WrongAnswer("to $connect it has no statusCode");
}

/** What the client gets; undefined: nothing. @throws WrongAnswer. */
function readBody(result: InvocationResult): string | undefined {
  const value = answerOf(result)?.value;
  const { body } = isObject(value) ? value : {};
  if (body === undefined || body === null || body === "") return undefined;
  const { messageMaxBytes: max } = limits.gateway;
  if (typeof body !== "string" || !body.isWellFormed()) throw new WrongAnswer("its body is no text");
  const bytes = Buffer.byteLength(body);
  if (bytes > max) throw new WrongAnswer(`its body has ${bytes} bytes; must be <= ${max}`);
  return body;
}

/** What the client hears is `Internal server error`, as in API Gateway. */
function failed(): TodokuError {
  return refusedWith(500);
}
