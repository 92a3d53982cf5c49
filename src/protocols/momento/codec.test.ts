import { type DescMessage, fromBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TodokuError } from "../../domain/errors.ts";
import { decodeMessage } from "./codec.ts";
import { decodeDelete, decodeGet, decodeSet } from "./codec-items.ts";
import { decodePublish, decodeSubscribe } from "./codec-topics.ts";
import { GenerateApiTokenRequestSchema } from "./gen/auth_pb.ts";
import { GetRankRequestSchema } from "./gen/leaderboard_pb.ts";
import { type PublishRequest, PublishRequestSchema, SubscriptionRequestSchema } from "./gen/pubsub_pb.ts";
import {
  DeleteRequestSchema,
  GetRequestSchema,
  ListConcatenateBackRequestSchema,
  ListEraseRequestSchema,
  SetRequestSchema,
  SortedSetPutRequestSchema,
} from "./gen/scs_pb.ts";

/** Bytes that look like fields: mostly small tags with a fitting length, so that the fuzz gets past the first byte. */
const fieldLike = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.uint8Array({ maxLength: 12 }))
    .map(([field, bytes]) => [field * 8 + 2, bytes.length, ...bytes]),
  fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.uint8Array({ maxLength: 11 }))
    .map(([field, bytes]) => [field * 8, ...bytes]),
  fc.uint8Array({ maxLength: 12 }).map((bytes) => [...bytes]),
  fc.constant([0x1a, 4, 0x0a, 2, 0x68, 0x69]), // a PublishRequest's value: text "hi"
);
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.array(fieldLike, { maxLength: 6 }).map((fields) => Uint8Array.from(fields.flat())),
);

const decoders: readonly [string, (bytes: Uint8Array) => unknown][] = [
  ["decodePublish", decodePublish],
  ["decodeSubscribe", decodeSubscribe],
  ["decodeGet", decodeGet],
  ["decodeSet", decodeSet],
  ["decodeDelete", decodeDelete],
  ["decodeMessage", (bytes) => decodeMessage(GenerateApiTokenRequestSchema, bytes)],
];

/** A decoded message with plain arrays and numbers, so that views and bigints compare with copies and numbers. */
function words(field: unknown): unknown {
  if (field instanceof Uint8Array) return [...field];
  if (typeof field === "bigint") return Number(field);
  if (typeof field !== "object" || field === null) return field;
  return Object.fromEntries(Object.entries(field).map(([name, value]) => [name, words(value)]));
}

function publishWords(message: PublishRequest) {
  const kind = message.value?.kind;
  const value = kind?.case && { isText: kind.case === "text", bytes: new Uint8Array(Buffer.from(kind.value)) };
  return { cache: message.cacheName, topic: message.topic, value };
}

function read<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array) {
  return fromBinary(schema, bytes);
}

/** The hand-written decoder and the generated one, with the same words for their result. */
const pairs: readonly [string, (bytes: Uint8Array) => object, (bytes: Uint8Array) => object][] = [
  ["decodePublish", decodePublish, (bytes) => publishWords(read(PublishRequestSchema, bytes))],
  [
    "decodeSubscribe",
    decodeSubscribe,
    (bytes) => {
      const message = read(SubscriptionRequestSchema, bytes);
      const { cacheName: cache, topic, resumeAtTopicSequenceNumber: resumeAt, sequencePage: page } = message;
      return { cache, topic, resumeAt, page };
    },
  ],
  ["decodeGet", decodeGet, (bytes) => ({ key: read(GetRequestSchema, bytes).cacheKey })],
  ["decodeDelete", decodeDelete, (bytes) => ({ key: read(DeleteRequestSchema, bytes).cacheKey })],
  [
    "decodeSet",
    decodeSet,
    (bytes) => {
      const message = read(SetRequestSchema, bytes);
      return { key: message.cacheKey, value: message.cacheBody, ttlMs: message.ttlMilliseconds };
    },
  ],
];

/** What `run` throws; undefined when it does not. */
function failure(run: () => unknown): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("hostile bytes", () => {
  it.each(decoders)("make %s throw nothing but invalid_argument", (_, decode) => {
    fc.assert(
      fc.property(hostile, (bytes) => {
        const error = failure(() => decode(bytes));
        if (error === undefined) return;
        expect(error).toBeInstanceOf(TodokuError);
        expect(error).toMatchObject({ code: "invalid_argument" });
      }),
      { numRuns: 2000 },
    );
  });

  it.each(pairs)("that %s accepts mean the same to the generated code", (_, decode, generated) => {
    fc.assert(
      fc.property(hostile, (bytes) => {
        let ours: object;
        try {
          ours = decode(bytes);
        } catch {
          return;
        }
        expect(words(ours)).toEqual(words(generated(bytes)));
      }),
      { numRuns: 2000 },
    );
  });

  it("are never read past the end of the view they came in", () => {
    const slab = Buffer.from([0x0a, 2, 0x61, 0x62, 0x63]);
    expect(() => decodePublish(slab.subarray(0, 3))).toThrow("PublishRequest.cache_name: 2 bytes announced, 1 left");
  });

  it.each([
    ["a tag that does not end", [0x80], "PublishRequest.field tag is cut off"],
    ["field number 0", [0x02, 0], "PublishRequest: 2 is not a field's tag"],
    ["a tag of more than 32 bits", [0x8a, 0x80, 0x80, 0x80, 0x80, 1], "is not a field's tag"],
    [
      "a varint of eleven bytes",
      [0x20, ...Array(10).fill(0x80), 0],
      "PublishRequest.field 4: a varint must be <= 10 bytes",
    ],
    [
      "a length of 2^63",
      [0x12, ...Array(9).fill(0x80), 1],
      "PublishRequest.topic: 9223372036854776000 bytes announced, 0 left",
    ],
    [
      "an embedded length past its message",
      [0x1a, 2, 0x0a, 5, 0, 0, 0, 0, 0],
      "PublishRequest.value.text: 5 bytes announced, 0 left",
    ],
    ["a wrong wire type", [0x08, 1], "PublishRequest.cache_name has wire type 0, expected 2"],
    ["a group", [0x23, 0x24], "PublishRequest.field 4 has wire type 3, which proto3 does not use"],
    ["a fixed64 that is cut off", [0x21, 0, 0], "PublishRequest.field 4: 8 bytes announced, 2 left"],
    ["a name that is not UTF-8", [0x12, 2, 0x61, 0xff], "PublishRequest.topic is not valid UTF-8"],
    [
      "a lone surrogate in a text",
      [0x1a, 5, 0x0a, 3, 0xed, 0xa0, 0x80],
      "PublishRequest.value.text is not valid UTF-8",
    ],
  ])("with %s are refused by name", (_, bytes, text) => {
    expect(() => decodePublish(Uint8Array.from(bytes))).toThrow(text);
  });

  it("in fields that nobody knows are skipped, whatever their wire type", () => {
    const unknown = [0x20, 1, 0x2a, 1, 9, 0x35, 1, 2, 3, 4, 0x39, 1, 2, 3, 4, 5, 6, 7, 8];
    const bytes = Uint8Array.from([...unknown, 0x12, 1, 0x74, ...unknown, 0x1a, 19, ...unknown]);
    expect(decodePublish(bytes)).toEqual({ cache: "", topic: "t", value: undefined });
  });

  it("nested ten thousand groups deep do not exhaust the stack", () => {
    const error = failure(() => decodeMessage(GenerateApiTokenRequestSchema, new Uint8Array(10_000).fill(0x3b)));
    expect(error).toMatchObject({ code: "invalid_argument" });
  });
});

describe("a message of the greatest size", () => {
  const size = 10_000_000;
  const emptyFields = (number: number, bytes = size) =>
    new Uint8Array(bytes).map((_, n) => (n % 2 === 0 ? number * 8 + 2 : 0));
  /** `bytes` as the length-delimited field `number`. */
  const inField = (number: number, bytes: Uint8Array) =>
    new BinaryWriter()
      .uint32(number * 8 + 2)
      .bytes(bytes)
      .finish();

  it.each<[string, DescMessage, () => Uint8Array]>([
    ["values", ListConcatenateBackRequestSchema, () => emptyFields(2)],
    ["messages within it", ListEraseRequestSchema, () => inField(2, emptyFields(1))],
    ["messages in messages", ListEraseRequestSchema, () => emptyFields(2)],
    ["packed numbers", GetRankRequestSchema, () => inField(3, new Uint8Array(size))],
  ])("that has millions of %s is refused before it is read", (_, schema, make) => {
    const bytes = make();
    const startMs = performance.now();
    expect(() => decodeMessage(schema, bytes)).toThrow("Request: more than 300100 fields");
    // To read them all takes 2 s.
    expect(performance.now() - startMs).toBeLessThan(800);
  });

  it.each<[string, (bytes: Uint8Array) => unknown]>(decoders)(
    "that has millions of fields is refused by %s",
    (_, decode) => {
      const bytes = emptyFields(2);
      expect(() => decode(bytes)).toThrow(/more than \d+ fields/);
    },
  );

  it("that has as many values or elements as a call may have is read, and so is one large value", () => {
    const { values } = decodeMessage(ListConcatenateBackRequestSchema, emptyFields(2, 200_002));
    expect(values).toHaveLength(100_001);
    const element = inField(2, Uint8Array.of(0x0a, 0, 0x11, 0, 0, 0, 0, 0, 0, 0, 0));
    const put = Buffer.alloc(100_000 * element.length, element);
    expect(decodeMessage(SortedSetPutRequestSchema, put).elements).toHaveLength(100_000);
    const large = inField(2, new Uint8Array(size));
    expect(decodeMessage(ListConcatenateBackRequestSchema, large).values[0]).toHaveLength(size);
  });

  it("that is no such message is refused", () => {
    for (const bytes of [
      new Uint8Array(size).fill(0xff),
      emptyFields(2).fill(0x0b),
      inField(2, new Uint8Array(size)).fill(0xff, 10),
    ])
      expect(() => decodeMessage(ListEraseRequestSchema, bytes)).toThrow("no such message");
  });
});
