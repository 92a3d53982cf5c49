import { CacheResult } from "./gen/scs_pb.ts";
import { fieldTag, varintSize, WireReader, wireType, writeVarint } from "./wire.ts";

// The hot messages of cache_client.Scs by hand; the metadata, not the message, names the cache. Keys and values that come
// out of here are views into the request, and a view keeps all of the buffer behind it alive: copy what outlives it.

/** What Get and Delete ask for. */
export interface KeyRequest {
  readonly key: Uint8Array;
}

/** What Set asks for. */
export interface SetRequest extends KeyRequest {
  readonly value: Uint8Array;
  /** 0 when the request has none: whether that is allowed is the domain's rule. */
  readonly ttlMs: number;
}

/** The message without fields. Shared, as are the other constants here: nothing to write into. */
export const empty: Uint8Array = new Uint8Array(0);

const resultTag = fieldTag(1, wireType.varint);
const miss = Uint8Array.of(resultTag, CacheResult.MISS);
const ok = Uint8Array.of(resultTag, CacheResult.OK);

/**
 * Reads a GetRequest. `key` is a view into `bytes`, empty when the request has none.
 * @throws TodokuError `invalid_argument`: not such a message; the text names the field.
 */
export function decodeGet(bytes: Uint8Array): KeyRequest {
  return decodeKey("GetRequest", bytes);
}

/**
 * Reads a DeleteRequest. `key` is a view into `bytes`, empty when the request has none.
 * @throws TodokuError `invalid_argument`: not such a message; the text names the field.
 */
export function decodeDelete(bytes: Uint8Array): KeyRequest {
  return decodeKey("DeleteRequest", bytes);
}

function decodeKey(message: string, bytes: Uint8Array): KeyRequest {
  const reader = new WireReader(message, bytes);
  let key = empty;
  while (reader.next()) {
    if (reader.field === 1) key = reader.bytes("cache_key");
    else reader.skip();
  }
  return { key };
}

/**
 * Reads a SetRequest. `key` and `value` are views into `bytes`, empty when the request has none.
 * @throws TodokuError `invalid_argument`: not such a message, or a TTL above 2^53 - 1; the text names the field.
 */
export function decodeSet(bytes: Uint8Array): SetRequest {
  const reader = new WireReader("SetRequest", bytes);
  let key = empty;
  let value = empty;
  let ttlMs = 0;
  while (reader.next()) {
    if (reader.field === 1) key = reader.bytes("cache_key");
    else if (reader.field === 2) value = reader.bytes("cache_body");
    else if (reader.field === 3) ttlMs = reader.uint64("ttl_milliseconds");
    else reader.skip();
  }
  return { key, value, ttlMs };
}

/** The GetResponse of a hit. Copies `value`. */
export function encodeGetHit(value: Uint8Array): Uint8Array {
  const length = value.byteLength;
  const bodySize = length === 0 ? 0 : 1 + varintSize(length) + length;
  const target = Buffer.allocUnsafe(2 + bodySize);
  target[0] = resultTag;
  target[1] = CacheResult.HIT;
  if (length > 0) {
    target[2] = fieldTag(2, wireType.bytes);
    target.set(value, writeVarint(length, target, 3));
  }
  return target;
}

/** The GetResponse of a miss. Shared. */
export function encodeGetMiss(): Uint8Array {
  return miss;
}

/** The SetResponse of a success. Shared. */
export function encodeSetOk(): Uint8Array {
  return ok;
}
