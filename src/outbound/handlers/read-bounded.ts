import { Buffer } from "node:buffer";

/** The text of a stream; undefined when it has more than `maxBytes`: the rest is passed over. */
export async function readBounded(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes <= maxBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  return bytes <= maxBytes ? Buffer.concat(chunks).toString("utf8") : undefined;
}
