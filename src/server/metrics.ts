import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { EngineHealth } from "../domain/engine.ts";
import type { TopicStats, Topics } from "../domain/topics/topics.ts";
import type { EmbeddedStats } from "../engines/embedded/index.ts";
import type { Listener } from "./listener.ts";

/** What `/metrics` is read from when it is asked for; nothing is counted twice. */
export interface MetricSources {
  readonly topics: Topics;
  readonly listener: Listener;
  readonly health: () => EngineHealth;
  readonly engine: () => EmbeddedStats;
}

const topicMetrics: Record<keyof TopicStats, string> = {
  published: "Items committed since the start",
  delivered: "Items handed to subscribers since the start",
  topics: "Topics that are followed now",
  subscriptions: "Live subscriptions now",
};

const engineMetrics: Record<keyof EmbeddedStats, [name: string, help: string]> = {
  commits: ["todoku_storage_commits", "Commits since the start"],
  operations: ["todoku_storage_operations", "Operations committed since the start"],
  lastCommitMs: ["todoku_storage_last_commit_milliseconds", "How long the last commit took"],
  pendingItems: ["todoku_storage_pending_operations", "Operations waiting for a commit"],
  pendingBytes: ["todoku_storage_pending_bytes", "Bytes waiting for a commit"],
  walBytes: ["todoku_storage_wal_bytes", "Size of the write-ahead log"],
  cachedItemBytes: ["todoku_storage_cached_item_bytes", "Bytes of disk items that lie in memory"],
  memoryItemEvictions: ["todoku_memory_item_evictions", "Items of memory caches evicted for room since the start"],
};

export function createMetrics(sources: MetricSources): () => Promise<{ contentType: string; text: string }> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        collect(this);
      },
    });
  for (const [key, help] of Object.entries(topicMetrics)) {
    gauge(`todoku_topics_${key}`, help, ["environment"], (metric) => {
      for (const [environment, stats] of sources.topics.stats())
        metric.set({ environment }, stats[key as keyof TopicStats]);
    });
  }
  for (const [key, [name, help]] of Object.entries(engineMetrics)) {
    gauge(name, help, [], (metric) => metric.set(sources.engine()[key as keyof EmbeddedStats]));
  }
  gauge("todoku_connections", "Open TCP connections", [], (metric) => metric.set(sources.listener.connections()));
  gauge("todoku_engine_status", "1 for the state the engine is in: open, refusing or failed", ["status"], (metric) => {
    for (const status of ["open", "refusing", "failed"])
      metric.set({ status }, status === sources.health().status ? 1 : 0);
  });
  return async () => ({ contentType: registry.contentType, text: await registry.metrics() });
}
