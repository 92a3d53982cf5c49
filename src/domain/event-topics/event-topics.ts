import { authorize, isAllowed } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { eventsCache } from "../names.ts";
import { changeTags, type TagChanges } from "../queues/tags.ts";
import { isConflict } from "../records/conflict.ts";
import {
  checkEventTopicName,
  checkTopicAttribute,
  type EventTopic,
  type EventTopicDocument,
  eventTopicKeyOf,
  eventTopicNotFound,
  isBuiltInEventTopic,
} from "./event-topic.ts";
import { EventTopicRegistry } from "./registry.ts";

// Others who change the same topic at another node: whoever loses more often than this should hear of it.
const maxTries = 5;

/** What a topic is made with. */
interface EventTopicRequest {
  readonly attributes?: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, string>>;
}

/** The topics of the reserved cache `events` that SNS may name: those that are built in, and those that somebody has made. */
export interface EventTopics {
  /** Reads the store; the server calls it before it listens. */
  start(): Promise<void>;
  /** Compares with the store, all or those of one environment: for other nodes, and a new environment. */
  refresh(environment?: string): Promise<void>;
  /** In no time. */
  known(environment: string, name: string): EventTopic | undefined;
  /** Needs `topic.publish` or `topic.subscribe` on it, as all that only read. @throws TodokuError `not_found`; `permission_denied`, which asks for `wanted`. */
  get(principal: Principal, name: string, wanted?: "topic.publish" | "topic.subscribe"): EventTopic;
  /** Those that the principal may publish to or subscribe to, by name. @throws TodokuError `permission_denied`: none, whatever there is. */
  list(principal: Principal): readonly EventTopic[];
  /**
   * Answers the one that is there too. Needs `event-topic.create`; whoever may publish or subscribe to one that is there gets it.
   * @throws TodokuError `permission_denied`, `invalid_argument`, `limit_exceeded`; `already_exists`: with other attributes or tags.
   */
  create(principal: Principal, name: string, request?: EventTopicRequest): Promise<EventTopic>;
  /** @throws TodokuError `not_found`, `permission_denied`, `invalid_argument`, as `changeTags`. */
  setAttribute(principal: Principal, name: string, attribute: string, value: string): Promise<void>;
  changeTags(principal: Principal, name: string, changes: TagChanges): Promise<void>;
  /** What `onDelete` looks after goes with it; its log stays until it is too old. @throws TodokuError `permission_denied`; `failed_precondition`: it is built in. */
  delete(principal: Principal, name: string): Promise<void>;
  /** Awaited before a deletion is answered. */
  onDelete(listener: (environment: string, name: string) => Promise<void>): void;
  forgetEnvironment(environment: string): void;
}

export function createEventTopics(
  engine: Pick<Engine, "records" | "bus" | "isSingleNode">,
  wallMs: () => number,
): EventTopics {
  return new EventTopicService(engine, wallMs);
}

class EventTopicService implements EventTopics {
  readonly #records: Engine["records"];
  readonly #registry: EventTopicRegistry;
  readonly #wallMs: () => number;
  readonly #listeners: ((environment: string, name: string) => Promise<void>)[] = [];

  constructor(engine: Pick<Engine, "records" | "bus" | "isSingleNode">, wallMs: () => number) {
    this.#records = engine.records;
    this.#registry = new EventTopicRegistry(engine);
    this.#wallMs = wallMs;
  }

  start(): Promise<void> {
    return this.#registry.refresh();
  }

  refresh(environment?: string): Promise<void> {
    return this.#registry.refresh(environment);
  }

  known(environment: string, name: string): EventTopic | undefined {
    return this.#registry.known(environment, name);
  }

  get(principal: Principal, name: string, wanted: "topic.publish" | "topic.subscribe" = "topic.subscribe"): EventTopic {
    if (!mayUse(principal, name)) authorize(principal, wanted, eventsCache, name);
    const topic = this.known(principal.environment, name);
    if (topic) return topic;
    throw eventTopicNotFound(name);
  }

  list(principal: Principal): readonly EventTopic[] {
    if (!principal.grants.some(({ resource }) => resource === "topic")) {
      authorize(principal, "topic.subscribe", eventsCache);
    }
    const topics = this.#registry.all(principal.environment).filter(({ name }) => mayUse(principal, name));
    return topics.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async create(principal: Principal, name: string, request: EventTopicRequest = {}): Promise<EventTopic> {
    const { environment } = principal;
    const there = this.known(environment, name);
    if (!there || !mayUse(principal, name)) authorize(principal, "event-topic.create", eventsCache, name);
    checkEventTopicName(name);
    const { attributes = {} } = request;
    for (const [attribute, value] of Object.entries(attributes)) checkTopicAttribute(attribute, value);
    const tags = changeTags({}, request.tags ?? {});
    return this.#registry.inTurn(environment, async () => {
      const topic = await this.#registry.current(environment, name);
      if (topic) return same(topic, request);
      this.#checkRoom(environment);
      return this.#make(environment, name, { createdAtMs: this.#wallMs(), attributes, tags });
    });
  }

  #checkRoom(environment: string): void {
    const { perEnvironment } = limits.eventTopic;
    const made = this.#registry.all(environment).filter(({ name }) => !isBuiltInEventTopic(name));
    if (made.length < perEnvironment) return;
    const text = `environment "${environment}" has ${perEnvironment} event topics, the most it may have`;
    throw new TodokuError("limit_exceeded", text, { subject: "topics" });
  }

  async #make(environment: string, name: string, document: EventTopicDocument): Promise<EventTopic> {
    const key = eventTopicKeyOf(environment, name);
    return this.#registry.changed(await this.#records.create(key, { ...document }));
  }

  async setAttribute(principal: Principal, name: string, attribute: string, value: string): Promise<void> {
    authorize(principal, "event-topic.update", eventsCache, name);
    checkTopicAttribute(attribute, value);
    await this.#change(principal.environment, name, ({ attributes, ...rest }) => {
      const { [attribute]: _, ...others } = attributes;
      return { ...rest, attributes: value === "" ? others : { ...others, [attribute]: value } };
    });
  }

  async changeTags(principal: Principal, name: string, changes: TagChanges): Promise<void> {
    authorize(principal, "event-topic.update", eventsCache, name);
    changeTags({}, changes); // what is wrong in itself need not wait for its turn
    await this.#change(principal.environment, name, ({ tags, ...rest }) => {
      return { ...rest, tags: { ...changeTags(tags, changes) } };
    });
  }

  #change(environment: string, name: string, change: (was: EventTopicDocument) => EventTopicDocument): Promise<void> {
    return this.#registry.inTurn(environment, async () => {
      for (let tries = 1; ; tries++) {
        const topic = await this.#registry.current(environment, name);
        if (!topic) throw eventTopicNotFound(name);
        const { createdAtMs, attributes, tags, id, version } = topic;
        const document = change({ createdAtMs, attributes, tags });
        try {
          if (id === 0) await this.#make(environment, name, { ...document, createdAtMs: this.#wallMs() });
          else {
            const key = eventTopicKeyOf(environment, name);
            this.#registry.changed(await this.#records.replace(key, { ...document }, version));
          }
          return;
        } catch (error) {
          if (!isConflict(error) || tries === maxTries) throw error;
        }
      }
    });
  }

  async delete(principal: Principal, name: string): Promise<void> {
    authorize(principal, "event-topic.delete", eventsCache, name);
    if (isBuiltInEventTopic(name)) {
      throw new TodokuError("failed_precondition", `topic "${name}" is built in: it cannot be deleted`);
    }
    const { environment } = principal;
    await this.#registry.inTurn(environment, async () => {
      await this.#records.remove(eventTopicKeyOf(environment, name));
      this.#registry.removed(environment, name);
      for (const listener of this.#listeners) await listener(environment, name);
    });
  }

  onDelete(listener: (environment: string, name: string) => Promise<void>): void {
    this.#listeners.push(listener);
  }

  forgetEnvironment(environment: string): void {
    this.#registry.forgetEnvironment(environment);
  }
}

function mayUse(principal: Principal, name: string): boolean {
  const actions = ["topic.publish", "topic.subscribe"] as const;
  return actions.some((action) => isAllowed(principal, action, eventsCache, name));
}

/** What is asked for again must not be something else. */
function same(topic: EventTopic, { attributes = {}, tags = {} }: EventTopicRequest): EventTopic {
  const other = Object.entries(attributes).find(([name, value]) => (topic.attributes[name] ?? value) !== value);
  if (other) throw new TodokuError("already_exists", `topic "${topic.name}" exists with another ${other[0]}`);
  const isOther = Object.entries(tags).some(([key, value]) => topic.tags[key] !== value);
  if (isOther) throw new TodokuError("already_exists", `topic "${topic.name}" exists with other tags`);
  return topic;
}
