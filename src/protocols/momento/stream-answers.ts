import { limits } from "../../domain/limits.ts";
import type { StreamCall } from "./call.ts";
import { framesOf } from "./frames.ts";

/**
 * Gives a stream an answer that has an end, one message for each value. A portion is asked for when the client has room for it, and a value
 * is encoded when it is sent: how much waits in memory does not depend on how much there is. A client that is gone is asked for nothing more.
 */
export async function sendAnswers<T>(
  call: StreamCall,
  portions: AsyncIterable<readonly T[]> | Iterable<readonly T[]>,
  encode: (value: T) => Uint8Array,
): Promise<void> {
  let [hasRoom, isGone, isDone] = [false, false, false];
  let wake = () => {};
  const room = async () => {
    while (!hasRoom && !isGone) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return !isGone;
  };
  call.onClose(() => {
    isGone = true;
    wake();
  });
  call.open(true);
  call.start(() => {
    hasRoom = true;
    wake();
    return !isDone;
  });
  if (!(await room())) return;
  for await (const portion of portions) {
    for (const messages of chunksOf(portion, encode)) {
      hasRoom = call.write(framesOf(call.encoding, messages));
      if (!(await room())) return;
    }
  }
  isDone = true;
  call.end();
}

/** Messages that are written together: many small ones, or a large one. */
function* chunksOf<T>(values: readonly T[], encode: (value: T) => Uint8Array): Iterable<Uint8Array[]> {
  let [chunk, bytes]: [Uint8Array[], number] = [[], 0];
  for (const value of values) {
    const message = encode(value);
    chunk.push(message);
    bytes += message.length;
    if (bytes < limits.catchUpMaxBytes) continue;
    yield chunk;
    [chunk, bytes] = [[], 0];
  }
  if (chunk.length > 0) yield chunk;
}
