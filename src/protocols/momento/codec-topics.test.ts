import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TopicItem, TopicValue } from "../../domain/topics/store.ts";
import {
  decodePublish,
  decodeSubscribe,
  encodeDiscontinuity,
  encodeTopicItem,
  heartbeat,
  topicItemSize,
  writeTopicItem,
} from "./codec-topics.ts";
import { PublishRequestSchema, SubscriptionItemSchema, SubscriptionRequestSchema } from "./gen/pubsub_pb.ts";

const text = fc.string({ unit: "binary" }); // well-formed: no lone surrogates
const number = fc.maxSafeNat();
const value: fc.Arbitrary<TopicValue> = fc.oneof(
  text.map((string) => ({ isText: true, bytes: new TextEncoder().encode(string) })),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => ({ isText: false, bytes })),
);
const item: fc.Arbitrary<TopicItem> = fc.record({
  page: number,
  sequence: number,
  value,
  tokenId: text,
  publishedAtMs: fc.constant(0),
  attributes: fc.constant(undefined),
});

/** `value` as the generated code has it. */
function kindOf({ isText, bytes }: TopicValue) {
  return isText
    ? { case: "text" as const, value: new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) }
    : { case: "binary" as const, value: bytes };
}

function publishBytes(cacheName: string, topic: string, content: TopicValue | undefined): Uint8Array {
  const init = content === undefined ? {} : { value: { kind: kindOf(content) } };
  return toBinary(PublishRequestSchema, create(PublishRequestSchema, { cacheName, topic, ...init }));
}

/** Views compare by content, whatever their class. */
function plain(content: TopicValue | undefined) {
  return content && { isText: content.isText, bytes: [...content.bytes] };
}

describe("decodePublish", () => {
  it("reads what the generated code writes", () => {
    fc.assert(
      fc.property(text, text, fc.option(value, { nil: undefined }), (cache, topic, content) => {
        const request = decodePublish(publishBytes(cache, topic, content));
        expect({ ...request, value: plain(request.value) }).toEqual({ cache, topic, value: plain(content) });
      }),
    );
  });

  it("gives a view into the request", () => {
    const bytes = publishBytes("c", "t", { isText: false, bytes: Uint8Array.of(7) });
    expect(decodePublish(bytes).value?.bytes.buffer).toBe(bytes.buffer);
  });

  it("tells a missing value, a value without a member, and an empty text apart", () => {
    expect(decodePublish(Uint8Array.of()).value).toBeUndefined();
    expect(decodePublish(Uint8Array.of(0x1a, 0)).value).toBeUndefined();
    expect(plain(decodePublish(Uint8Array.of(0x1a, 2, 0x0a, 0)).value)).toEqual({ isText: true, bytes: [] });
  });

  it("takes the last of a repeated field and of the oneof's members, across repeated values", () => {
    const first = publishBytes("old", "t", { isText: true, bytes: Buffer.from("old") });
    const second = publishBytes("new", "", { isText: false, bytes: Uint8Array.of(1) });
    const noMember = Uint8Array.of(0x1a, 0);
    const request = decodePublish(Buffer.concat([first, second, noMember]));
    expect({ ...request, value: plain(request.value) }).toEqual({
      cache: "new",
      topic: "t",
      value: { isText: false, bytes: [1] },
    });
  });
});

describe("decodeSubscribe", () => {
  it("reads what the generated code writes, exactly up to 2^53 - 1", () => {
    const edges = fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 49, 2 ** 52, Number.MAX_SAFE_INTEGER);
    fc.assert(
      fc.property(text, text, fc.oneof(number, edges), fc.oneof(number, edges), (cache, topic, resumeAt, page) => {
        const fields = {
          cacheName: cache,
          topic,
          resumeAtTopicSequenceNumber: BigInt(resumeAt),
          sequencePage: BigInt(page),
        };
        const bytes = toBinary(SubscriptionRequestSchema, create(SubscriptionRequestSchema, fields));
        expect(decodeSubscribe(bytes)).toEqual({ cache, topic, resumeAt, page });
      }),
    );
  });

  it("refuses a number of 2^53 or more and names it", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }), (page) => {
        const bytes = toBinary(SubscriptionRequestSchema, create(SubscriptionRequestSchema, { sequencePage: page }));
        expect(() => decodeSubscribe(bytes)).toThrow("SubscriptionRequest.sequence_page must be <= 9007199254740991");
      }),
      { examples: [[2n ** 53n], [2n ** 64n - 1n]] },
    );
  });
});

describe("subscription items", () => {
  it("are read back by the generated code", () => {
    fc.assert(
      fc.property(item, (given) => {
        const expected = create(SubscriptionItemSchema, {
          kind: {
            case: "item",
            value: {
              topicSequenceNumber: BigInt(given.sequence),
              value: { kind: kindOf(given.value) },
              publisherId: given.tokenId,
              sequencePage: BigInt(given.page),
            },
          },
        });
        const bytes = encodeTopicItem(given);
        expect(fromBinary(SubscriptionItemSchema, new Uint8Array(bytes))).toEqual(expected);
        expect([...bytes]).toEqual([...toBinary(SubscriptionItemSchema, expected)]);
      }),
    );
  });

  it("take exactly the announced bytes behind an offset and touch no others", () => {
    fc.assert(
      fc.property(item, fc.nat({ max: 9 }), (given, offset) => {
        const size = topicItemSize(given);
        const target = Buffer.alloc(offset + size + 3, 0xee);
        expect(writeTopicItem(given, target, offset)).toBe(offset + size);
        expect(target.subarray(offset, offset + size)).toEqual(encodeTopicItem(given));
        expect([...target.subarray(0, offset), ...target.subarray(offset + size)].every((byte) => byte === 0xee)).toBe(
          true,
        );
      }),
    );
  });

  it("carry discontinuities and heartbeats as the generated code reads them", () => {
    fc.assert(
      fc.property(number, number, number, (last, newSequence, newPage) => {
        const { kind } = fromBinary(SubscriptionItemSchema, encodeDiscontinuity({ last, newSequence, newPage }));
        expect(kind).toMatchObject({
          case: "discontinuity",
          value: {
            lastTopicSequence: BigInt(last),
            newTopicSequence: BigInt(newSequence),
            newSequencePage: BigInt(newPage),
          },
        });
      }),
    );
    expect(fromBinary(SubscriptionItemSchema, heartbeat).kind.case).toBe("heartbeat");
  });
});
