// Who writes what, one change after the other, and can tell what has become of it: contents of the environment `dev`.
import { JsonApi } from "./json-api.ts";
import { gone, Ledger } from "./ledger.ts";

/** Makes changes of one kind and keeps a ledger of them. */
export abstract class Writer {
  readonly ledger = new Ledger();
  readonly port: number;
  readonly api: JsonApi;
  /** Turns so far, of all rounds. */
  protected turns = 0;

  constructor(port: number) {
    this.port = port;
    this.api = new JsonApi(port);
  }

  /** What must be there before the first turn. */
  async prepare(): Promise<void> {}

  /** Makes changes until the server is gone: then it rejects with a TypeError. */
  async write(): Promise<void> {
    // A turn that was broken off is not tried again: what it made may be there.
    for (;;) await this.turn(String(++this.turns));
  }

  /** A few changes, under names with this label in them. */
  protected abstract turn(label: string): Promise<void>;

  /** The states that these have. */
  abstract look(names: readonly string[]): Promise<Map<string, string>>;
}

/** Looks at one after the other, a few at a time. */
export async function lookAtEach(names: readonly string[], look: (name: string) => Promise<string>) {
  const found = new Map<string, string>();
  const left = [...names];
  const walk = async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) found.set(name, await look(name));
  };
  await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(walk));
  return found;
}

/** Creates and deletes caches, and queues whose settings it changes too. */
export class ContainerWriter extends Writer {
  protected async turn(label: string): Promise<void> {
    const { ledger, api } = this;
    const names = { cache: `cache-${label}`, queue: `queue-${label}` };
    await ledger.change({ [names.cache]: "there" }, () => api.post("/v1/caches", { name: names.cache }));
    const queue = { name: names.queue, visibilitySeconds: 10 };
    await ledger.change({ [names.queue]: "10" }, () => api.post("/v1/queues", queue));
    if (this.turns % 3 === 0) return;
    const settings = { visibilitySeconds: 20 };
    await ledger.change({ [names.queue]: "20" }, () => api.call("PATCH", `/v1/queues/${names.queue}`, settings));
    if (this.turns % 3 === 1) return;
    await ledger.change({ [names.cache]: gone }, () => api.call("DELETE", `/v1/caches/${names.cache}`));
    await ledger.change({ [names.queue]: gone }, () => api.call("DELETE", `/v1/queues/${names.queue}`));
    const [oldest] = ledger.namesOf("there").slice(0, -100);
    if (oldest) await ledger.change({ [oldest]: gone }, () => api.call("DELETE", `/v1/caches/${oldest}`));
    const [first] = ledger.namesOf("20").slice(0, -100);
    if (first) await ledger.change({ [first]: gone }, () => api.call("DELETE", `/v1/queues/${first}`));
  }

  async look(names: readonly string[]): Promise<Map<string, string>> {
    const there = new Map<string, string>();
    for (const { name } of (await this.api.get("/v1/caches")).caches) there.set(name, "there");
    for (const { name, visibilitySeconds } of (await this.api.get("/v1/queues")).queues) {
      there.set(name, String(visibilitySeconds));
    }
    return new Map(names.map((name) => [name, there.get(name) ?? gone]));
  }
}

/** Publishes to a topic. */
export class TopicWriter extends Writer {
  override async prepare(): Promise<void> {
    await this.api.post("/v1/caches", { name: "topics" });
  }

  protected async turn(label: string): Promise<void> {
    const publish = () => this.api.post("/v1/topics/topics/t", { text: label, messageId: label });
    await this.ledger.change({ [label]: "there" }, publish);
  }

  async look(names: readonly string[]): Promise<Map<string, string>> {
    const kept = new Set<string>();
    for (let [after, isMore] = ["0-0", true]; isMore; ) {
      const { items, next } = await this.api.get(`/v1/topics/topics/t/items?limit=1000&after=${after}`);
      for (const { text } of items) kept.add(text);
      [after, isMore] = [next, items.length > 0];
    }
    return new Map(names.map((name) => [name, kept.has(name) ? "there" : gone]));
  }
}

/** Sends messages and works half of them off. */
export class MessageWriter extends Writer {
  override async prepare(): Promise<void> {
    await this.api.post("/v1/queues", { name: "written", visibilitySeconds: 1 });
  }

  protected async turn(label: string): Promise<void> {
    const call = (action: string, body: object) => this.api.post(`/v1/queues/written/${action}`, body);
    const bodies = [`${label}.a`, `${label}.b`];
    const sent = Object.fromEntries(bodies.map((body) => [body, "there"]));
    await this.ledger.change(sent, () => call("send", { messages: bodies.map((body) => ({ body })) }));
    for (const { body, receiptHandle } of (await call("receive", {})).messages) {
      await this.ledger.change({ [body]: gone }, () => call("delete", { receiptHandle }));
    }
  }

  async look(names: readonly string[]): Promise<Map<string, string>> {
    const kept = new Set<string>();
    for (let [after, isMore] = [0, true]; isMore; ) {
      const { messages, next } = await this.api.post("/v1/queues/written/peek", { after, maxMessages: 100 });
      for (const { body } of messages) kept.add(body);
      [after, isMore] = [next, messages.length > 0];
    }
    return new Map(names.map((name) => [name, kept.has(name) ? "there" : gone]));
  }
}

/** Sets and deletes items of one cache, and flushes another. */
export class ItemWriter extends Writer {
  override async prepare(): Promise<void> {
    for (const name of ["items", "flushed"]) await this.api.post("/v1/caches", { name });
  }

  protected async turn(label: string): Promise<void> {
    const { ledger, api } = this;
    const [one, other] = [`items?key=k${this.turns % 50}`, `flushed?key=k${this.turns % 50}`];
    for (const path of [one, other]) {
      await ledger.change({ [path]: label }, () => api.call("PUT", `/cache/${path}&ttl_seconds=3600`, label));
    }
    if (this.turns % 3 === 0) await ledger.change({ [one]: gone }, () => api.call("DELETE", `/cache/${one}`));
    if (this.turns % 20 !== 0) return;
    const flushed = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`flushed?key=k${n}`, gone]));
    await ledger.change(flushed, () => api.post("/v1/caches/flushed/flush"));
  }

  look(names: readonly string[]): Promise<Map<string, string>> {
    return lookAtEach(names, async (name) => {
      const response = await this.api.send("GET", `/cache/${name}`);
      const text = await response.text();
      return response.status === 404 ? gone : text;
    });
  }
}

/** Puts versions of secrets, and deletes secrets. */
export class SecretWriter extends Writer {
  protected async turn(label: string): Promise<void> {
    const name = `s${this.turns % 5}`;
    const path = `/v1/secrets/${name}`;
    const shared = this.turns % 2 === 0;
    const state = `${label} ${shared}`;
    await this.ledger.change({ [name]: state }, () => this.api.post(path, { value: label, shared }));
    if (this.turns % 7 === 0) await this.ledger.change({ [name]: gone }, () => this.api.call("DELETE", path));
  }

  look(names: readonly string[]): Promise<Map<string, string>> {
    return lookAtEach(names, async (name) => {
      const response = await this.api.send("GET", `/v1/secrets/${name}`);
      const { value, shared } = (await response.json()) as { value: string; shared: boolean };
      return response.status === 404 ? gone : `${value} ${shared}`;
    });
  }
}
