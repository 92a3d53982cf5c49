import type { Auth } from "../../domain/auth/auth.ts";
import type { Connections } from "../../domain/connections/connections.ts";
import type { EventTopics } from "../../domain/event-topics/event-topics.ts";
import type { Handlers } from "../../domain/handlers/handlers.ts";
import type { ConnectionGuard } from "../../domain/limiting/connection-guard.ts";
import type { QueueMessages } from "../../domain/queues/messages.ts";
import type { QueueMoves } from "../../domain/queues/moves.ts";
import type { Queues } from "../../domain/queues/queues.ts";
import type { Secrets } from "../../domain/secrets/secrets.ts";
import type { EventSubscriptions } from "../../domain/subscriptions/event-subscriptions.ts";
import type { Topics } from "../../domain/topics/topics.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { TrustedProxies } from "../../lib/trusted-proxies.ts";

/** What the operator sets: the group `aws` of the configuration. */
interface AwsSettings {
  /** How old or new a signature may be. */
  readonly clockSkewSeconds: number;
  /** Values of `Host` that clients may have signed besides the one that came: a proxy may change it. */
  readonly acceptedHosts: readonly string[];
  /** Name of the DynamoDB table that shows the open connections; undefined: there is none. */
  readonly connectionsTable: string | undefined;
}

/** What the AWS door and its services need of the server. */
export interface AwsOptions {
  readonly auth: Auth;
  readonly queues: Queues;
  readonly queueMessages: QueueMessages;
  readonly queueMoves: QueueMoves;
  readonly topics: Topics;
  readonly eventTopics: EventTopics;
  readonly eventSubscriptions: EventSubscriptions;
  readonly secrets: Secrets;
  readonly connections: Connections;
  /** Where WebSockets are taken. */
  readonly gatewayPaths: readonly string[];
  readonly handlers: Handlers;
  /** PEM of what signs SNS's posts to URLs, if it is served at this path; default: nothing is. */
  readonly snsCertificate?: (path: string) => Promise<string | undefined>;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** Gets internal errors, with the request's id, service and action, never its headers or body. */
  readonly log: Log;
  readonly settings: AwsSettings;
  /** A proxy in front terminates TLS: URLs that lead back here begin with https://. */
  readonly isBehindTls: boolean;
  /** `host:port` that clients dial who do not say what they have dialled. */
  readonly endpoint: () => string;
  /** The answers of a server that stops tell HTTP/1.1 clients to come back over another connection. Default: it never does. */
  readonly isDraining?: () => boolean;
  /** Whose word on the client's address counts; default: nobody's. */
  readonly proxies?: TrustedProxies;
  /** Says whose connection is to be closed for going on when it is refused; default: nobody's. */
  readonly connectionGuard?: Pick<ConnectionGuard, "refused">;
}
