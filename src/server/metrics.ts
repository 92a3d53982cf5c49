import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { ConnectionStats, Connections } from "../domain/connections/connections.ts";
import type { EngineHealth } from "../domain/engine.ts";
import type { HandlerStats, Handlers } from "../domain/handlers/handlers.ts";
import type { NotificationStats } from "../domain/notifications/notification-stats.ts";
import type { Notifier } from "../domain/notifications/notifier.ts";
import type { QueueStats } from "../domain/queues/dispatch.ts";
import type { QueueMessages } from "../domain/queues/messages.ts";
import type { DeliveryStats } from "../domain/subscriptions/delivery-stats.ts";
import type { DeliveryWorker } from "../domain/subscriptions/delivery-worker.ts";
import type { TopicStats, Topics } from "../domain/topics/topics.ts";
import type { EmbeddedStats } from "../engines/embedded/index.ts";
import type { AwsDoor } from "../protocols/aws/index.ts";
import type { GatewayDoor, GatewayStats } from "../protocols/gateway/index.ts";
import type { Listener } from "./listener.ts";
import type { OpenTls } from "./tls-files.ts";

/** What `/metrics` is read from when it is asked for; nothing is counted twice. */
export interface MetricSources {
  readonly topics: Topics;
  readonly queueMessages: QueueMessages;
  readonly deliveries: Pick<DeliveryWorker, "stats">;
  readonly connections: Pick<Connections, "stats">;
  readonly notifier: Pick<Notifier, "stats">;
  readonly handlers: Pick<Handlers, "stats">;
  readonly gateway: Pick<GatewayDoor, "stats">;
  /** Undefined: it is switched off. */
  readonly aws: Pick<AwsDoor, "stats"> | undefined;
  readonly listener: Listener;
  readonly health: () => EngineHealth;
  readonly engine: () => EmbeddedStats;
  readonly tls: OpenTls | undefined;
}

/** One metric: its name by Prometheus's rules (`_total` for what only grows, base units), and how it is read. */
interface Metric {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  read(set: (value: number, labels?: Record<string, string>) => void): void;
}

/** `namesEnvironments`: a line for each environment; else their sums, for callers who may not know which there are. */
export function createMetrics(
  sources: MetricSources,
): (namesEnvironments: boolean) => Promise<{ contentType: string; text: string }> {
  const [ofServer, named, summed] = [new Registry(), new Registry(), new Registry()];
  collectDefaultMetrics({ register: ofServer });
  for (const metric of [engineMetrics, serverMetrics, awsMetrics].flatMap((read) => read(sources)))
    register(ofServer, metric);
  for (const metric of [
    topicMetrics,
    queueMetrics,
    webhookMetrics,
    userMetrics,
    notificationMetrics,
    handlerMetrics,
    gatewayMetrics,
  ].flatMap((read) => read(sources))) {
    register(named, metric);
    register(summed, sumOf(metric));
  }
  return async (namesEnvironments) => {
    const texts = await Promise.all([namesEnvironments ? named : summed, ofServer].map((one) => one.metrics()));
    return { contentType: ofServer.contentType, text: texts.join("") };
  };
}

/** The same without the label `environment`; what has other labels is summed by them. */
function sumOf({ name, help, labels = [], read }: Metric): Metric {
  const others = labels.filter((label) => label !== "environment");
  return {
    ...{ name, help, labels: others },
    read(set) {
      const sums = new Map<string, { sum: number; readonly of: Record<string, string> }>();
      if (others.length === 0) sums.set("[]", { sum: 0, of: {} });
      read((value, given = {}) => {
        const of = Object.fromEntries(others.map((label) => [label, given[label] ?? ""]));
        const key = JSON.stringify(Object.values(of));
        sums.set(key, { sum: (sums.get(key)?.sum ?? 0) + value, of });
      });
      for (const { sum, of } of sums.values()) set(sum, of);
    },
  };
}

function register(registry: Registry, { name, help, labels = [], read }: Metric): void {
  const options = { name, help, labelNames: [...labels], registers: [registry] };
  if (name.endsWith("_total")) {
    new Counter({
      ...options,
      collect() {
        this.reset();
        read((value, of = {}) => this.inc(of, value));
      },
    });
    return;
  }
  new Gauge({
    ...options,
    collect() {
      this.reset();
      read((value, of = {}) => this.set(of, value));
    },
  });
}

function topicMetrics({ topics }: MetricSources): Metric[] {
  const metric = (key: keyof TopicStats, name: string, help: string): Metric => ({
    name,
    help,
    labels: ["environment"],
    read(set) {
      for (const [environment, stats] of topics.stats()) set(stats[key], { environment });
    },
  });
  return [
    metric("published", "todoku_topic_items_published_total", "Items committed since the start"),
    metric(
      "delivered",
      "todoku_topic_items_delivered_total",
      "Items times the subscribers their topic had when they came",
    ),
    metric("topics", "todoku_topics_followed", "Topics that are followed now"),
    metric("subscriptions", "todoku_topic_subscriptions", "Live subscriptions now"),
  ];
}

function awsMetrics({ aws }: MetricSources): Metric[] {
  return [
    {
      name: "todoku_aws_calls_total",
      help: "Calls of AWS clients; outcome: ok, refused (the caller is to blame) or failed",
      labels: ["service", "action", "outcome"],
      read(set) {
        for (const { calls, ...labels } of aws?.stats() ?? []) set(calls, { ...labels });
      },
    },
  ];
}

function queueMetrics({ queueMessages }: MetricSources): Metric[] {
  const metric = (key: keyof QueueStats, name: string, help: string): Metric => ({
    name: `todoku_queue_${name}`,
    help,
    labels: ["environment"],
    read(set) {
      for (const [environment, stats] of queueMessages.stats()) set(stats[key], { environment });
    },
  });
  return [
    metric("sent", "messages_sent_total", "Messages added to queues since the start"),
    metric("received", "messages_received_total", "Messages handed to receivers, each receive of a message counted"),
    metric("deleted", "messages_deleted_total", "Messages deleted by their receivers"),
    metric("deadLettered", "messages_dead_lettered_total", "Messages moved to a dead-letter queue"),
    metric("expired", "messages_expired_total", "Messages dropped because their retention was over"),
    metric("polls", "polls", "Receives that wait for a message now"),
  ];
}

function webhookMetrics({ deliveries }: MetricSources): Metric[] {
  const metric = (key: keyof DeliveryStats, name: string, help: string): Metric => ({
    name: `todoku_webhook_${name}`,
    help,
    labels: ["environment"],
    read(set) {
      for (const [environment, stats] of deliveries.stats()) set(stats[key], { environment });
    },
  });
  return [
    metric(
      "delivered",
      "items_delivered_total",
      "Items that receivers of webhooks and subscriptions took since the start",
    ),
    metric("failures", "attempts_failed_total", "Attempts that failed"),
    metric("dead", "items_dead_total", "Items that became dead letters because their receiver did not take them"),
    metric("filtered", "items_filtered_total", "Items that the filter of a subscription passed over"),
    metric("inFlight", "attempts", "Attempts under way"),
    metric("waiting", "items_waiting", "Items that are still to be delivered"),
    metric("openCircuits", "circuits_open", "Webhooks and subscriptions whose destination does not work"),
    metric("paused", "paused", "Webhooks that are paused"),
  ];
}

function userMetrics({ connections }: MetricSources): Metric[] {
  const metric = (key: keyof ConnectionStats, name: string, help: string): Metric => ({
    name: `todoku_${name}`,
    help,
    labels: ["environment"],
    read(set) {
      for (const [environment, stats] of connections.stats()) set(stats[key], { environment });
    },
  });
  return [
    metric("connections", "gateway_connections", "WebSockets that are open now"),
    metric("opened", "gateway_connections_opened_total", "WebSockets that were opened since the start"),
    metric("users", "users_online", "Users who are ONLINE now"),
    metric("delivered", "notification_frames_delivered_total", "Notifications times the WebSockets that took them"),
    metric(
      "undelivered",
      "notification_frames_undelivered_total",
      "The same that a WebSocket did not take, or that nobody came back for",
    ),
    metric("held", "notification_frames_held", "Notifications that are held now for users who may come back"),
  ];
}

function notificationMetrics({ notifier }: MetricSources): Metric[] {
  const metric = (key: keyof NotificationStats, name: string, help: string): Metric => ({
    name: `todoku_notification_${name}`,
    help,
    labels: ["environment"],
    read(set) {
      for (const [environment, stats] of notifier.stats()) set(stats[key], { environment });
    },
  });
  return [
    metric("requests", "requests_total", "Requests to notify users that were carried out"),
    metric("offline", "users_offline_total", "Users whom a request named, and who were not there"),
    metric("dead", "requests_dead_total", "Requests that became dead letters"),
  ];
}

function handlerMetrics({ handlers }: MetricSources): Metric[] {
  const metric = (name: string, help: string, of: (stats: HandlerStats) => number): Metric => ({
    name: `todoku_handler_${name}`,
    help,
    labels: ["environment"],
    read(set) {
      for (const [environment, stats] of handlers.stats()) set(of(stats), { environment });
    },
  });
  return [
    {
      name: "todoku_handler_invocations_total",
      help: "Invocations of handlers that have ended, by what became of them: succeeded, failed or timed_out",
      labels: ["environment", "outcome"],
      read(set) {
        for (const [environment, { succeeded, failed, timedOut }] of handlers.stats()) {
          const counts = { succeeded, failed, timed_out: timedOut };
          for (const [outcome, count] of Object.entries(counts)) set(count, { environment, outcome });
        }
      },
    },
    metric("invocation_seconds_total", "How long these took, all together", (stats) => stats.durationMs / 1000),
    metric("running", "Invocations that run now", (stats) => stats.running),
    metric("waiting", "Invocations that wait for one that runs to end", (stats) => stats.waiting),
    metric("failing", "Handlers that could not be started, and are tried again", (stats) => stats.failing),
  ];
}

function gatewayMetrics({ gateway }: MetricSources): Metric[] {
  const metric = (
    name: string,
    help: string,
    label: string | undefined,
    of: (stats: GatewayStats) => number | ReadonlyMap<string, number>,
  ): Metric => ({
    name: `todoku_gateway_${name}`,
    help,
    labels: ["environment", ...(label === undefined ? [] : [label])],
    read(set) {
      for (const [environment, stats] of gateway.stats()) {
        const values = of(stats);
        if (typeof values === "number") set(values, { environment });
        else for (const [value, count] of values) set(count, { environment, [label as string]: value });
      }
    },
  });
  return [
    metric("handshakes_refused_total", "Handshakes that were refused", "reason", (stats) => stats.refused),
    metric("frames_received_total", "Frames of clients, by route", "route", (stats) => stats.received),
    metric(
      "frames_throttled_total",
      "Frames of clients that were refused for a rate",
      undefined,
      (stats) => stats.throttled,
    ),
    metric("frames_sent_total", "Frames to clients", undefined, (stats) => stats.sent),
    metric("connections_closed_total", "WebSockets that are over, by close code", "code", (stats) => stats.closed),
  ];
}

function engineMetrics({ engine, health }: MetricSources): Metric[] {
  const metric = (name: string, help: string, value: (stats: EmbeddedStats) => number): Metric => ({
    name: `todoku_storage_${name}`,
    help,
    read: (set) => set(value(engine())),
  });
  return [
    metric("commits_total", "Commits since the start", (stats) => stats.commits),
    metric("operations_total", "Operations committed since the start", (stats) => stats.operations),
    metric("last_commit_seconds", "How long the last commit took", (stats) => stats.lastCommitMs / 1000),
    metric("pending_operations", "Operations waiting for a commit", (stats) => stats.pendingItems),
    metric("pending_bytes", "Bytes waiting for a commit", (stats) => stats.pendingBytes),
    metric("wal_bytes", "Size of the write-ahead log", (stats) => stats.walBytes),
    metric("cached_item_bytes", "Bytes of disk items that lie in memory", (stats) => stats.cachedItemBytes),
    metric("memory_item_bytes", "Bytes of items of memory caches", (stats) => stats.memoryItemBytes),
    metric("memory_topic_bytes", "Bytes that topics of memory caches keep", (stats) => stats.memoryTopicBytes),
    {
      name: "todoku_storage_memory_evictions_total",
      help: "Items of memory caches evicted for room, by whose room it was",
      labels: ["reason"],
      read(set) {
        for (const [reason, evicted] of Object.entries(engine().memoryItemEvictions)) set(evicted, { reason });
      },
    },
    {
      name: "todoku_storage_state",
      help: "1 for the state the storage is in: open, refusing or failed",
      labels: ["state"],
      read(set) {
        for (const state of ["open", "refusing", "failed"]) set(state === health().status ? 1 : 0, { state });
      },
    },
  ];
}

function serverMetrics({ listener, tls }: MetricSources): Metric[] {
  return [
    { name: "todoku_connections", help: "Open TCP connections", read: (set) => set(listener.connections()) },
    {
      name: "todoku_tls_certificate_expires_seconds",
      help: "When the server's certificate ends, in seconds since 1970",
      read(set) {
        if (tls) set(tls.files.current.expiresAtMs / 1000);
      },
    },
  ];
}
