/** More than a delivery can have. */
export class BodyTooLarge extends Error {
  override readonly name = "BodyTooLarge";
}

/** A message has at most 256 KiB; JSON may write each byte in six. */
const bodyMaxBytes = 2 * 1024 * 1024;

/** The body as it came: signatures are made of bytes. @throws BodyTooLarge before more than that is in memory. */
export async function readBody(request: Request): Promise<Buffer> {
  const tooLarge = () => new BodyTooLarge(`The body must have at most ${bodyMaxBytes} bytes`);
  if (Number(request.headers.get("content-length") ?? 0) > bodyMaxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > bodyMaxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
