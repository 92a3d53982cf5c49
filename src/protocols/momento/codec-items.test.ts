import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeDelete, decodeGet, decodeSet, empty, encodeGetHit, encodeGetMiss, encodeSetOk } from "./codec-items.ts";
import {
  CacheResult,
  DeleteRequestSchema,
  DeleteResponseSchema,
  GetRequestSchema,
  GetResponseSchema,
  SetRequestSchema,
  SetResponseSchema,
} from "./gen/scs_pb.ts";

const content = fc.uint8Array({ maxLength: 300 });

describe("item requests", () => {
  it("are read as the generated code writes them", () => {
    fc.assert(
      fc.property(content, content, fc.maxSafeNat(), (key, value, ttlMs) => {
        const fields = { cacheKey: key, cacheBody: value, ttlMilliseconds: BigInt(ttlMs) };
        const set = decodeSet(toBinary(SetRequestSchema, create(SetRequestSchema, fields)));
        expect({ key: [...set.key], value: [...set.value], ttlMs: set.ttlMs }).toEqual({
          key: [...key],
          value: [...value],
          ttlMs,
        });
        expect([...decodeGet(toBinary(GetRequestSchema, create(GetRequestSchema, fields))).key]).toEqual([...key]);
        expect([...decodeDelete(toBinary(DeleteRequestSchema, create(DeleteRequestSchema, fields))).key]).toEqual([
          ...key,
        ]);
      }),
    );
  });

  it("without any field are empty keys, empty values and TTL 0", () => {
    expect(decodeGet(empty)).toEqual({ key: empty });
    expect(decodeSet(empty)).toEqual({ key: empty, value: empty, ttlMs: 0 });
  });

  it("with a TTL of 2^53 or more are refused by the field's name", () => {
    const bytes = toBinary(SetRequestSchema, create(SetRequestSchema, { ttlMilliseconds: 2n ** 53n }));
    expect(() => decodeSet(bytes)).toThrow("SetRequest.ttl_milliseconds must be <= 9007199254740991");
  });
});

describe("item answers", () => {
  it("give a hit with its value, of any length", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          content,
          fc.integer({ min: 120, max: 20_000 }).map((length) => new Uint8Array(length)),
        ),
        (value) => {
          const expected = create(GetResponseSchema, { result: CacheResult.HIT, cacheBody: value });
          expect([...encodeGetHit(value)]).toEqual([...toBinary(GetResponseSchema, expected)]);
        },
      ),
    );
  });

  it("give misses, stored items and deletions as the generated code reads them", () => {
    expect(fromBinary(GetResponseSchema, encodeGetMiss())).toMatchObject({ result: CacheResult.MISS, message: "" });
    expect(fromBinary(SetResponseSchema, encodeSetOk())).toMatchObject({ result: CacheResult.OK, message: "" });
    expect(fromBinary(DeleteResponseSchema, empty)).toEqual(create(DeleteResponseSchema));
  });
});
