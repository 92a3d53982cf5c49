import type { Engine } from "../engine.ts";
import type { StoredRecord } from "../records/store.ts";
import {
  builtInEventTopics,
  type EventTopic,
  eventTopicKeyOf,
  eventTopicRecordKind as recordKind,
  toEventTopic,
} from "./event-topic.ts";

/** What this node knows of the store's event topics, and whose turn it is to change them. */
export class EventTopicRegistry {
  readonly #engine: Pick<Engine, "records" | "bus" | "isSingleNode">;
  readonly #environments = new Map<string, Map<string, EventTopic>>();
  /** The last change under way, by environment. */
  readonly #changes = new Map<string, Promise<unknown>>();

  constructor(engine: Pick<Engine, "records" | "bus" | "isSingleNode">) {
    this.#engine = engine;
    engine.bus.listen((hint) => {
      if (hint.kind !== "record-changed" || hint.recordKind !== recordKind) return;
      this.refresh().catch(() => {}); // as if the hint were lost: the tick of each second comes anyway
    });
  }

  async refresh(only?: string): Promise<void> {
    const stored = (await this.#engine.records.list(recordKind, only)).map(toEventTopic);
    const alive = new Set(stored.map(({ environment, name }) => `${environment}/${name}`));
    for (const topic of stored) this.#apply(topic.environment, topic.name, topic);
    for (const [environment, topics] of this.#environments) {
      if (only !== undefined && only !== environment) continue;
      for (const name of topics.keys()) {
        if (!alive.has(`${environment}/${name}`)) this.#apply(environment, name, undefined);
      }
    }
  }

  /** In no time. */
  known(environment: string, name: string): EventTopic | undefined {
    const made = this.#environments.get(environment)?.get(name);
    return made ?? builtInEventTopics(environment).find((topic) => topic.name === name);
  }

  /** What the store says now; with one node that is what is known. */
  async current(environment: string, name: string): Promise<EventTopic | undefined> {
    if (!this.#engine.isSingleNode) {
      const record = await this.#engine.records.read(eventTopicKeyOf(environment, name));
      this.#apply(environment, name, record && toEventTopic(record));
    }
    return this.known(environment, name);
  }

  all(environment: string): EventTopic[] {
    const made = this.#environments.get(environment) ?? new Map<string, EventTopic>();
    const builtIn = builtInEventTopics(environment).filter(({ name }) => !made.has(name));
    return [...builtIn, ...made.values()];
  }

  /** Changes of one environment go one after the other: they count each other. */
  async inTurn<T>(environment: string, change: () => Promise<T>): Promise<T> {
    const before = this.#changes.get(environment);
    const done = (async () => {
      await before;
      return change();
    })();
    const ended = done.catch(() => {}); // whoever asked for the change is told
    this.#changes.set(environment, ended);
    try {
      return await done;
    } finally {
      if (this.#changes.get(environment) === ended) this.#changes.delete(environment);
    }
  }

  /** A change of our own is stored. */
  changed(record: StoredRecord): EventTopic {
    const topic = toEventTopic(record);
    this.#apply(topic.environment, topic.name, topic);
    this.#tell(topic.environment, topic.name);
    return topic;
  }

  removed(environment: string, name: string): void {
    this.#apply(environment, name, undefined);
    this.#tell(environment, name);
  }

  forgetEnvironment(environment: string): void {
    this.#environments.delete(environment);
  }

  #tell(environment: string, name: string): void {
    this.#engine.bus.send({ kind: "record-changed", recordKind, environment, name });
  }

  #apply(environment: string, name: string, now: EventTopic | undefined): void {
    const topics = this.#environments.get(environment) ?? new Map<string, EventTopic>();
    this.#environments.set(environment, topics);
    const was = topics.get(name);
    // A record read before a later change of our own must not bring back what was before it.
    if (was && now && (now.id < was.id || (now.id === was.id && now.version <= was.version))) return;
    if (now) topics.set(name, now);
    else topics.delete(name);
  }
}
