import { Buffer } from "node:buffer";
import type { Delivery } from "../../domain/subscriptions/destination.ts";

/**
 * What is posted: the fields that Momento documented, in its order. It knew no bytes: those come as base64 in `binary` in place of `text`, and
 * attributes behind them. `atMs`: the wall time of this attempt, by which receivers refuse what somebody recorded and sends again.
 */
export function bodyOf({ subscription, topic, item }: Delivery, atMs: number): Buffer {
  const { isText, bytes } = item.value;
  const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const body = {
    cache: subscription.cache,
    topic,
    event_timestamp: item.publishedAtMs,
    publish_timestamp: atMs,
    topic_sequence_number: item.sequence,
    token_id: item.tokenId,
    ...(isText ? { text: value.toString("utf8") } : { binary: value.toString("base64") }),
    ...(item.attributes && Object.keys(item.attributes).length > 0 && { attributes: item.attributes }),
  };
  return Buffer.from(JSON.stringify(body));
}
