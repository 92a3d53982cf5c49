import { TodokuError } from "../../domain/errors.ts";
import type { Position } from "../../domain/topics/position.ts";
import type { AppendResult, NewItem, TopicItem, TopicKey, TopicStore } from "../../domain/topics/store.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { EmbeddedRecords } from "./records.ts";
import type { Storage } from "./storage.ts";

/** The `disk` topics of a data directory. */
export function createDiskTopics(storage: Storage, records: EmbeddedRecords): TopicStore {
  const isLive = (key: TopicKey): boolean => records.isLive(key.cache.cacheId, "topics");

  // A restored file's topics stand at the start of a new page, though nothing was appended to it yet.
  function readHead(answer: FieldReader, key: TopicKey): Position {
    const floor = Math.max(key.cache.cacheId, storage.pageFloor);
    const [page, sequence] = [answer.number(), answer.number()];
    return page < floor ? { page: floor, sequence: 0 } : { page, sequence };
  }

  return {
    append(batch) {
      if (batch.length === 0) return Promise.resolve([]);
      return storage.writes.submit<readonly AppendResult[]>({
        name: "topics.append",
        items: batch.length,
        bytes: batch.reduce((sum, item) => sum + bytesOf(item), 0),
        encode: (op) => encodeItems(op, batch),
        decode: (answer) => batch.map((item) => readResult(answer, item)),
      });
    },
    async read(key, after, bounds) {
      if (!isLive(key)) return { items: [], head: firstHead(key, storage.pageFloor) };
      return storage.reads.submit({
        name: "topic",
        encode: (op) => {
          op.put(key.cache.cacheId);
          op.put(key.topic);
          for (const field of [after.page, after.sequence, bounds.maxItems, bounds.maxBytes]) op.put(field);
        },
        decode: (answer) => {
          const head = readHead(answer, key);
          return { items: readItems(answer), head };
        },
      });
    },
    async head(key) {
      if (!isLive(key)) return firstHead(key, storage.pageFloor);
      return storage.reads.submit({
        name: "head",
        encode: (op) => {
          op.put(key.cache.cacheId);
          op.put(key.topic);
        },
        decode: (answer) => readHead(answer, key),
      });
    },
    forget({ cacheId }) {
      return storage.writes.submit<void>({
        name: "topics.forget",
        items: 1,
        bytes: 0,
        encode: (op) => op.put(cacheId),
        decode: () => undefined,
        apply: () => records.forgotten(cacheId, "topics"),
      });
    },
    trim(nowMs) {
      return storage.writes.submit({
        name: "topics.trim",
        items: 1,
        bytes: 0,
        encode: (op) => op.put(nowMs),
        decode: (answer) => answer.number() === 1,
      });
    },
  };
}

function firstHead(key: TopicKey, pageFloor: number): Position {
  return { page: Math.max(key.cache.cacheId, pageFloor), sequence: 0 };
}

/** What an item counts on its way. Attributes may be sixteen times what a small value is: uncounted they would break the bound on what waits. */
export function bytesOf({ value, attributes }: Pick<NewItem, "value" | "attributes">): number {
  let bytes = value.bytes.byteLength;
  for (const name in attributes) {
    const attribute = attributes[name];
    if (attribute !== undefined) bytes += name.length + attribute.type.length + attribute.value.length;
  }
  return bytes;
}

function encodeItems(op: FieldWriter, batch: readonly NewItem[]): void {
  op.put(batch.length);
  for (const item of batch) {
    op.putTopic(item.key);
    op.put(Number(item.value.isText));
    op.putBlob(item.value.bytes);
    op.put(item.attributes === undefined ? null : JSON.stringify(item.attributes));
    op.put(item.tokenId);
    op.put(item.publishedAtMs);
    op.put(item.messageId ?? null);
  }
}

function readResult(answer: FieldReader, item: NewItem): AppendResult {
  const [page, sequence] = [answer.number(), answer.number()];
  if (page === 0) {
    return new TodokuError("not_found", `cache ${item.key.cache.cache} does not exist`, { subject: "cache" });
  }
  return { position: { page, sequence: Math.abs(sequence) }, isRepeat: sequence < 0 };
}

function readItems(answer: FieldReader): TopicItem[] {
  const items: TopicItem[] = [];
  for (let page = answer.number(); page !== 0; page = answer.number()) {
    const [sequence, publishedAtMs, isText, tokenId] = [
      answer.number(),
      answer.number(),
      answer.number(),
      answer.text(),
    ];
    const attributes = answer.textOrNull();
    items.push({
      page,
      sequence,
      value: { isText: isText === 1, bytes: answer.blob() },
      attributes: attributes === null ? undefined : JSON.parse(attributes),
      tokenId,
      publishedAtMs,
    });
  }
  return items;
}
