import type { Auth } from "../../domain/auth/auth.ts";
import type { ConnectRequest } from "../../domain/auth/connect-hook.ts";
import type { Principal } from "../../domain/auth/principal.ts";
import type { Tickets } from "../../domain/auth/tickets.ts";
import type { Connections } from "../../domain/connections/connections.ts";
import type { Presence } from "../../domain/connections/presence.ts";
import type { ConnectionGuard } from "../../domain/limiting/connection-guard.ts";
import type { QueueMessages } from "../../domain/queues/messages.ts";
import type { Topics } from "../../domain/topics/topics.ts";
import type { Clock } from "../../lib/clock.ts";
import type { LeveledLog } from "../../lib/leveled-log.ts";
import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { TrustedProxies } from "../../lib/trusted-proxies.ts";

/** Where the messages of `publish` and `send` go, and those of an operator's own routes. */
export type RouteTarget = "publish" | "send";

/** One path where WebSockets are taken. */
export interface EndpointSettings {
  readonly path: string;
  /** Only credentials of this environment may come here. */
  readonly environment?: string | undefined;
  readonly routeSelection: string;
  /** By route key; `$default` takes what no other route does. */
  readonly routes: Readonly<Record<string, RouteTarget>>;
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
  readonly connections: Connections;
  readonly presence: Presence;
  readonly topics: Topics;
  readonly queueMessages: Pick<QueueMessages, "send">;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly proxies: TrustedProxies;
  /** Says whose connection is to be closed for going on when its frames are refused. */
  readonly connectionGuard: Pick<ConnectionGuard, "refused">;
  /** Dev mode: who asks for an action that there is not is told which there are. */
  readonly namesActions: boolean;
  readonly log: Log | LeveledLog;
}
