import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import { limits } from "../../domain/limits.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor();
});
afterAll(() => door[Symbol.asyncDispose]());

const json = { "content-type": "application/json" };

async function publish(topic: string, body: unknown, headers: Record<string, string> = json): Promise<Response> {
  const sent = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(`${door.url}/v1/topics/c/${topic}`, { method: "POST", headers, body: sent });
}

async function items(topic: string, query = ""): Promise<{ items: Record<string, unknown>[]; next: string }> {
  return (await fetch(`${door.url}/v1/topics/c/${topic}/items${query}`)).json() as never;
}

describe("publish", () => {
  it("answers with the position of the message", async () => {
    const response = await publish("first", { text: "hello" });
    expect(response.status).toBe(200);
    const answer = (await response.json()) as { sequencePage: number };
    expect(answer).toEqual({
      position: `${answer.sequencePage}-1`,
      sequencePage: expect.any(Number),
      sequenceNumber: 1,
      isRepeat: false,
    });
  });

  it("answers a known messageId with the first position", async () => {
    const [first, second] = [
      await publish("ids", { text: "a", messageId: "m1" }),
      await publish("ids", { text: "b", messageId: "m1" }),
    ];
    const position = ((await first.json()) as { position: string }).position;
    expect(await second.json()).toMatchObject({ position, isRepeat: true });
  });

  it("takes a message of the greatest size however JSON writes it", async () => {
    const size = limits.messageMaxBytes;
    expect((await publish("big", { text: "\u0001".repeat(size) })).status).toBe(200);
    expect((await publish("big", { binary: Buffer.alloc(size, 255).toString("base64") })).status).toBe(200);
    const [text, binary] = (await items("big")).items;
    expect(text?.text).toHaveLength(size);
    expect(Buffer.from(String(binary?.binary), "base64")).toHaveLength(size);
  });

  it("takes a hundred attributes of 256 KiB together however JSON writes them, and refuses one more of either", async () => {
    const { maxCount, maxBytes } = limits.topicAttributes;
    const attributes = (count: number, value: string) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, { type: "String", value }]));
    expect((await publish("attributes", { text: "a", attributes: attributes(maxCount, "v") })).status).toBe(200);
    const largest = "\u0001".repeat(maxBytes - "k0String".length);
    expect((await publish("attributes", { text: "a", attributes: attributes(1, largest) })).status).toBe(200);
    expect((await publish("attributes", { text: "a", attributes: attributes(maxCount + 1, "v") })).status).toBe(400);
    expect((await publish("attributes", { text: "a", attributes: attributes(1, `${largest}a`) })).status).toBe(413);
  });

  it("refuses an attribute named __proto__, which an object cannot carry", async () => {
    const body = '{"text":"x","attributes":{"__proto__":{"type":"String","value":"v"}}}';
    const response = await publish("proto", body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining("__proto__") });
    expect((await publish("proto", { text: "x", attributes: { constructor: { type: "a", value: "b" } } })).status).toBe(
      200,
    );
  });

  it("refuses a message that is one byte longer, and a body past its bound, with 413", async () => {
    const tooLong = await publish("big", { text: "x".repeat(limits.messageMaxBytes + 1) });
    expect([tooLong.status, await tooLong.json()]).toEqual([
      413,
      expect.objectContaining({
        code: "limit_exceeded",
        detail: expect.stringContaining(`must be <= ${limits.messageMaxBytes}`),
      }),
    ]);
    expect((await publish("big", { text: "x".repeat(3_000_000) })).status).toBe(413);
  });

  it("refuses a chunked body past its bound with 413", async () => {
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(Buffer.alloc(100_000, "x")),
    });
    const response = await fetch(`${door.url}/v1/topics/c/big`, {
      ...{ method: "POST", headers: json, body, duplex: "half" },
    } as RequestInit);
    expect(response.status).toBe(413);
  });

  it.each([
    ["{", "the body is not valid JSON in UTF-8"],
    [{ text: 5 }, '"text": must be a text'],
    [{}, 'the body must have either "text" or "binary"'],
    [{ text: "a", binary: "YQ==" }, 'the body must have either "text" or "binary"'],
    [{ binary: "%" }, '"binary": must be base64'],
    ['{"text":"\\ud800"}', '"text": must be well-formed Unicode'],
    [{ text: "" }, "a text message must not be empty"],
    [{ text: "a", colour: 1 }, 'the body: Unrecognized key: "colour"'],
    [{ text: "a", attributes: { a: { type: "String" } } }, '"attributes.a.value": is missing'],
    [[], "the body: must be an object"],
  ])("refuses %j with 400 and names the field", async (body, detail) => {
    const response = await publish("bad", body);
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ code: "invalid_argument", detail: expect.stringContaining(detail) }),
    ]);
  });

  it.each(["text/plain", "application/octet-stream", "application/x-www-form-urlencoded", "application/jsonp"])(
    "refuses the media type %s, which a page may send unasked or which is not ours",
    async (type) => {
      const response = await publish("types", JSON.stringify({ text: "a" }), { "content-type": type });
      expect(response.status).toBe(415);
      expect((await items("types")).items).toEqual([]);
    },
  );

  it("takes parameters behind the media type", async () => {
    const type = { "content-type": "Application/JSON; charset=utf-8" };
    expect((await publish("types2", JSON.stringify({ text: "ü" }), type)).status).toBe(200);
  });

  it("knows no cache that was not created", async () => {
    const response = await fetch(`${door.url}/v1/topics/none/t`, {
      method: "POST",
      headers: json,
      body: '{"text":"a"}',
    });
    expect([response.status, await response.json()]).toEqual([404, expect.objectContaining({ code: "not_found" })]);
  });
});

describe("items", () => {
  it("gives text, bytes, attributes and token id, and where to go on", async () => {
    const token = await door.token({ tokenId: "alice" });
    await publish("all", { text: "grüße", attributes: { kind: { type: "String", value: "x" } } });
    await publish("all", { binary: "AP8=" }, { ...json, authorization: `Bearer ${token}` });
    const { items: got, next } = await items("all");
    const page = got[0]?.sequencePage;
    expect(got).toEqual([
      {
        ...{ position: `${page}-1`, sequencePage: page, sequenceNumber: 1, text: "grüße" },
        attributes: { kind: { type: "String", value: "x" } },
        publishedAtMs: expect.any(Number),
      },
      {
        ...{ position: `${page}-2`, sequencePage: page, sequenceNumber: 2, binary: "AP8=", tokenId: "alice" },
        publishedAtMs: expect.any(Number),
      },
    ]);
    expect(next).toBe(`${page}-2`);
    expect(await items("all", `?after=${next}`)).toEqual({ items: [], next });
  });

  it("goes through a history page by page", async () => {
    for (const text of ["a", "b", "c"]) await publish("pages", { text });
    const first = await items("pages", "?limit=2");
    const second = await items("pages", `?limit=2&after=${first.next}`);
    expect([...first.items, ...second.items].map((item) => item.text)).toEqual(["a", "b", "c"]);
  });

  it.each([
    ["?limit=0", '"limit": '],
    ["?limit=1001", '"limit": '],
    ["?limit=x", '"limit": '],
    ["?after=7", '"after": must be a position'],
  ])("refuses %s with 400 and names it", async (query, detail) => {
    const response = await fetch(`${door.url}/v1/topics/c/t/items${query}`);
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ detail: expect.stringContaining(detail) }),
    ]);
  });

  it("decodes names, with slashes and percent signs in them", async () => {
    const name = "a/b %2F ü?#";
    await publish(encodeURIComponent(name), { text: "odd" });
    expect((await items(encodeURIComponent(name))).items).toHaveLength(1);
    const { position } = await door.topics.publish(door.principal, "c", name, {
      value: { isText: true, bytes: Buffer.from("x") },
    });
    expect(position.sequence).toBe(2);
  });

  it("refuses a path that is no percent-encoded UTF-8: it would be another name for the same thing", async () => {
    const response = await fetch(`${door.url}/v1/topics/c/%ff/items`);
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { detail: "the path is no percent-encoded UTF-8" },
    ]);
  });
});
