import type { TopicKey } from "../../domain/topics/store.ts";

/** What crosses between the threads beside bytes. */
export type Field = number | string | null;

/** A message between the threads: one flat list of primitives, and all its bytes in one buffer that is transferred. */
export interface Packed {
  readonly fields: readonly Field[];
  readonly bytes: ArrayBuffer;
}

/**
 * Builds a {@link Packed}. Flat, because cloning 4,000 small objects costs more than committing them; one fresh buffer,
 * because posting a pooled `Buffer` would clone its whole pool.
 */
export class FieldWriter {
  readonly #fields: Field[] = [];
  readonly #blobs: Uint8Array[] = [];
  readonly #topics = new Map<string, number>();
  #lastKey: TopicKey | undefined;
  #lastIndex = 0;
  #byteLength = 0;

  /** Bytes of the blobs so far. */
  get byteLength(): number {
    return this.#byteLength;
  }

  put(field: Field): void {
    this.#fields.push(field);
  }

  putBlob(blob: Uint8Array): void {
    this.#fields.push(this.#byteLength, blob.byteLength);
    this.#blobs.push(blob);
    this.#byteLength += blob.byteLength;
  }

  /** A topic's key is written once per message, then by its number. */
  putTopic(key: TopicKey): void {
    if (key === this.#lastKey) {
      this.#fields.push(this.#lastIndex);
      return;
    }
    const text = `${key.cache.cacheId} ${key.topic}`;
    let index = this.#topics.get(text);
    if (index === undefined) {
      index = this.#topics.size;
      this.#topics.set(text, index);
      this.#fields.push(index, key.cache.environment, key.cache.cacheId, key.topic);
    } else {
      this.#fields.push(index);
    }
    this.#lastKey = key;
    this.#lastIndex = index;
  }

  finish(): Packed {
    const bytes = new ArrayBuffer(this.#byteLength);
    const target = new Uint8Array(bytes);
    let offset = 0;
    for (const blob of this.#blobs) {
      target.set(blob, offset);
      offset += blob.byteLength;
    }
    return { fields: this.#fields, bytes };
  }
}

/** Reads what a {@link FieldWriter} wrote, in the same order. */
export class FieldReader {
  readonly #fields: readonly Field[];
  readonly #bytes: ArrayBuffer;
  readonly #topics: { environment: string; cacheId: number; name: string }[] = [];
  #next = 0;

  constructor(packed: Packed) {
    this.#fields = packed.fields;
    this.#bytes = packed.bytes;
  }

  get isDone(): boolean {
    return this.#next >= this.#fields.length;
  }

  number(): number {
    return this.#fields[this.#next++] as number;
  }

  numberOrNull(): number | null {
    return this.#fields[this.#next++] as number | null;
  }

  text(): string {
    return this.#fields[this.#next++] as string;
  }

  textOrNull(): string | null {
    return this.#fields[this.#next++] as string | null;
  }

  /** The next `count` fields. */
  some(count: number): readonly Field[] {
    this.#next += count;
    return this.#fields.slice(this.#next - count, this.#next);
  }

  /** A view into the message's buffer. */
  blob(): Uint8Array {
    const offset = this.number();
    return new Uint8Array(this.#bytes, offset, this.number());
  }

  /** The same object for the same topic of a message. */
  topic(): { readonly environment: string; readonly cacheId: number; readonly name: string } {
    const index = this.number();
    let topic = this.#topics[index];
    if (topic === undefined) {
      topic = { environment: this.text(), cacheId: this.number(), name: this.text() };
      this.#topics[index] = topic;
    }
    return topic;
  }
}
