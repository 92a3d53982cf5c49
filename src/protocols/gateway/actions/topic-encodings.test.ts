import { describe, expect, it } from "vitest";
import type { TopicItem } from "../../../domain/topics/store.ts";
import { textFrames } from "../../../lib/websocket/frames.ts";
import { TopicEncodings } from "./topic-encodings.ts";

const item = (more: Partial<TopicItem>): TopicItem => ({
  ...{ page: 7, sequence: 1, attributes: undefined, tokenId: "", publishedAtMs: 1.5 },
  value: { isText: true, bytes: Buffer.from("x") },
  ...more,
});

describe("the encodings of topics", () => {
  it("are one object for all who follow a topic, until the last one has left", () => {
    const encodings = new TopicEncodings();
    const [first, second] = [encodings.take("dev", "c", "t"), encodings.take("dev", "c", "t")];
    expect(second).toBe(first);
    encodings.release(first);
    expect(encodings.get("dev", "c", "t")).toBe(first);
    encodings.release(second);
    expect([encodings.get("dev", "c", "t"), encodings.size]).toEqual([undefined, 0]);
  });

  it("are never those of another topic, whatever the names have in them", () => {
    const encodings = new TopicEncodings();
    const names = [
      ["dev", "a/b", "c"],
      ["dev", "a", "b/c"],
      ["dev", "a/1", "b"],
      ["prod", "a/b", "c"],
    ] satisfies [string, string, string][];
    expect(new Set(names.map((name) => encodings.take(...name))).size).toBe(names.length);
  });

  it("glue the items of a batch, each a JSON text of its own, whatever it has in it", () => {
    const encoding = new TopicEncodings().take("dev", 'quote "', "届\n");
    const names = { cache: 'quote "', topic: "届\n" };
    const attributes = { 'a"': { type: "String", value: "\u0000" } };
    const items = [
      item({ value: { isText: true, bytes: Buffer.from('"\\\u2028') }, tokenId: 'id "', attributes }),
      item({ sequence: 2, value: { isText: false, bytes: Uint8Array.of(0, 255) }, attributes: {} }),
    ];
    const wanted = [
      { type: "item", ...names, position: "7-1", text: '"\\\u2028', attributes, tokenId: 'id "', publishedAtMs: 1.5 },
      { type: "item", ...names, position: "7-2", base64: "AP8=", publishedAtMs: 1.5 },
    ];
    expect(encoding.items(items)).toEqual(textFrames(wanted.map((json) => JSON.stringify(json))));
    const gap = encoding.discontinuity({ after: { page: 1, sequence: 7 }, now: { page: 7, sequence: 0 } });
    expect(gap).toEqual(textFrames([JSON.stringify({ type: "discontinuity", ...names, after: "1-7", now: "7-0" })]));
  });
});
