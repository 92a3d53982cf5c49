import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { TodokuError } from "../domain/errors.ts";
import type { Hold } from "./uploads.ts";

/** How much of a body is read. */
export interface BodyBounds {
  readonly maxBytes: number;
  /** What a body with more is refused with; `bytes` of it have come. */
  tooLarge(bytes: number): TodokuError;
  /** Whose room it takes; default: nobody's. */
  readonly hold?: Hold | undefined;
}

/**
 * The whole body. By events: `for await` would destroy the request, and with it the connection, when it ends early.
 * What still comes of a body that is refused is drained, for the client must read our answer.
 * @throws TodokuError `limit_exceeded`, `invalid_argument`, and what `hold` throws.
 */
export function readRequestBytes(
  request: IncomingMessage,
  { maxBytes, tooLarge, hold = () => {} }: BodyBounds,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let isOver = false;
  // At once, not when the request closes: one over HTTP/1.1 that was answered before its end, and whose connection then breaks, never does.
  const over = () => {
    if (!isOver) hold(0, () => {});
    isOver = true;
  };
  const fail = (error: unknown) => {
    over();
    chunks.length = 0;
    reject(error);
  };
  // Every request closes: an error that nobody gets would cost 20 us of each.
  const left = () => {
    if (!isOver) fail(new TodokuError("invalid_argument", "the connection closed before the body was complete"));
  };
  request
    .on("data", (chunk: Buffer) => {
      if (isOver) return;
      bytes += chunk.length;
      try {
        if (bytes > maxBytes) throw tooLarge(bytes);
        hold(bytes, fail);
        chunks.push(chunk);
      } catch (error) {
        fail(error);
      }
    })
    .on("end", () => {
      over();
      resolve(Buffer.concat(chunks));
    })
    .on("close", left)
    .on("error", left);
  if (request.destroyed) left();
  return promise;
}
