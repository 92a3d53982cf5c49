import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { readEvents, type ServerEvent } from "./server-events.ts";

async function read(text: string, chunkBytes: number) {
  const bytes = Buffer.from(text);
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, index) =>
    bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes),
  );
  const events: ServerEvent[] = [];
  for await (const event of readEvents(Readable.from(chunks))) events.push(event);
  return events;
}

describe("readEvents", () => {
  it("reads the same events however the bytes are cut", async () => {
    const text = ":\nretry: 1\nid: 1-0\n\nid: 1-1\ndata: ü\n\n:\n\nevent: x\r\ndata:a\r\ndata: b\r\n\r\ndata: cut off";
    const events = [
      { type: "message", id: "1-0", data: undefined },
      { type: "message", id: "1-1", data: "ü" },
      { type: "x", id: undefined, data: "a\nb" },
    ];
    for (const chunkBytes of [1, 2, 3, 7, 1000]) expect(await read(text, chunkBytes)).toEqual(events);
  });
});
