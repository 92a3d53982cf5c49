import { formatPosition } from "../../../domain/topics/position.ts";
import type { TopicItem } from "../../../domain/topics/store.ts";
import type { Discontinuity, Encoding } from "../../../domain/topics/subscription.ts";
import { textFrame, textFrames } from "../../../lib/websocket/frames.ts";
import { toJsonText } from "../../message-fields.ts";

/** Items of one topic as text frames. All sockets that follow the topic have the same object, so that they share each frame. */
export class TopicEncoding implements Encoding {
  readonly key: string;
  readonly cache: string;
  readonly topic: string;
  /** How each frame goes on behind its type. */
  readonly #names: string;
  /** Kept by {@link TopicEncodings}. */
  users = 0;

  constructor(key: string, cache: string, topic: string) {
    this.key = key;
    this.cache = cache;
    this.topic = topic;
    this.#names = `"cache":${JSON.stringify(cache)},"topic":${JSON.stringify(topic)}`;
  }

  items(items: readonly TopicItem[]): Uint8Array {
    // Mostly one: no lists for it.
    if (items.length === 1) return textFrame(this.#toJson(items[0] as TopicItem));
    return textFrames(items.map((item) => this.#toJson(item)));
  }

  discontinuity({ after, now }: Discontinuity): Uint8Array {
    const positions = `"after":"${formatPosition(after)}","now":"${formatPosition(now)}"`;
    return textFrame(`{"type":"discontinuity",${this.#names},${positions}}`);
  }

  /** By hand: a fifth of what `JSON.stringify` of an object takes, and the object need not be made. */
  #toJson(item: TopicItem): string {
    const { value, attributes, tokenId, publishedAtMs } = item;
    const field = value.isText ? "text" : "base64";
    let json = `{"type":"item",${this.#names},"position":"${formatPosition(item)}","${field}":${JSON.stringify(toJsonText(value))}`;
    if (attributes && Object.keys(attributes).length > 0) json += `,"attributes":${JSON.stringify(attributes)}`;
    if (tokenId !== "") json += `,"tokenId":${JSON.stringify(tokenId)}`;
    return `${json},"publishedAtMs":${publishedAtMs}}`;
  }
}

/** The encodings of all topics that somebody follows over a socket. */
export class TopicEncodings {
  readonly #byKey = new Map<string, TopicEncoding>();

  /** Topics that have one. */
  get size(): number {
    return this.#byKey.size;
  }

  /** To be given back with `release`. */
  take(environment: string, cache: string, topic: string): TopicEncoding {
    const key = toKey(environment, cache, topic);
    let encoding = this.#byKey.get(key);
    if (!encoding) {
      encoding = new TopicEncoding(key, cache, topic);
      this.#byKey.set(key, encoding);
    }
    encoding.users++;
    return encoding;
  }

  /** The one that is in use. */
  get(environment: string, cache: string, topic: string): TopicEncoding | undefined {
    return this.#byKey.get(toKey(environment, cache, topic));
  }

  release(encoding: TopicEncoding): void {
    encoding.users--;
    if (encoding.users === 0) this.#byKey.delete(encoding.key);
  }
}

/** Names may have any character; an environment has no slash. */
function toKey(environment: string, cache: string, topic: string): string {
  return `${environment}/${cache.length}/${cache}/${topic}`;
}
