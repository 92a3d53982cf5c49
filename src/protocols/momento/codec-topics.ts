import type { TopicItem, TopicValue } from "../../domain/topics/store.ts";
import { fieldTag, varintSize, WireReader, wireType, writeVarint } from "./wire.ts";

// The hot messages of cache_client.pubsub by hand; proto/pubsub.proto says what each field means.

/** What Publish asks for. */
export interface PublishRequest {
  readonly cache: string;
  readonly topic: string;
  /** Undefined when the request has no value. A text may be empty here: refusing it is the domain's rule. */
  readonly value: TopicValue | undefined;
}

/** What Subscribe asks for. */
export interface SubscribeRequest {
  readonly cache: string;
  readonly topic: string;
  /** The first sequence number wanted; 0 means "from now on". */
  readonly resumeAt: number;
  /** The page `resumeAt` belongs to; 0 when the client knows none. */
  readonly page: number;
}

/**
 * Reads a PublishRequest. `value.bytes` is a view into `bytes`, and a view keeps all of the buffer behind it alive: copy
 * what outlives the request.
 * @throws TodokuError `invalid_argument`: not such a message; the text names the field.
 */
export function decodePublish(bytes: Uint8Array): PublishRequest {
  const reader = new WireReader("PublishRequest", bytes);
  let cache = "";
  let topic = "";
  let value: TopicValue | undefined;
  while (reader.next()) {
    if (reader.field === 1) cache = reader.string("cache_name");
    else if (reader.field === 2) topic = reader.string("topic");
    else if (reader.field === 3) value = readValue(reader, value);
    else reader.skip();
  }
  return { cache, topic, value };
}

/** The last member of the oneof wins; `before` stays when there is none, for repeated embedded messages merge. */
function readValue(reader: WireReader, before: TopicValue | undefined): TopicValue | undefined {
  const outerEnd = reader.enter("value");
  let value = before;
  while (reader.next()) {
    if (reader.field === 1) value = { isText: true, bytes: reader.textBytes("value.text") };
    else if (reader.field === 2) value = { isText: false, bytes: reader.bytes("value.binary") };
    else reader.skip();
  }
  reader.leave(outerEnd);
  return value;
}

/**
 * Reads a SubscriptionRequest.
 * @throws TodokuError `invalid_argument`: not such a message, or a number above 2^53 - 1; the text names the field.
 */
export function decodeSubscribe(bytes: Uint8Array): SubscribeRequest {
  const reader = new WireReader("SubscriptionRequest", bytes);
  let cache = "";
  let topic = "";
  let resumeAt = 0;
  let page = 0;
  while (reader.next()) {
    if (reader.field === 1) cache = reader.string("cache_name");
    else if (reader.field === 2) topic = reader.string("topic");
    else if (reader.field === 3) resumeAt = reader.uint64("resume_at_topic_sequence_number");
    else if (reader.field === 4) page = reader.uint64("sequence_page");
    else reader.skip();
  }
  return { cache, topic, resumeAt, page };
}

/** Bytes of a field with a length and `length` bytes behind it. */
function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/** proto3 leaves out a 0. */
function numberSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

function writeNumber(field: number, value: number, target: Uint8Array, offset: number): number {
  if (value === 0) return offset;
  target[offset] = fieldTag(field, wireType.varint);
  return writeVarint(value, target, offset + 1);
}

function writeHead(field: number, length: number, target: Uint8Array, offset: number): number {
  target[offset] = fieldTag(field, wireType.bytes);
  return writeVarint(length, target, offset + 1);
}

/** Bytes of the TopicItem message, without the SubscriptionItem around it. */
function innerSize(item: TopicItem, tokenIdLength: number): number {
  return (
    numberSize(item.sequence) +
    fieldSize(fieldSize(item.value.bytes.byteLength)) +
    (tokenIdLength === 0 ? 0 : fieldSize(tokenIdLength)) +
    numberSize(item.page)
  );
}

/** Bytes that {@link writeTopicItem} needs for `item`. */
export function topicItemSize(item: TopicItem): number {
  return fieldSize(innerSize(item, Buffer.byteLength(item.tokenId)));
}

/**
 * Writes the SubscriptionItem of `item` at `offset` and returns the offset behind it, so that the frames of many items,
 * each behind its prefix, share one buffer. `target` must have {@link topicItemSize} bytes there. Attributes are not sent:
 * the message has no place for them.
 */
export function writeTopicItem(item: TopicItem, target: Buffer, offset: number): number {
  const { value, tokenId } = item;
  const tokenIdLength = Buffer.byteLength(tokenId);
  let position = writeHead(1, innerSize(item, tokenIdLength), target, offset);
  position = writeNumber(1, item.sequence, target, position);
  position = writeHead(2, fieldSize(value.bytes.byteLength), target, position);
  position = writeHead(value.isText ? 1 : 2, value.bytes.byteLength, target, position);
  target.set(value.bytes, position);
  position += value.bytes.byteLength;
  if (tokenIdLength > 0) {
    position = writeHead(3, tokenIdLength, target, position);
    position += target.write(tokenId, position);
  }
  return writeNumber(4, item.page, target, position);
}

/** The SubscriptionItem of `item` in a buffer of its own. */
export function encodeTopicItem(item: TopicItem): Buffer {
  const target = Buffer.allocUnsafe(topicItemSize(item));
  writeTopicItem(item, target, 0);
  return target;
}

/** The SubscriptionItem that says: nothing comes between `last` and `newSequence` (both sequence numbers, 0..2^53 - 1). */
export function encodeDiscontinuity(gap: { last: number; newSequence: number; newPage: number }): Buffer {
  const length = numberSize(gap.last) + numberSize(gap.newSequence) + numberSize(gap.newPage);
  const target = Buffer.allocUnsafe(fieldSize(length));
  let position = writeHead(2, length, target, 0);
  position = writeNumber(1, gap.last, target, position);
  position = writeNumber(2, gap.newSequence, target, position);
  writeNumber(3, gap.newPage, target, position);
  return target;
}

/** The SubscriptionItem of a heartbeat: field 3, an empty message. Shared: do not write into it. */
export const heartbeat: Uint8Array = Uint8Array.of(fieldTag(3, wireType.bytes), 0);
