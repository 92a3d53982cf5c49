import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aDelivery } from "../../../test/support/deliveries.ts";
import { bodyOf } from "./body.ts";

const encoder = new TextEncoder();

describe("a body", () => {
  it("has the fields that Momento documented, in its order", () => {
    const item = { page: 3, sequence: 42, tokenId: "user-7", publishedAtMs: 1_700_000_000_123 };
    const delivery = aDelivery({
      topic: "comments",
      item: { ...item, value: { isText: true, bytes: encoder.encode('"grüße"') } },
    });
    expect(bodyOf(delivery, 1_700_000_000_456).toString()).toBe(
      '{"cache":"c","topic":"comments","event_timestamp":1700000000123,"publish_timestamp":1700000000456,' +
        '"topic_sequence_number":42,"token_id":"user-7","text":"\\"grüße\\""}',
    );
  });

  it("has attributes when the item has some", () => {
    const kind = { type: "String", value: "x" };
    const attributes = JSON.parse('{"__proto__":{"type":"a","value":"b"}}');
    expect(JSON.parse(bodyOf(aDelivery({ item: { attributes: { kind } } }), 1).toString())).toHaveProperty(
      "attributes",
      { kind },
    );
    expect(bodyOf(aDelivery({ item: { attributes } }), 1).toString()).toContain(
      '"attributes":{"__proto__":{"type":"a","value":"b"}}',
    );
    expect(bodyOf(aDelivery({ item: { attributes: {} } }), 1).toString()).not.toContain("attributes");
  });

  it("brings any text and any bytes back, whatever the names are", () => {
    const text = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(text, fc.uint8Array(), text, text, fc.boolean(), (name, bytes, tokenId, words, isText) => {
        const value = { isText, bytes: isText ? encoder.encode(words) : bytes };
        const sent = JSON.parse(bodyOf(aDelivery({ topic: name, item: { tokenId, value } }), 1).toString());
        expect(sent).toMatchObject({ topic: name, token_id: tokenId });
        if (isText) expect(sent).toMatchObject({ text: words });
        else expect(new Uint8Array(Buffer.from(sent.binary, "base64"))).toEqual(bytes);
        expect(Object.keys(sent).filter((key) => key === "text" || key === "binary")).toHaveLength(1);
      }),
    );
  });
});
