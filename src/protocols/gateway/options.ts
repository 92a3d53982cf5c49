import type { Auth } from "../../domain/auth/auth.ts";
import type { ConnectRequest } from "../../domain/auth/connect-hook.ts";
import type { Principal } from "../../domain/auth/principal.ts";
import type { Tickets } from "../../domain/auth/tickets.ts";
import type { Connections } from "../../domain/connections/connections.ts";
import type { Presence } from "../../domain/connections/presence.ts";
import type { Handlers } from "../../domain/handlers/handlers.ts";
import type { ConnectionGuard } from "../../domain/limiting/connection-guard.ts";
import type { QueueMessages } from "../../domain/queues/messages.ts";
import type { Topics } from "../../domain/topics/topics.ts";
import type { Clock } from "../../lib/clock.ts";
import type { LeveledLog } from "../../lib/leveled-log.ts";
import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { TrustedProxies } from "../../lib/trusted-proxies.ts";

/** Where the messages of `publish` and `send` go. */
export type MessageTarget = "publish" | "send";

/** Where what an operator's own route selects goes. */
export type RouteTarget = MessageTarget | { readonly handler: string };

/** A handler that says who may connect, with a policy. */
export interface AuthorizerSettings {
  readonly handler: string;
  /** Where a credential must be, or nobody is asked: `route.request.header.<name>`, `route.request.querystring.<name>`. */
  readonly identitySource: readonly string[];
}

/** One path where WebSockets are taken. */
export interface EndpointSettings {
  readonly path: string;
  /** Only credentials of this environment may come here. */
  readonly environment?: string | undefined;
  readonly routeSelection: string;
  /** By route key; `$default` takes what no other route does. `$connect` and `$disconnect` are handlers. */
  readonly routes: Readonly<Record<string, RouteTarget>>;
  /** Its environment is the endpoint's; without one, that of dev mode. */
  readonly authorizer?: AuthorizerSettings | undefined;
  readonly ackStyle: "todoku" | "aws";
  readonly apiKeyRequired: boolean;
}

/** 0 is no limit; the default burst is five seconds' worth. */
export interface FrameRate {
  readonly framesPerSecond: number;
  readonly burst?: number | undefined;
}

/** What an operator may set; the sentences stand in config/gateway.ts. */
export interface GatewaySettings {
  readonly endpoints: readonly EndpointSettings[];
  readonly origins: readonly string[];
  readonly idleSeconds: number;
  readonly lifeSeconds: number;
  readonly heartbeatSeconds: number;
  readonly connectSeconds: number;
  readonly actionSeconds: number;
  readonly messageMaxBytes: number;
  readonly outboxMaxBytes: number;
  readonly rates: {
    readonly connection: FrameRate;
    readonly user: FrameRate;
    readonly environment: FrameRate;
    readonly connectionsPerSecond: number;
  };
}

/** @throws TodokuError as `ConnectHook.authorize`. */
type AskWhoConnects = (request: Omit<ConnectRequest, "environment">) => Promise<Principal>;

/** What the gateway needs of the server. */
export interface GatewayOptions {
  readonly settings: GatewaySettings;
  readonly auth: Auth;
  readonly tickets: Pick<Tickets, "redeem">;
  /** Of an endpoint, by its path: asks the operator's backend who connects. Default: credentials say so everywhere. */
  readonly hookOf?: (path: string) => AskWhoConnects | undefined;
  /** Those behind routes and authorizers. */
  readonly handlers: Pick<Handlers, "invoke" | "logs">;
  /** Makes a principal of a user whom an authorizer lets in. @throws TodokuError `unauthenticated`: the user was revoked, or the environment is gone. */
  readonly admitUser: (environment: string, userId: string) => Principal;
  readonly connections: Connections;
  readonly presence: Presence;
  readonly topics: Topics;
  readonly queueMessages: Pick<QueueMessages, "send">;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly proxies: TrustedProxies;
  /** A proxy in front terminates TLS. */
  readonly isBehindTls: boolean;
  /** Says whose connection is to be closed for going on when its frames are refused. */
  readonly connectionGuard: Pick<ConnectionGuard, "refused">;
  /** Dev mode: who asks for an action that there is not is told which there are. */
  readonly namesActions: boolean;
  readonly log: Log | LeveledLog;
}
