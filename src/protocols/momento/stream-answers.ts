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
    for (const frames of chunksOf(portion, encode, call.encoding)) {
      call.hold(frames.length);
      hasRoom = call.write(frames);
      if (!(await room())) return;
      call.hold(0);
    }
  }
  isDone = true;
  call.end();
}

/** Frames of messages that are written together: many small ones, or a large one, which is not kept here while its copy waits for the client. */
function* chunksOf<T>(
  values: readonly T[],
  encode: (value: T) => Uint8Array,
  encoding: StreamCall["encoding"],
): Iterable<Uint8Array> {
  let [chunk, bytes]: [Uint8Array[], number] = [[], 0];
  const take = () => {
    const frames = framesOf(encoding, chunk);
    [chunk, bytes] = [[], 0];
    return frames;
  };
  // A function of its own: the variables of a generator live on while it waits, and with them a second copy of five megabytes.
  const add = (value: T) => {
    const message = encode(value);
    chunk.push(message);
    bytes += message.length;
  };
  for (const value of values) {
    add(value);
    if (bytes >= limits.catchUpMaxBytes) yield take();
  }
  if (chunk.length > 0) yield take();
}
