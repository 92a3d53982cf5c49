import { openPrincipal } from "../../src/domain/auth/open-access.ts";
import { serverPrincipal } from "../../src/domain/auth/principal.ts";
import { createCaches } from "../../src/domain/cache/caches.ts";
import type { EndAdvice, Outlet, SharedMessage } from "../../src/domain/connections/connection.ts";
import { type Connections, createConnections } from "../../src/domain/connections/connections.ts";
import { createPresence } from "../../src/domain/connections/presence.ts";
import { createPresenceOutput, type PresenceDestination } from "../../src/domain/connections/presence-output.ts";
import { Populations } from "../../src/domain/connections/users.ts";
import type { Engine } from "../../src/domain/engine.ts";
import { createEnvironments } from "../../src/domain/environments/environments.ts";
import { createQueueMessages } from "../../src/domain/queues/messages.ts";
import { createQueues } from "../../src/domain/queues/queues.ts";
import { createTopics } from "../../src/domain/topics/topics.ts";
import { TimerWheel } from "../../src/lib/timer-wheel.ts";
import { capturedLog } from "./captured-logs.ts";

/** A door's end of a connection that remembers what it was given. */
class TestOutlet implements Outlet {
  readonly texts: string[] = [];
  readonly ended: EndAdvice[] = [];
  readonly lastActiveAtMs = 0;
  isFull = false;

  deliver({ text }: SharedMessage): boolean {
    if (this.isFull) return false;
    this.texts.push(text);
    return true;
  }

  end(advice: EndAdvice): void {
    this.ended.push(advice);
  }
}

/** The article's body of a change of presence. */
export interface PresenceBody {
  readonly type: "presence";
  readonly message: {
    readonly user_id: string;
    readonly status: string;
    readonly timestamp: number;
    readonly seq: number;
  };
}

interface UserDomainOptions {
  readonly graceMs?: number;
  readonly to?: readonly PresenceDestination[];
  readonly userConnectionsMax?: number;
}

/** Connections and presence over an engine, as the server puts them together, with a clock that tests move. Not started. */
export async function aUserDomain(engine: Engine, time: { elapsedMs: number }, options: UserDomainOptions = {}) {
  const { graceMs = 5000, to = ["topic", "presence-topic"], userConnectionsMax = 100 } = options;
  const nowMs = () => 1_800_000_000_000 + time.elapsedMs;
  const clock = { monotonicMs: () => time.elapsedMs, steadyMs: nowMs, wallMs: nowMs };
  const wheel = new TimerWheel(clock);
  const log = capturedLog;
  const environments = createEnvironments(engine, clock.wallMs);
  await environments.start();
  await environments.ensure("dev");
  const caches = createCaches(engine, { defaultDurability: "disk", environments, wallMs: clock.wallMs });
  await caches.start();
  const topics = createTopics({ engine, caches, clock, wheel, messageMaxBytes: 10_000, environments });
  const queues = createQueues(engine, clock.wallMs);
  await queues.start();
  const queueMessages = createQueueMessages({ engine, queues, clock, wheel, log });
  const output = createPresenceOutput({ topics, queueMessages, log, destinations: () => to });
  const populations = new Populations(nowMs());
  const { presence: store } = engine;
  const presence = createPresence({
    store,
    populations,
    output,
    environments,
    clock,
    wheel,
    log,
    graceMs: () => graceMs,
  });
  const max = { userConnections: userConnectionsMax };
  const connections = createConnections({
    ...{ populations, presence, clock, wheel },
    userConnectionsMax: () => max.userConnections,
  });
  environments.onGone((environment) => connections.forgetEnvironment(environment));
  return {
    ...{ engine, environments, caches, topics, queues, queueMessages, presence, connections, clock, wheel, max },
    nowMs,
    open: (userId: string | undefined, more = {}) => openConnection(connections, userId, more),
    /** Moves all clocks and fires what is due. */
    advance(ms: number) {
      time.elapsedMs += ms;
      wheel.runOnce();
    },
    /** Resolves when all that waits has been announced, or was refused. */
    settled: () => presence.runOnce(nowMs()),
    /** What a topic of the cache `events` holds, oldest first. */
    async told(topic = "messages", environment = "dev"): Promise<readonly PresenceBody["message"][]> {
      const { items } = await topics.history(
        serverPrincipal(environment),
        "events",
        topic,
        { page: 0, sequence: 0 },
        10_000,
      );
      return items.map(({ value }) => (JSON.parse(new TextDecoder().decode(value.bytes)) as PresenceBody).message);
    },
  };
}

/** What {@link aUserDomain} answers. */
export type UserDomain = Awaited<ReturnType<typeof aUserDomain>>;

function openConnection(
  connections: Connections,
  userId: string | undefined,
  more: { environment?: string; tokenId?: string },
) {
  const { environment = "dev", tokenId = "" } = more;
  const outlet = new TestOutlet();
  const principal = { ...openPrincipal, environment, tokenId };
  const about = { path: "/push", address: "127.0.0.1", userAgent: "test" };
  const connection = connections.open({ environment, userId, principal, outlet, ...about });
  return { connection, outlet, close: () => connections.close(connection) };
}
