import type { Auth } from "../../domain/auth/auth.ts";
import type { Handlers } from "../../domain/handlers/handlers.ts";
import type { ConnectionGuard } from "../../domain/limiting/connection-guard.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { TrustedProxies } from "../../lib/trusted-proxies.ts";

/** `none`: anybody. `jwt`: who is signed in, or whose key may invoke the handler. */
export type FunctionAuth = "none" | "jwt";

/** Where a route of a REST API goes. */
export interface RestRoute {
  readonly handler: string;
  readonly auth: FunctionAuth;
}

/** Handlers behind paths, as API Gateway's REST APIs have them. */
export interface RestApiSettings {
  /** What all its paths begin with, like `/dev`: its stage. */
  readonly path: string;
  readonly environment: string;
  /** By method and path, like `POST /task/{id}`; the method may be `ANY`, the last part `{name+}`. */
  readonly routes: Readonly<Record<string, RestRoute>>;
  /** Of web pages that may call it; `*`: all. None: browsers are not answered, and handlers see preflights. */
  readonly origins: readonly string[];
  readonly trustedOrigins: TrustedOrigins;
}

/** Of web pages that may call what is for anybody, besides those on this machine; `*`: all. Undefined: all, as it is not a developer's machine. */
export type TrustedOrigins = readonly string[] | undefined;

/** What an operator sets: the group `functions` of the configuration. */
export interface FunctionsSettings {
  /** Whose handlers `/functions/<name>` are; undefined: nobody's. */
  readonly environment: string | undefined;
  /** Of web pages that may call them, as those of a REST API. */
  readonly origins: readonly string[];
  readonly trustedOrigins: TrustedOrigins;
  readonly restApis: readonly RestApiSettings[];
}

/** What the functions' door needs of the server. */
export interface FunctionsOptions {
  readonly settings: FunctionsSettings;
  readonly handlers: Pick<Handlers, "get" | "invoke" | "logs">;
  readonly auth: Pick<Auth, "authenticate" | "identify">;
  readonly proxies: TrustedProxies;
  /** A proxy in front terminates TLS. */
  readonly isBehindTls: boolean;
  readonly connectionGuard: Pick<ConnectionGuard, "refused">;
  readonly clock: Pick<Clock, "wallMs">;
  readonly wheel: TimerWheel;
  readonly log: Log;
}
